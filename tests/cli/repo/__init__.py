"""Tests of ``entitlements repo``."""
