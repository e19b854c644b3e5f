"""Restores archives: many photos, on one machine or several, with one manifest for all."""
