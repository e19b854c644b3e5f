"""Protocols of `unfade bench` that print figures: our own measurements of the shipped weights."""
