"""Networks, their weights and their presets."""
