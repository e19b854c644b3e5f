"""Restores photos with trained networks: see `request` and `tasks` for the way of a photo."""
