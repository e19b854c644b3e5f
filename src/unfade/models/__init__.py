"""The networks, their weights and their presets."""
