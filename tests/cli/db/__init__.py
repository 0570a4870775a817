"""Tests of ``entitlements db``."""
