"""The `entitlements` command."""
