"""Protocols of `unfade bench` that measure the shipped weights."""
