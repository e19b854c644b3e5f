"""Training: one loop, one small class for each task."""
