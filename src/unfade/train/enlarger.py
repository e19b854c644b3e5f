"""Trains the first stage of super-resolution, which enlarges photos 4 times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from unfade.data.enlarging import SmallOptions, small_pair
from unfade.data.pairs import check_size, large_photos
from unfade.data.sources import CleanPhoto
from unfade.models.enlarger import SCALE, Enlarger, bicubic
from unfade.models.stage1 import CELL
from unfade.models.tensors import from_array
from unfade.train.losses import dissimilarity, spectral_l1
from unfade.train.options import EnlargerRecipe
from unfade.train.sample_grid import write_sample_grid
from unfade.train.task import Batch, Split, random_index

_GRID_SAMPLES = 24
_FLOOR = 5e-5  # mean square error, 43 dB: what is better counts little


def _error(out: Tensor, target: Tensor) -> Tensor:
    """Mean square errors of each photo, (N,)."""
    return (out - target).square().mean((1, 2, 3))


def enlarging_loss(out: Tensor, target: Tensor) -> Tensor:
    """The logarithm of each photo's mean square error, plus an L1 on the Fourier coefficients.

    As for the first stage (`train.stage1.repair_loss`): easy photos and hard ones have the same
    say (the PSNR loss of HINet, arXiv 2105.06086, 3.3).

    Args:
        out, target: (N, 3, H, W).
    """
    pixel = (_error(out, target) + _FLOOR).log().mean()
    return 0.05 * pixel + 0.05 * spectral_l1(out, target)


def batch_pair(
    photos: Sequence[CleanPhoto], large: Sequence[int], seed: int, options: SmallOptions,
    split: Split, index: int,
) -> Batch:  # fmt: skip
    """A pair of `data.enlarging`: the lq (3, S / 4, S / 4) and hq (3, S, S)."""
    lq, hq = small_pair(photos, seed, random_index(split, index), options, SCALE, large)
    return {
        "lq": from_array(lq).permute(2, 0, 1).contiguous(),
        "hq": from_array(hq).permute(2, 0, 1).contiguous(),
    }


class EnlargerTask:
    """Pairs of `data.enlarging`. UsageError if crops do not fit the network."""

    def __init__(self, recipe: EnlargerRecipe, photos: Sequence[CleanPhoto]) -> None:
        check_size(recipe.pairs.size, SCALE * CELL)
        self.recipe, self.photos = recipe, photos
        self.large = large_photos(photos, recipe.pairs.size)

    def build(self) -> nn.Module:
        """The untrained network."""
        return Enlarger(self.recipe.model)

    def sample(self, split: Split, index: int) -> Batch:
        """The lq (3, S / 4, S / 4) and hq (3, S, S)."""
        recipe = self.recipe
        return batch_pair(self.photos, self.large, recipe.loop.seed, recipe.pairs, split, index)

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """`enlarging_loss` with its share of 1 - SSIM; the gain over bicubic interpolation, dB."""
        lq, hq = batch["lq"], batch["hq"]
        out = model(lq).float()
        loss = enlarging_loss(out, hq)
        if self.recipe.structure > 0:
            loss = loss + self.recipe.structure * dissimilarity(out, hq)
        return loss, {"gain_db": _gain(lq, out.detach(), hq)}

    def validate(self, model: nn.Module, path: Path) -> dict[str, float]:
        """Validates: bicubic, output, target; the figure is the gain over bicubic, dB."""
        samples = [self.sample("validation", i) for i in range(_GRID_SAMPLES)]
        device = next(model.parameters()).device
        lq, hq = (torch.stack([s[k] for s in samples]).to(device) for k in ("lq", "hq"))
        with torch.no_grad():
            out = model(lq).float()
        pictures = [x.clamp(0, 1).cpu() for x in (bicubic(lq), out, hq)]  # (N, 3, S, S) each
        rows = [[p[i + k] for k in range(2) for p in pictures] for i in range(0, _GRID_SAMPLES, 2)]
        write_sample_grid(path, rows)
        return {"shown_db": _gain(lq, out, hq)}


def _gain(lq: Tensor, out: Tensor, hq: Tensor) -> float:
    """The mean gain over bicubic interpolation in dB; above 43 dB little counts."""
    before, after = (_error(x.clamp(0, 1), hq) + _FLOOR for x in (bicubic(lq), out))
    return float(10 * (before / after).log10().mean())
