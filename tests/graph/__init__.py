"""Passes over recorded launches."""
