"""The package query, from text to answer."""
