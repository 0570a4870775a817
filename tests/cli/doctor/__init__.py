"""Tests of ``entitlements doctor``."""
