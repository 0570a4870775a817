"""The package query: the language a restriction is written in."""
