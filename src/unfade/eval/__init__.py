"""Measuring what a restoration is worth."""
