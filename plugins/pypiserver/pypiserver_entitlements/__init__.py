"""The pypiserver adapter."""
