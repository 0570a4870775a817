"""Tests of ``entitlements serve``."""
