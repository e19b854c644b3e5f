"""The equations of latent diffusion, the same for training and restoring."""
