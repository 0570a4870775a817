"""Entitlement tokens for Flask: a served index, or a guard for your own views."""
