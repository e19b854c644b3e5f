"""Methods of a comparison: presets, classical methods, programs, networks, given results."""
