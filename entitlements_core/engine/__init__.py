"""A fast index over directories of distributions: catalog, pages and files."""
