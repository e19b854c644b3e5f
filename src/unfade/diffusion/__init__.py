"""The equations of latent diffusion, shared by training and restoring."""
