"""A photo's way from its pixels to the mended ones."""
