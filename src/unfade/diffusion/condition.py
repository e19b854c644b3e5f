"""Encodes the inputs of the diffusion networks: photo and mask as condition, prompts as embeddings.

Photos are in [0, 1] here and everywhere else; only the autoencoder works in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.controlnets.controlnet import ControlNetModel
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPTextModel, PreTrainedTokenizerBase

from unfade.errors import UsageError, WeightsError
from unfade.models.compact import Space
from unfade.models.patches import fold, unfold


@dataclass(frozen=True)
class ConditionKind:
    """The input of a ControlNet: its space, and whether it has a mask channel."""

    space: Space
    mask: bool

    @classmethod
    def of(cls, controlnet: ControlNetModel) -> ConditionKind:
        """Reads the kind from a configuration: an embedding of one width is in latent space.

        Raises:
            WeightsError: the condition has neither three nor four channels, nor the latent's.
        """
        config = cast(Any, controlnet).config
        space: Space = "pixel"
        channels = 3
        if len(config.conditioning_embedding_out_channels) == 1:
            space, channels = "latent", int(config.in_channels)
        extra = int(config.conditioning_channels) - channels
        if extra not in (0, 1):
            raise WeightsError(
                f"a ControlNet for a condition of {config.conditioning_channels} channels",
                f"{channels} or, with a mask, {channels + 1}",
                "use one that unfade has trained",
            )
        return cls(space, extra == 1)


def encode(vae: AutoencoderKL, image: Tensor) -> Tensor:
    """(N, 3, H, W) in [0, 1] -> (N, C, H/8, W/8), the mean latent, scaled to unit variance."""
    moments = cast(Any, vae).encode(fold(vae, image), return_dict=False)[0]
    return moments.mode() * cast(Any, vae).config.scaling_factor


def decode(vae: AutoencoderKL, z0: Tensor) -> Tensor:
    """(N, C, h, w), a scaled latent -> (N, 3, 8h, 8w), about [0, 1], not clipped."""
    z = z0 / cast(Any, vae).config.scaling_factor
    return unfold(vae, cast(Any, vae).decode(z, return_dict=False)[0])


def make_condition(kind: ConditionKind, picture: Tensor, mask: Tensor | None) -> Tensor:
    """The input tensor of a ControlNet of this kind.

    Args:
        picture: (N, 3, H, W) in [0, 1] in pixel space (what is outside is clipped: a decoded
            photo may overshoot), the scaled latent (N, C, h, w) in latent space.
        mask: (N, 1, H, W) in [0, 1], 1 = damaged; a cell of the latent takes its mean. None is
            a mask of zeros. A kind without a mask channel does not look at it.

    Returns:
        (N, 3 or 4, H, W), or (N, C or C + 1, h, w).
    """
    if kind.space == "pixel":
        picture = picture.clamp(0, 1)
    if not kind.mask:
        return picture
    if mask is None:
        mask = torch.zeros_like(picture[:, :1])
    elif kind.space == "latent":
        height, width = picture.shape[-2:]
        mask = F.adaptive_avg_pool2d(mask, (height, width))  # (N, 1, h, w)
    return torch.cat([picture, mask.to(picture.dtype)], 1)


def prompt_length(text_encoder: CLIPTextModel) -> int:
    """L, the number of tokens of a prompt, with start and end tokens."""
    return int(cast(Any, text_encoder).config.max_position_embeddings)


def embed(
    tokenizer: PreTrainedTokenizerBase, text_encoder: CLIPTextModel, prompts: Sequence[str]
) -> Tensor:
    """Embeds prompts as (N, L, D); "" is the null text. Prompts are cut to L tokens.

    Raises:
        UsageError: no prompt.
    """
    if not prompts:
        raise UsageError("no prompt", "one or more", "give '' for the null text")
    length = prompt_length(text_encoder)
    tokens = cast(Any, tokenizer)(
        list(prompts), padding="max_length", max_length=length, truncation=True, return_tensors="pt"
    )
    ids = tokens.input_ids.to(text_encoder.device)  # (N, L)
    return cast(Any, text_encoder)(ids).last_hidden_state  # (N, L, D)
