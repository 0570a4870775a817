"""Tests of the public JSON documents; `tests/cli/test_documents.py` has them whole."""
