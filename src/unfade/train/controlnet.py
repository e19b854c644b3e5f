"""Trains a ControlNet on a frozen base model, with IIDE's swap of the condition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from torch import Tensor, nn
from torch.nn import functional as F

from unfade.data.restoration import RestorationOptions
from unfade.data.sources import CleanPhoto
from unfade.data.windows import ViewOptions
from unfade.diffusion.condition import ConditionKind
from unfade.diffusion.predict import predict
from unfade.diffusion.schedule import Schedule, q_sample, target
from unfade.errors import UsageError
from unfade.models.compact import CONDITION_WIDTHS, Space, build_controlnet
from unfade.models.folder import Base, load_controlnet, save_part
from unfade.models.inference import mixed
from unfade.models.tensors import from_array
from unfade.rng import generator
from unfade.train.diffusion_sampling import decode_each, sample_z0
from unfade.train.iide import Noised, swap_conditions
from unfade.train.options import LoopOptions
from unfade.train.restorations import Restorations
from unfade.train.sample_grid import mean_psnr, write_comparison_grid
from unfade.train.sampler import validation_batch_size, validation_batches
from unfade.train.task import Batch, Split, WithoutNetworks, random_index

_GRID_SAMPLES = 12
_VALIDATION_SAMPLES = 48  # held-out windows that the loss is taken on
_STEPS = 8  # of a preview


@dataclass(frozen=True)
class ControlnetRecipe:
    """`unfade train controlnet`.

    Attributes:
        space: input of the ControlNet, "pixel": the photo, or "latent": its latent.
        mask: whether it sees the scratch mask too.
        widths: of the condition's embedding in pixel space (`models.compact.build_controlnet`).
        block_widths, block_layers: channels and residual blocks at each level of the ControlNet
            (`models.scaled_controlnet`); none and 0 are the UNet's. At another size it starts from
            random weights, not as the UNet's encoder.
        p_iide: probability that a sample keeps its photo as the condition; otherwise its own
            estimate takes the place (arXiv 2505.18674, III-C). 1 is plain ControlNet training.
        late: share of the samples with a timestep from the noisiest tenth, in addition to uniform
            ones: it decides colours, and one-step prediction starts from it.
        early: share of the photos with colours that get a timestep from the two least noisy
            fifths instead: first-stage results are restored from there.
        draws: noises and timesteps for each degraded photo of a batch: degrading it and running
            the first stage can cost more than a pass of the networks.
    """

    loop: LoopOptions = field(default_factory=LoopOptions)
    views: ViewOptions = field(default_factory=ViewOptions)
    pairs: RestorationOptions = field(default_factory=RestorationOptions)
    space: Space = "pixel"
    mask: bool = True
    widths: list[int] = field(default_factory=lambda: list(CONDITION_WIDTHS))
    block_widths: list[int] = field(default_factory=list[int])
    block_layers: int = 0
    p_iide: float = 0.5
    late: float = 0.0
    early: float = 0.0
    draws: int = 1


class ControlnetTask(WithoutNetworks):
    """Learns to predict the noise of latents from degraded photos; only the ControlNet is trained.

    Args:
        base: the frozen base model, on the device of the training.
        cache: folder for latents.
        progress: called with the number of photos whose latents are there.

    Raises:
        UsageError: p_iide, late or early is no probability, there are no draws, the widths do not
            fit the autoencoder, or what `Restorations` refuses.
    """

    _networks = ("base",)

    def __init__(
        self, recipe: ControlnetRecipe, photos: Sequence[CleanPhoto], base: Base, cache: Path,
        *, progress: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        for name in ("p_iide", "late", "early"):
            share = float(getattr(recipe, name))
            if not 0 <= share <= 1:
                raise UsageError(f"{name} = {share}", "0 to 1", "try 0.5")
        if recipe.draws < 1:
            raise UsageError(f"draws = {recipe.draws}", "1 or more", "try 1")
        halvings = base.downscale.bit_length() - 1
        if recipe.space == "pixel" and len(recipe.widths) != halvings + 1:
            got, fix = f"widths = {recipe.widths}", "change them in the recipe"
            raise UsageError(got, f"{halvings + 1}: latents are {base.downscale} x smaller", fix)
        self.recipe = recipe
        self.schedule = Schedule.from_scheduler(base.scheduler)
        self.kind = ConditionKind(recipe.space, recipe.mask)
        self.pairs = Restorations(
            base, photos, cache, recipe.views, recipe.pairs, recipe.loop.seed, progress=progress
        )  # fmt: skip
        self.base = self.pairs.base
        if recipe.loop.checkpointing:
            cast(Any, base.unet).enable_gradient_checkpointing()

    def build(self) -> nn.Module:
        """A ControlNet with zero output; of the UNet's size, a copy of its encoder."""
        recipe = self.recipe
        return build_controlnet(
            self.base.unet, space=recipe.space, mask=recipe.mask, widths=recipe.widths,
            block_widths=recipe.block_widths, block_layers=recipe.block_layers,
        )  # fmt: skip

    def sample(self, split: Split, index: int) -> Batch:
        """A sample of `Restorations` with noise (C, h, w), timestep t () and swap () (bool).

        With more than one draw, these three have a dimension more in front.
        """
        sample = self.pairs.sample(split, index)
        position = random_index(split, index)
        drawn = [self._draw(position, i, sample) for i in range(self.recipe.draws)]
        if len(drawn) == 1:
            return sample | drawn[0]
        return sample | {key: torch.stack([draw[key] for draw in drawn]) for key in drawn[0]}

    def _draw(self, position: int, draw: int, sample: Batch) -> Batch:
        """Noise, timestep and swap of one draw."""

        def stream(name: str) -> np.random.Generator:
            return generator(self.recipe.loop.seed, f"{name} {draw}" if draw else name, position)

        rng = stream("noise")
        noise = from_array(rng.standard_normal(sample["z0"].shape, np.float32))
        t = int(rng.integers(self.schedule.steps))
        if not sample["gray"] and stream("early").random() < self.recipe.early:
            t = 2 * t // 5
        elif stream("late").random() < self.recipe.late:
            t = self.schedule.steps - 1 - t // 10
        swap = stream("swap").random() >= self.recipe.p_iide
        return {"noise": noise, "t": torch.tensor(t), "swap": torch.tensor(swap)}

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """Eq. 2 with IIDE's conditions; the figure is the share of swapped samples."""
        base, controlnet = self.pairs.to_device(batch["z0"].device), cast(ControlNetModel, model)
        z0, noise, t, swap = (batch[key] for key in ("z0", "noise", "t", "swap"))
        condition = self.pairs.condition(
            self.kind, self.pairs.first_stage_output(batch), batch["mask"]
        )
        text = self.pairs.text(batch)
        draws = self.recipe.draws
        if draws > 1:
            noise, t, swap = (x.flatten(0, 1) for x in (noise, t, swap))  # (N draws, ...)
            z0, text, condition = (x.repeat_interleave(draws, 0) for x in (z0, text, condition))
        zt = q_sample(self.schedule, z0, noise, t)
        noised = Noised(zt, t, text, condition)
        condition = swap_conditions(base, self.schedule, controlnet, self.kind, noised, swap)
        output = predict(base.unet, controlnet, zt, t, noised.text, condition).float()
        loss = F.mse_loss(output, target(self.schedule, z0, noise, t))
        return loss, {"swapped": float(swap.float().mean())}

    def validate(self, model: nn.Module, path: Path) -> dict[str, float]:
        """Validates on held-out photos; the figures are the loss and PSNR, dB."""
        controlnet, loop = cast(ControlNetModel, model), self.recipe.loop
        device, size = controlnet.device, validation_batch_size(loop)
        loss, rows = 0.0, list[tuple[Tensor, Tensor, Tensor]]()
        with torch.no_grad(), mixed(device, loop.precision):
            for batch in validation_batches(self, _VALIDATION_SAMPLES, size, device):
                kept = batch | {"swap": torch.zeros_like(batch["swap"])}
                loss += len(batch["t"]) / _VALIDATION_SAMPLES * float(self.loss(model, kept)[0])
            for batch in validation_batches(self, _GRID_SAMPLES, size, device):
                restored = self._restored(controlnet, batch)
                rows.append((batch["lq"].cpu(), restored.cpu(), batch["hq"].cpu()))
        lq, out, hq = (torch.cat(pictures) for pictures in zip(*rows, strict=True))
        write_comparison_grid(path, lq, out, hq)
        return {"shown_loss": loss, "shown_psnr": mean_psnr(out, hq)}

    def _restored(self, controlnet: ControlNetModel, batch: Batch) -> Tensor:
        """(N, 3, S, S), [0, 1]: degraded photos of a batch, restored from pure noise."""
        condition = self.pairs.condition(
            self.kind, self.pairs.first_stage_output(batch), batch["mask"]
        )
        noise = batch["noise"] if self.recipe.draws == 1 else batch["noise"][:, 0]
        latents = sample_z0(
            self.schedule, self.base.unet, controlnet, noise, self.pairs.text(batch), condition,
            steps=_STEPS,
        )  # fmt: skip
        return decode_each(self.base.vae, latents).float().clamp(0, 1)

    def export(self, model: nn.Module, folder: Path) -> None:
        """Writes the ControlNet in diffusers' layout, in fp16."""
        save_part(folder, cast(ControlNetModel, model))

    def load(self, path: Path) -> nn.Module:
        """A ControlNet in diffusers' layout, to start from."""
        return load_controlnet(path)
