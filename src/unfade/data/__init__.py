"""Photos for training: where they come from and how they become pairs."""
