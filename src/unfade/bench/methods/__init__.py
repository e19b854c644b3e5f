"""Methods that a comparison runs: presets, classical methods, programs, networks, given results."""
