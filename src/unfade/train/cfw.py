"""Trains controllable feature wrapping (CFW) on latents that the diffusion model samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from torch import Tensor, nn

from unfade.data.restoration import RestorationOptions
from unfade.data.sources import CleanPhoto
from unfade.data.windows import ViewOptions
from unfade.diffusion.condition import ConditionKind
from unfade.diffusion.schedule import Schedule
from unfade.models.cfw import (
    Cfw,
    build_cfw,
    check_hidden,
    decode_fused,
    decoder_levels,
    encoder_features,
)
from unfade.models.folder import Base, check_fit, load_part, save_part
from unfade.models.inference import mixed
from unfade.models.tensors import from_array
from unfade.rng import generator
from unfade.train.diffusion_sampling import sample_z0
from unfade.train.losses import spectral_l1
from unfade.train.options import LoopOptions
from unfade.train.restorations import Restorations
from unfade.train.sample_grid import mean_psnr, write_comparison_grid
from unfade.train.sampler import validation_batch_size, validation_batches
from unfade.train.task import Batch, Split, WithoutNetworks, random_index

_GRID_SAMPLES = 12
_HIDDEN = 64


@dataclass(frozen=True)
class CfwRecipe:
    """`unfade train cfw`.

    Attributes:
        hidden: widths of the CFW from coarse to fine (`models.cfw.build_cfw`); none is 64 at each
            level that the autoencoder has.
        steps: of the diffusion that makes the latents to decode.
        spectrum: weight of the L1 between Fourier coefficients.
    """

    loop: LoopOptions = field(default_factory=LoopOptions)
    views: ViewOptions = field(default_factory=ViewOptions)
    pairs: RestorationOptions = field(default_factory=RestorationOptions)
    hidden: list[int] = field(default_factory=list[int])
    steps: int = 4
    spectrum: float = 0.05


class CfwTask(WithoutNetworks):
    """Learns to decode sampled latents into clean photos, with the degraded photo's features.

    The latents are sampled from pure noise with the trained ControlNet, as in restoring: a CFW
    trained on latents of clean photos would trust them too much. Only the CFW is trained
    (StableSR, arXiv 2305.07015, 3.3).

    Args:
        base, controlnet: the frozen diffusion model, on the device of the training.
        cache: folder for latents.
        progress: called with the number of photos whose latents are there.

    Raises:
        WeightsError: the ControlNet is for another base model.
        UsageError: widths that do not fit the autoencoder, or what `Restorations` refuses.
    """

    _networks = ("base", "controlnet")

    def __init__(
        self, recipe: CfwRecipe, photos: Sequence[CleanPhoto], base: Base,
        controlnet: ControlNetModel, cache: Path,
        *, progress: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        check_fit(base, controlnet)
        self.hidden = recipe.hidden or [_HIDDEN] * decoder_levels(base.vae)
        check_hidden(base.vae, self.hidden)
        self.recipe, self.controlnet = recipe, controlnet
        self.kind = ConditionKind.of(controlnet)
        self.schedule = Schedule.from_scheduler(base.scheduler)
        self.pairs = Restorations(
            base, photos, cache, recipe.views, recipe.pairs, recipe.loop.seed, progress=progress
        )
        self.base = self.pairs.base

    def build(self) -> nn.Module:
        """An untrained CFW, which does not change the decoder's output."""
        return build_cfw(self.base.vae, self.hidden)

    def sample(self, split: Split, index: int) -> Batch:
        """A sample of `Restorations` with the noise (C, h, w) that its restoration starts from."""
        sample = self.pairs.sample(split, index)
        rng = generator(self.recipe.loop.seed, "noise", random_index(split, index))
        noise = from_array(rng.standard_normal(sample["z0"].shape, np.float32))
        return sample | {"noise": noise}

    def restored(self, model: nn.Module, batch: Batch, fidelity: float) -> Tensor:
        """(N, 3, H, W), about [0, 1]: degraded photos, restored and decoded with the CFW."""
        device = batch["z0"].device
        base, controlnet = self.pairs.to_device(device), cast(nn.Module, self.controlnet).to(device)
        picture = self.pairs.first_stage_output(batch)  # (N, 3, H, W)
        condition = self.pairs.condition(self.kind, picture, batch["mask"])
        latents = sample_z0(
            self.schedule, base.unet, cast(ControlNetModel, controlnet), batch["noise"],
            self.pairs.text(batch), condition, steps=self.recipe.steps,
        )  # fmt: skip
        with torch.no_grad():
            features = encoder_features(base.vae, picture)
        return decode_fused(base.vae, cast(Cfw, model), latents, features, fidelity).float()

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """Charbonnier and spectral error at fidelity 1; PSNR of the batch, dB."""
        out = self.restored(model, batch, 1.0)
        loss = ((out - batch["hq"]).square() + 1e-6).sqrt().mean()
        loss = loss + self.recipe.spectrum * spectral_l1(out, batch["hq"])
        return loss, {"psnr": mean_psnr(out.detach(), batch["hq"])}

    def validate(self, model: nn.Module, path: Path) -> dict[str, float]:
        """Validates on held-out photos; the figures are PSNR at fidelity 1 and 0, dB."""
        device, loop = next(model.parameters()).device, self.recipe.loop
        rows: list[tuple[Tensor, ...]] = []
        with torch.no_grad(), mixed(device, loop.precision):
            for batch in validation_batches(
                self, _GRID_SAMPLES, validation_batch_size(loop), device
            ):
                both = (self.restored(model, batch, w).clamp(0, 1).cpu() for w in (0.0, 1.0))
                rows.append((batch["lq"].cpu(), *both, batch["hq"].cpu()))
        lq, plain, out, hq = (torch.cat(pictures) for pictures in zip(*rows, strict=True))
        write_comparison_grid(path, lq, out, hq)
        return {"shown_psnr": mean_psnr(out, hq), "shown_psnr_without": mean_psnr(plain, hq)}

    def export(self, model: nn.Module, folder: Path) -> None:
        """Writes the CFW in diffusers' layout, in fp16."""
        save_part(folder, cast(Cfw, model))

    def load(self, path: Path) -> nn.Module:
        """A CFW in diffusers' layout, to start from."""
        return load_part(path, Cfw)
