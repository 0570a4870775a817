"""Tests of `entitlements_core.services.snippets`."""
