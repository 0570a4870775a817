"""Measurements, not tests: they never pass or fail."""
