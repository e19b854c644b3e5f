"""Trains the autoencoder of the diffusion model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn

from unfade.data.pairs import check_size, crop, large_photos, pick_photo
from unfade.data.sources import CleanPhoto, hold_out
from unfade.diffusion.condition import decode, encode
from unfade.models.compact import VaeConfig, build_vae
from unfade.models.folder import load_part, save_part
from unfade.models.patches import fold, unfold
from unfade.models.tensors import from_array
from unfade.rng import generator
from unfade.train.losses import (
    feature_distance,
    imagenet_encoder,
    kl_divergence,
    spectral_l1,
)
from unfade.train.options import LoopOptions
from unfade.train.sample_grid import write_sample_grid
from unfade.train.task import Batch, Split, random_index
from unfade.train.vae_start import is_linear, silence_residuals, start_linear

_GRID_SAMPLES = 12
_CROPS = 256  # that the linear start is fitted to
_VALIDATION_SAMPLES = 48  # held-out crops that the latents' spread is taken from


@dataclass(frozen=True)
class VaeRecipe:
    """`unfade train vae`.

    Attributes:
        size: side of the square crop in pixels, a multiple of the autoencoder's factor.
        large: share of crops from photos that are not enlarged for them.
        mse, spectrum, kl: weights of the squared error, of the L1 between Fourier coefficients,
            and of the mean divergence of a latent value from a normal one.
        features: weight of the L1 between an ImageNet classifier's features: with it, textures
            count more than where each of their pixels lies.
        decoder_only: train only the decoder, on the mean latents; the encoder and the latent
            scale stay those of the start weights.
    """

    loop: LoopOptions = field(default_factory=LoopOptions)
    model: VaeConfig = field(default_factory=VaeConfig)
    size: int = 128
    large: float = 0.5
    mse: float = 1.0
    spectrum: float = 0.05
    kl: float = 1e-4
    features: float = 0.0
    decoder_only: bool = False


def latents_std(vae: AutoencoderKL, hq: Tensor) -> float:
    """The standard deviation of all latent values of photos (N, 3, H, W) in [0, 1]."""
    with torch.no_grad():
        posterior = cast(Any, vae.encode(fold(vae, hq))).latent_dist
    mean, std = posterior.mean.float(), posterior.std.float()  # (N, C, H/8, W/8)
    return math.sqrt(float(mean.var() + std.square().mean()))


class VaeTask:
    """Learns to reconstruct random crops of clean photos.

    Raises:
        UsageError: crops that do not fit the autoencoder.
        WeightsError: no ImageNet weights, where the recipe weighs features.
    """

    def __init__(self, recipe: VaeRecipe, photos: Sequence[CleanPhoto]) -> None:
        check_size(recipe.size, recipe.model.downscale)
        self.recipe = recipe
        self.photos, self.held_out = hold_out(photos)
        self.large = large_photos(self.photos, recipe.size)
        self.scale: float | None = None  # of the latents; None is measured
        self.features = imagenet_encoder() if recipe.features > 0 else None

    def build(self) -> nn.Module:
        """The untrained autoencoder; one that folds photos starts as the best linear autoencoder.

        What is not trained asks for no gradient.
        """
        vae = build_vae(self.recipe.model)
        silence_residuals(vae)
        if is_linear(vae):
            crops = [self.sample("initialization", i)["hq"] for i in range(_CROPS)]
            start_linear(vae, torch.stack(crops))
        if self.recipe.decoder_only:
            vae.encoder.requires_grad_(False)
            if isinstance(vae.quant_conv, nn.Module):
                vae.quant_conv.requires_grad_(False)
        return vae

    def sample(self, split: Split, index: int) -> Batch:
        """The hq (3, S, S) and the posterior's noise (C, S/8, S/8)."""
        recipe, loop = self.recipe, self.recipe.loop
        position = random_index(split, index)
        rng = generator(loop.seed, "vae", position)
        if split == "validation":
            photo = self.held_out[index % len(self.held_out)]
        else:
            count = len(self.photos)
            photo = self.photos[pick_photo(loop.seed, position, count, self.large, recipe.large)]
        hq = crop(photo.decode(), rng, recipe.size)
        side = recipe.size // recipe.model.downscale
        noise = rng.standard_normal((recipe.model.latent_channels, side, side), np.float32)
        return {"hq": from_array(hq).permute(2, 0, 1).contiguous(), "noise": from_array(noise)}

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """Charbonnier, squared, spectral and feature error, divergence; PSNR of the batch, dB."""
        vae, hq, recipe = cast(Any, model), batch["hq"], self.recipe
        with torch.no_grad() if recipe.decoder_only else nullcontext():
            posterior = vae.encode(fold(vae, hq)).latent_dist
        mean, std = posterior.mean.float(), posterior.std.float()  # (N, C, h, w)
        z = mean if recipe.decoder_only else mean + std * batch["noise"]
        out = unfold(vae, vae.decode(z).sample.float())
        square = (out - hq).square()  # (N, 3, H, W)
        kl = kl_divergence(mean, std)
        loss = (square + 1e-6).sqrt().mean() + recipe.mse * square.mean()
        loss = loss + recipe.spectrum * spectral_l1(out, hq) + recipe.kl * kl
        if self.features is not None:
            encoder = self.features.to(hq.device)
            with torch.no_grad():
                true = encoder(hq)
            loss = loss + recipe.features * feature_distance(encoder(out), true)
        psnr = -10 * (square.detach().mean((1, 2, 3)) + 1e-6).log10().mean()
        return loss, {"psnr": float(psnr), "kl": float(kl.detach())}

    def validate(self, model: nn.Module, path: Path) -> dict[str, float]:
        """Validates: crops of held-out photos beside their reconstructions; their PSNR, dB."""
        vae = cast(AutoencoderKL, model)
        pictures: list[Tensor] = []
        psnr = 0.0
        for i in range(_GRID_SAMPLES):
            hq = self.sample("validation", i)["hq"]
            with torch.no_grad():
                out = decode(vae, encode(vae, hq[None].to(vae.device)))[0]
            out = out.float().clamp(0, 1).cpu()  # (3, S, S)
            psnr -= 10 * math.log10(float((out - hq).square().mean()) + 1e-6) / _GRID_SAMPLES
            pictures += [hq, out]
        write_sample_grid(path, [pictures[i : i + 8] for i in range(0, len(pictures), 8)])
        return {"shown_psnr": psnr}

    def export(self, model: nn.Module, folder: Path) -> None:
        """Writes the autoencoder in diffusers' layout, in fp16, with the scale of its latents."""
        vae = cast(AutoencoderKL, model)
        scale = self.scale
        if scale is None:
            hq = torch.stack(
                [self.sample("validation", i)["hq"] for i in range(_VALIDATION_SAMPLES)]
            )
            scale = 1 / latents_std(vae, hq.to(vae.device))
        cast(Any, vae).register_to_config(scaling_factor=scale)
        save_part(folder, vae)

    def load(self, path: Path) -> nn.Module:
        """The autoencoder of a diffusers folder, to start from."""
        vae = load_part(path, AutoencoderKL)
        if self.recipe.decoder_only:
            self.scale = float(cast(Any, vae).config.scaling_factor)
        return vae
