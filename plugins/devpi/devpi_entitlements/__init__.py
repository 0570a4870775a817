"""The devpi-server adapter."""
