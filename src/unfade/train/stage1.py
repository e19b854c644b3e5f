"""Training the first stage: damaged, grainy, blurred photos -> mended ones of the same tone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unfade.data.pairs import old_photo_pair
from unfade.data.sources import CleanPhoto
from unfade.degrade.strokes import field
from unfade.models.stage1 import Stage1Net, push_pull
from unfade.models.tensors import from_array
from unfade.rng import generator
from unfade.train.loop import Batch
from unfade.train.options import Stage1Recipe
from unfade.train.sheets import write_sheet

_SHOWN = 24
_HELD_OUT = 1 << 40


def imperfect(mask: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """A mask as a detector gives it: grown, with misses, with parts that are no damage.

    Args:
        mask: (H, W) in {0, 1}.
    """
    h, w = mask.shape
    size = int(rng.choice([3, 5, 7], p=[0.6, 0.3, 0.1]))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    out = np.asarray(cv2.dilate(mask, kernel), np.float32)
    roll = rng.random()
    if roll < 0.08:
        return np.zeros_like(out)
    if roll < 0.45:
        out = out * (field(rng, h, w, 24) > rng.uniform(-2.0, -0.6))
    if rng.random() < 0.15:
        false = np.abs(field(rng, h, w, rng.uniform(10, 40))) < rng.uniform(0.01, 0.06)
        false = false & (field(rng, h, w, 60) > 0.7)
        out = np.maximum(out, np.asarray(cv2.dilate(false.astype(np.float32), kernel)))
    return np.asarray(out, np.float32)


def mending_loss(out: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Logarithm of each photo's Charbonnier error, plus an L1 on the Fourier coefficients.

    The logarithm gives a faint grain and a wide hole the same say, as a mean of PSNR does (the
    PSNR loss of HINet, arXiv 2105.06086, 3.3, with another norm); what is in the mask weighs
    three times as much. The frequency term keeps the network from settling on a blur
    (MIMO-UNet, arXiv 2108.05054, Eq. 6).

    Args:
        out, target: (N, 3, H, W); mask: (N, 1, H, W).
    """
    error = ((out - target).square() + 1e-6).sqrt() * (1 + 2 * mask)  # (N, 3, H, W)
    pixel = (error.mean((1, 2, 3)) + 4e-3).log().mean()
    spectrum: Tensor = cast(Any, torch.fft).rfft2(out - target, norm="ortho")  # (N, 3, H, W/2 + 1)
    return 0.05 * pixel + 0.05 * (spectrum.real.abs() + spectrum.imag.abs()).mean()


class Stage1Task:
    """Pairs of `degrade.old_photo`; the target keeps the tone, which is another stage's work."""

    def __init__(self, recipe: Stage1Recipe, photos: Sequence[CleanPhoto]) -> None:
        self.recipe, self.photos = recipe, photos

    def build(self) -> nn.Module:
        """The untrained network."""
        return Stage1Net(self.recipe.model)

    def sample(self, number: int) -> Batch:
        """The lq and hq (3, H, W), mask (1, H, W)."""
        seed = self.recipe.loop.seed
        pair = old_photo_pair(self.photos, seed, number, self.recipe.pairs)
        mask = imperfect(pair.mask, generator(seed, "imperfect", number))
        return {
            "lq": from_array(pair.lq).permute(2, 0, 1).contiguous(),
            "hq": from_array(pair.toned).permute(2, 0, 1).contiguous(),
            "mask": from_array(mask)[None],
        }

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """`mending_loss` and the gain in PSNR over the fill that the network starts from, dB."""
        out = model(batch["lq"], batch["mask"]).float()
        loss = mending_loss(out, batch["hq"], batch["mask"])
        after = _psnr(out.detach(), batch["hq"])
        gain = after - _psnr(push_pull(batch["lq"], batch["mask"]), batch["hq"])
        return loss, {"gain_db": float(gain.mean()), "psnr": float(after.mean())}

    def show(self, model: nn.Module, path: Path) -> dict[str, float]:
        """Input, mask, output, target; the gain over the fill on these."""
        rows: list[list[Tensor]] = []
        gains: list[Tensor] = []
        for i in range(_SHOWN):
            s = self.sample(_HELD_OUT + i)
            lq, mask, hq = s["lq"][None], s["mask"][None], s["hq"][None]
            with torch.no_grad():
                out = model(lq, mask)
            gains.append(_psnr(out, hq) - _psnr(push_pull(lq, mask), hq))
            row = [s["lq"], s["mask"], out[0].clamp(0, 1), s["hq"]]
            if i % 2:
                rows[-1] += row
            else:
                rows.append(row)
        write_sheet(path, rows)
        return {"shown_gain_db": float(torch.cat(gains).mean())}


def _psnr(image: Tensor, target: Tensor) -> Tensor:
    """(N, 3, H, W) -> (N,), dB, at most 50: a clean photo must not outweigh the others."""
    return -10 * ((image.clamp(0, 1) - target).square().mean((1, 2, 3)) + 1e-5).log10()
