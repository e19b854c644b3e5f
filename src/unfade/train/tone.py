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
from unfade.degrade.tone import any_levels, draw_tone
from unfade.degrade.types import Image
from unfade.models.tensors import from_array
from unfade.models.tone import THUMBNAIL, Levels, ToneNet
from unfade.rng import generator
from unfade.train.options import ToneRecipe
from unfade.train.sample_grid import write_sample_grid
from unfade.train.task import Batch, Split, random_index

_PALE = 0.08  # share of the photos that look most faded though they are not
_GRAY = 0.01  # mean range of the channels up to which a photo is gray
#: A correction helps where it leaves less than this share of the square error; errors that small
#: cannot be seen.
_CLEARLY, _SLIGHT = 0.8, 1e-4


class ToneTask:
    """Learns the levels that restore the tone of faded thumbnails."""

    def __init__(self, recipe: ToneRecipe, photos: Sequence[CleanPhoto]) -> None:
        self.recipe = recipe
        self.thumbs = [_thumbnail(photo.decode(), 88) for photo in photos]
        self.pale = pale_photos(self.thumbs)

    def build(self) -> nn.Module:
        """The untrained estimator."""
        return ToneNet(self.recipe.model)

    def sample(self, split: Split, index: int) -> Batch:
        """The lq and hq (3, 64, 64), mono () and faded () in {0, 1}."""
        position = random_index(split, index)
        rng = generator(self.recipe.loop.seed, "tone", position)
        photo = photo_index(self.recipe.loop.seed, position, len(self.thumbs))
        clean = rng.random() < self.recipe.clean
        if clean and rng.random() < 0.5:  # fog, dusk and tinted light have not faded
            photo = self.pale[int(rng.integers(len(self.pale)))]
        big = self.thumbs[photo]
        side = int(rng.integers(THUMBNAIL, 89))
        y, x = rng.integers(0, 89 - side, 2)
        hq = _thumbnail(big[y : y + side, x : x + side], THUMBNAIL)
        if rng.random() < 0.5:
            hq = np.ascontiguousarray(hq[:, ::-1])
        lq, mono = hq, bool(np.ptp(hq, axis=2).mean() < _GRAY)
        if not clean:
            lq, became_gray = _faded(lq, rng)
            mono = mono or became_gray
        if mono:
            hq = np.repeat(luma(hq)[..., None], 3, 2)
        lq = gaussian_noise(lq, float(rng.uniform(0, 0.008)), False, rng)
        return {
            "lq": from_array(lq).permute(2, 0, 1).contiguous(),
            "hq": from_array(hq).permute(2, 0, 1).contiguous(),
            "mono": torch.tensor(float(mono)),
        }

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """Root mean square error of each photo, plus the cross-entropy of the gate."""
        lq = batch["lq"]
        with torch.autocast(lq.device.type, enabled=False):  # levels need more than eight bits
            levels, logit = model(lq)
        out = _colour(levels, batch["mono"]).apply(lq)  # (N, 3, 64, 64)
        mse = (out - batch["hq"]).square().mean((1, 2, 3))  # (N,)
        before = (lq - batch["hq"]).square().mean((1, 2, 3))
        helps = (mse.detach() + _SLIGHT < _CLEARLY * (before + _SLIGHT)).float()  # (N,)
        gate = F.binary_cross_entropy_with_logits(logit, helps)
        gain = (before + 1e-4).log10() - (mse.detach() + 1e-4).log10()
        right = ((logit > 0) == (helps > 0)).float().mean()
        figures = {"gain_db": float(10 * gain.mean()), "gate": float(right)}
        return (mse + 1e-4).sqrt().mean() + 0.02 * gate, figures

    def validate(self, model: nn.Module, path: Path) -> dict[str, float]:
        """Validates: faded, corrected, clean."""
        device = next(model.parameters()).device
        rows: list[list[Tensor]] = []
        for i in range(24):
            s = self.sample("validation", i)
            with torch.no_grad():
                lq = s["lq"][None].to(device)  # (1, 3, 64, 64)
                levels, _ = model(lq)
                out = _colour(levels, s["mono"][None].to(device)).apply(lq)[0].cpu()
            row = [s["lq"], out, s["hq"]]
            if i % 4:
                rows[-1] += row
            else:
                rows.append(row)
        write_sample_grid(path, rows)
        return {}


def pale_photos(thumbs: Sequence[Image]) -> list[int]:
    """The indices of the photos that look most faded: least contrast, or strongest cast.

    Args:
        thumbs: (S, S, 3) each, in [0, 1].
    """
    contrast: list[float] = []
    tinted: list[float] = []
    for thumb in thumbs:
        y = luma(thumb)
        chroma = thumb - y[..., None]
        low, high = np.percentile(y, (3, 97))
        contrast.append(float(high - low))
        spread = float(chroma.std((0, 1)).max())
        tinted.append(float(np.abs(chroma.mean((0, 1))).max()) / (0.02 + spread))
    count = max(1, round(_PALE * len(thumbs)))
    flat = np.argsort(contrast, kind="stable")[:count]
    hued = np.argsort(tinted, kind="stable")[-count:]
    return sorted({int(i) for i in (*flat, *hued)})


def _faded(hq: Image, rng: np.random.Generator) -> tuple[Image, bool]:
    """Fades a thumbnail (64, 64, 3), sometimes unevenly; also returns whether it became gray."""
    lq, mono = hq, False
    named = rng.random() < 0.75
    for i in range(1 + int(rng.random() < 0.2)):
        change = draw_tone(rng, float(rng.uniform(0.3, 1.0))) if named or i else any_levels(rng)
        mono = mono or change.saturation == 0
        lq = change.apply(lq)
    if rng.random() < 0.25:
        lq = vignette(lq, rng, float(rng.uniform(-0.35, 0.6)))
    if rng.random() < 0.3:
        lq = _uneven(lq, rng)
    return lq, mono


def _uneven(image: Image, rng: np.random.Generator) -> Image:
    """Fades part of the photo more than the rest: towards one colour, by a smooth field."""
    h, w = image.shape[:2]
    coarse = rng.uniform(0, 1, (int(rng.integers(2, 5)),) * 2).astype(np.float32)
    field = cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC)[..., None].clip(0, 1)
    colour = (rng.uniform(0.1, 0.95) + rng.normal(0, 0.08, 3)).clip(0, 1).astype(np.float32)
    share = np.float32(rng.uniform(0.1, 0.5)) * field
    return np.asarray(image + share * (colour - image), np.float32)


def _thumbnail(image: Image, side: int) -> Image:
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def _colour(levels: Levels, mono: Tensor) -> Levels:
    saturation = levels.saturation.clamp(min=1.0) * (1 - mono[:, None])
    return Levels(levels.low, levels.high, levels.gamma, saturation)
