"""Trains the prior: a text-conditioned latent UNet together with its text encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPTextModel

from unfade.data.captions import describe
from unfade.data.sources import CleanPhoto, hold_out
from unfade.data.windows import ViewOptions
from unfade.diffusion.condition import decode
from unfade.diffusion.predict import predict
from unfade.diffusion.schedule import Schedule, q_sample, target
from unfade.errors import UsageError
from unfade.models.compact import (
    Prediction,
    TextConfig,
    UnetConfig,
    build_scheduler,
    build_text_encoder,
    build_unet,
)
from unfade.models.folder import Base, load_base, save_base
from unfade.models.inference import mixed
from unfade.models.tensors import from_array
from unfade.rng import generator
from unfade.train.diffusion_sampling import sample_z0
from unfade.train.latents import LatentStore
from unfade.train.options import LoopOptions
from unfade.train.prompts import encode_tokens, learn_tokenizer, tokenize
from unfade.train.sample_grid import write_sample_grid
from unfade.train.sampler import validation_batch_size, validation_batches
from unfade.train.task import Batch, Split, WithoutNetworks, random_index

_GRID_SAMPLES = 8
_VALIDATION_SAMPLES = 48  # held-out windows that the loss is taken on
_STEPS = 20  # of a preview


@dataclass(frozen=True)
class PriorRecipe:
    """`unfade train prior`.

    Attributes:
        prediction: what the UNet learns to predict.
        null: share of samples with the null text, for guidance and for photos without a prompt.
        least: minimum count of a caption word; rarer words get no token.
        frozen_text: do not train the text encoder; it keeps its start weights.
    """

    loop: LoopOptions = field(default_factory=LoopOptions)
    views: ViewOptions = field(default_factory=ViewOptions)
    unet: UnetConfig = field(default_factory=UnetConfig)
    text: TextConfig = field(default_factory=TextConfig)
    prediction: Prediction = "v_prediction"
    null: float = 0.15
    least: int = 3
    frozen_text: bool = False


class PriorTask(WithoutNetworks):
    """Learns to predict the noise (Eq. 2), or v, of cached latents from their prompts.

    Args:
        vae: the trained autoencoder, on the device of the training.
        cache: folder for latents.
        progress: called with the number of photos whose latents are there.

    Raises:
        UsageError: networks that do not fit each other, or windows that do not fit the views.
    """

    _networks = ("vae",)

    def __init__(
        self,
        recipe: PriorRecipe,
        photos: Sequence[CleanPhoto],
        vae: AutoencoderKL,
        cache: Path,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        _check_widths(recipe, vae)
        self.recipe = recipe
        self.vae = vae
        train, held_out = hold_out(photos)
        self.store = LatentStore(cache, vae, train, recipe.views, progress=progress)
        self.held_out = LatentStore(cache, vae, held_out, recipe.views)
        self.tokenizer = learn_tokenizer(train, length=recipe.text.length, least=recipe.least)
        self.scheduler = build_scheduler(prediction=recipe.prediction)
        self.schedule = Schedule.from_scheduler(self.scheduler)

    def build(self) -> nn.Module:
        """The untrained UNet and text encoder."""
        text = build_text_encoder(self.recipe.text, len(self.tokenizer))
        text.requires_grad_(not self.recipe.frozen_text)
        return nn.ModuleDict({"unet": build_unet(self.recipe.unet), "text_encoder": text})

    def sample(self, split: Split, index: int) -> Batch:
        """The z0 and noise (C, h, w), t () and tokens (L,)."""
        seed = self.recipe.loop.seed
        store = self.held_out if split == "validation" else self.store
        window = store.window(seed, index)
        rng = generator(seed, "prior", random_index(split, index))
        z0 = store.latent(window)
        noise = from_array(rng.standard_normal(z0.shape, np.float32))
        t = torch.tensor(int(rng.integers(self.schedule.steps)))
        prompt = ""
        if rng.random() >= self.recipe.null:
            captions = store.photos[window.photo].captions
            prompt = describe(captions, store.colours(window), rng)
        tokens = tokenize(self.tokenizer, prompt, self.recipe.text.length)
        return {"z0": z0, "noise": noise, "t": t, "tokens": tokens}

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """Eq. 2, the mean square error of the predicted noise, or of v."""
        unet, text_encoder = _parts(model)
        z0, noise, t = batch["z0"], batch["noise"], batch["t"]
        zt = q_sample(self.schedule, z0, noise, t)
        text = encode_tokens(text_encoder, batch["tokens"])
        output = predict(unet, None, zt, t, text, None).float()
        return F.mse_loss(output, target(self.schedule, z0, noise, t)), {}

    def validate(self, model: nn.Module, path: Path) -> dict[str, float]:
        """Validates on held-out windows: originals above samples for their captions; the loss."""
        unet, text_encoder = _parts(model)
        loop, loss, rows = self.recipe.loop, 0.0, list[list[Tensor]]([[], []])
        vae = cast(AutoencoderKL, cast(Any, self.vae).to(unet.device))
        size = validation_batch_size(loop)
        with torch.no_grad(), mixed(unet.device, loop.precision):
            for batch in validation_batches(
                self, _VALIDATION_SAMPLES, validation_batch_size(loop), unet.device
            ):
                loss += len(batch["t"]) / _VALIDATION_SAMPLES * float(self.loss(model, batch)[0])
            for batch in validation_batches(self, _GRID_SAMPLES, size, unet.device):
                text = encode_tokens(text_encoder, batch["tokens"])
                noise = batch["noise"]
                sampled = sample_z0(self.schedule, unet, None, noise, text, None, steps=_STEPS)
                for row, z in zip(rows, (batch["z0"], sampled), strict=True):
                    row.extend(decode(vae, z).float().clamp(0, 1).cpu())
        write_sample_grid(path, rows)
        return {"shown_loss": loss}

    def export(self, model: nn.Module, folder: Path) -> None:
        """Writes a complete base model: autoencoder, UNet, text encoder, tokenizer, scheduler."""
        unet, text_encoder = _parts(model)
        save_base(folder, Base(self.vae, unet, text_encoder, self.tokenizer, self.scheduler))

    def load(self, path: Path) -> nn.Module:
        """UNet and text encoder of a base model, to start from."""
        base = load_base(path)
        return nn.ModuleDict({"unet": base.unet, "text_encoder": base.text_encoder})


def _check_widths(recipe: PriorRecipe, vae: AutoencoderKL) -> None:
    latents = int(cast(Any, vae).config.latent_channels)
    for name, width, expected in (
        ("unet.latent_channels", recipe.unet.latent_channels, latents),
        ("unet.text_width", recipe.unet.text_width, recipe.text.width),
    ):
        if width != expected:
            fix = "change it in the recipe"
            raise UsageError(f"{name} = {width}", f"{expected}, as the network before has it", fix)


def _parts(model: nn.Module) -> tuple[UNet2DConditionModel, CLIPTextModel]:
    both = cast(nn.ModuleDict, model)
    return (
        cast(UNet2DConditionModel, both["unet"]),
        cast(CLIPTextModel, both["text_encoder"]),
    )
