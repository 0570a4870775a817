"""Tests of the Flask adapter and the WSGI and ASGI wrappers."""
