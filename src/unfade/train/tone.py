"""Training the tone estimator on thumbnails."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unfade.data.pairs import photo_index
from unfade.data.sources import CleanPhoto
from unfade.degrade.damage import vignette
from unfade.degrade.ops import gaussian_noise, luma
from unfade.degrade.tone import draw_tone
from unfade.degrade.types import Image
from unfade.models.tensors import from_array
from unfade.models.tone import THUMBNAIL, Levels, ToneNet
from unfade.rng import generator
from unfade.train.feed import HELD_OUT
from unfade.train.loop import Batch
from unfade.train.options import ToneRecipe
from unfade.train.sheets import write_sheet

_VISIBLE = 0.012  # mean absolute change from which a photo counts as faded


class ToneTask:
    """Faded thumbnails -> the levels that bring the clean ones back."""

    def __init__(self, recipe: ToneRecipe, photos: Sequence[CleanPhoto]) -> None:
        self.recipe = recipe
        self.thumbs = [_thumbnail(photo.decode(), 88) for photo in photos]

    def build(self) -> nn.Module:
        """The untrained estimator."""
        return ToneNet(self.recipe.model)

    def sample(self, number: int) -> Batch:
        """The lq and hq (3, 64, 64), mono () and faded () in {0, 1}."""
        rng = generator(self.recipe.loop.seed, "tone", number)
        big = self.thumbs[photo_index(self.recipe.loop.seed, number, len(self.thumbs))]
        side = int(rng.integers(THUMBNAIL, 89))
        y, x = rng.integers(0, 89 - side, 2)
        hq = _thumbnail(big[y : y + side, x : x + side], THUMBNAIL)
        if rng.random() < 0.5:
            hq = np.ascontiguousarray(hq[:, ::-1])
        lq, mono = hq, False
        if rng.random() >= self.recipe.clean:
            amount = float(rng.choice([0.4, 0.8, 1.0], p=[0.2, 0.6, 0.2]))
            change = draw_tone(rng, amount)
            mono = change.saturation == 0
            lq = change.apply(hq)
            if rng.random() < 0.2:
                lq = vignette(lq, rng, float(rng.uniform(-0.35, 0.6) * amount))
        if mono:
            hq = np.repeat(luma(hq)[..., None], 3, 2)
        lq = gaussian_noise(lq, float(rng.uniform(0, 0.008)), False, rng)
        faded = float(np.abs(lq - hq).mean() > _VISIBLE)
        return {
            "lq": from_array(lq).permute(2, 0, 1).contiguous(),
            "hq": from_array(hq).permute(2, 0, 1).contiguous(),
            "mono": torch.tensor(float(mono)),
            "faded": torch.tensor(faded),
        }

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """Root mean square error of each photo, plus the cross-entropy of the gate."""
        lq = batch["lq"]
        with torch.autocast(lq.device.type, enabled=False):  # levels need more than eight bits
            levels, logit = model(lq)
        out = _colour(levels, batch["mono"]).apply(lq)  # (N, 3, 64, 64)
        mse = (out - batch["hq"]).square().mean((1, 2, 3))  # (N,)
        before = (lq - batch["hq"]).square().mean((1, 2, 3))
        gate = F.binary_cross_entropy_with_logits(logit, batch["faded"])
        gain = (before + 1e-4).log10() - (mse.detach() + 1e-4).log10()
        right = ((logit > 0) == (batch["faded"] > 0)).float().mean()
        figures = {"gain_db": float(10 * gain.mean()), "gate": float(right)}
        return (mse + 1e-4).sqrt().mean() + 0.02 * gate, figures

    def show(self, model: nn.Module, path: Path) -> dict[str, float]:
        """Faded, corrected, clean."""
        device = next(model.parameters()).device
        rows: list[list[Tensor]] = []
        for i in range(24):
            s = self.sample(HELD_OUT + i)
            with torch.no_grad():
                lq = s["lq"][None].to(device)  # (1, 3, 64, 64)
                levels, _ = model(lq)
                out = _colour(levels, s["mono"][None].to(device)).apply(lq)[0].cpu()
            row = [s["lq"], out, s["hq"]]
            if i % 4:
                rows[-1] += row
            else:
                rows.append(row)
        write_sheet(path, rows)
        return {}


def _thumbnail(image: Image, side: int) -> Image:
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def _colour(levels: Levels, mono: Tensor) -> Levels:
    saturation = levels.saturation.clamp(min=1.0) * (1 - mono[:, None])
    return Levels(levels.low, levels.high, levels.gamma, saturation)
