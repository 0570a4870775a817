"""The pages are pure: no fixtures, no files."""
