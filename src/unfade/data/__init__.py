"""Training data: loads photos and makes training samples."""
