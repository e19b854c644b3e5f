"""Stable Diffusion 1.5: its source, and how its networks differ from those of 2.1-base."""

from __future__ import annotations

from typing import Any

from unfade.models import sd21

#: The original repository left the hub in August 2024; this one holds the same files.
SD15_ID = "stable-diffusion-v1-5/stable-diffusion-v1-5"
SD15_REVISION = "451f4fe16113bff5a5d2269ed5ad43b0592e9a14"

VAE: dict[str, Any] = sd21.VAE | {"sample_size": 512}
UNET: dict[str, Any] = sd21.UNET | {
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
    "use_linear_projection": False,
}
#: CLIP ViT-L/14; 2.x has OpenCLIP ViT-H/14 without its last layer.
TEXT_ENCODER: dict[str, Any] = sd21.TEXT_ENCODER | {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "projection_dim": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "hidden_act": "quick_gelu",
}
SCHEDULER: dict[str, Any] = sd21.SCHEDULER
