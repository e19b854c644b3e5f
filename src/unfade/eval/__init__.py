"""Metrics of restored photos, and their statistics."""
