"""Tests of ``entitlements token``."""
