"""Training the tone estimator on thumbnails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
from unfade.degrade.uneven import uneven_fading
from unfade.models.tensors import from_array
from unfade.models.tone import THUMBNAIL, Estimate, Levels, ToneNet, share_of
from unfade.models.tone_field import ToneField, cell_centres
from unfade.rng import generator
from unfade.train.options import ToneRecipe
from unfade.train.sample_grid import write_sample_grid
from unfade.train.task import Batch, Split, random_index

Figures = dict[str, float]
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
            lq, became_gray = _faded(lq, rng, self.recipe.uneven)
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
        """Root mean square error of each photo, plus the cross-entropy of whether it sank.

        The correction of uneven fading adds its square error, in which large errors count most,
        and the same cross-entropy. It corrects what is left after the even one.
        """
        lq, hq, coloured = batch["lq"], batch["hq"], 1 - batch["mono"]
        with torch.autocast(lq.device.type, enabled=False):  # levels need more than eight bits
            found: Estimate = model(lq, coloured)
            even = _colour(found.levels, coloured).apply(lq)  # (N, 3, 64, 64)
            mse, gate, figures = _gain(lq, even, hq, found.faded)
            loss = (mse + 1e-4).sqrt().mean() + 0.02 * gate
            if found.field is None or found.uneven is None or found.after is None:
                return loss, figures
            out = _undone(found.after, found.field)
            mse, gate, more = _gain(found.after, out, hq, found.uneven)
            uneven = 20 * mse.mean() + 0.02 * gate
        figures |= {"field_db": more["gain_db"], "field_gate": more["gate"]}
        return (loss + uneven if self.recipe.even else uneven), figures

    def validate(self, model: nn.Module, path: Path) -> dict[str, float]:
        """Validates: faded, corrected, clean."""
        device = next(model.parameters()).device
        config = self.recipe.model
        rows: list[list[Tensor]] = []
        for i in range(24):
            s = self.sample("validation", i)
            with torch.no_grad():
                lq = s["lq"][None].to(device)  # (1, 3, 64, 64)
                coloured = 1 - s["mono"][None].to(device)
                found: Estimate = model(lq, coloured)
                out = _colour(found.levels, coloured).apply(lq)
                if found.field is not None and found.uneven is not None and found.after is not None:
                    share = share_of(found.uneven, config.field_gate, config.field_full)
                    out = _undone(found.after, found.field.scaled(share))
            row = [s["lq"], out[0].cpu(), s["hq"]]
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


def _faded(hq: Image, rng: np.random.Generator, share: float) -> tuple[Image, bool]:
    """Fades a thumbnail (64, 64, 3); also returns whether it became gray.

    Args:
        share: probability that it is faded unevenly.
    """
    lq, mono = hq, False
    uneven = rng.random() < share
    named = rng.random() < 0.75
    steps = [uneven_fading] * (1 + int(rng.random() < 0.3)) if uneven else []
    even = 0 if uneven and rng.random() < 0.25 else 1 + int(rng.random() < 0.2)
    early = int(rng.integers(0, len(steps) + 1))
    for step in steps[:early]:
        lq = step(lq, rng)
    for i in range(even):
        change = draw_tone(rng, float(rng.uniform(0.3, 1.0))) if named or i else any_levels(rng)
        mono = mono or change.saturation == 0
        lq = change.apply(lq)
    for step in steps[early:]:
        lq = step(lq, rng)
    if rng.random() < 0.25:
        lq = vignette(lq, rng, float(rng.uniform(-0.35, 0.6)))
    return lq, mono


def _thumbnail(image: Image, side: int) -> Image:
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def _gain(
    before: Tensor, after: Tensor, hq: Tensor, logit: Tensor
) -> tuple[Tensor, Tensor, Figures]:
    """What a correction (N, 3, 64, 64) brings, and what a logit (N,) of it says.

    Returns:
        The mean square error of each photo (N,), the cross-entropy of whether it sank clearly, and
        figures for the log.
    """
    mse = (after - hq).square().mean((1, 2, 3))  # (N,)
    was = (before - hq).square().mean((1, 2, 3))
    helps = (mse.detach() + _SLIGHT < _CLEARLY * (was + _SLIGHT)).float()  # (N,)
    gate = F.binary_cross_entropy_with_logits(logit, helps)
    gain = (was + 1e-4).log10() - (mse.detach() + 1e-4).log10()
    right = ((logit > 0) == (helps > 0)).float().mean()
    return mse, gate, {"gain_db": float(10 * gain.mean()), "gate": float(right)}


def _undone(after: Tensor, field: ToneField) -> Tensor:
    """(N, 3, 64, 64) -> the same, corrected by a field."""
    where = cell_centres(THUMBNAIL).to(after)
    return field.apply(after, where, where)


def _colour(levels: Levels, coloured: Tensor) -> Levels:
    """Levels that never take colour from a photo that has some; coloured (N,) in {0, 1}."""
    full = replace(levels, saturation=levels.saturation.clamp(min=1.0))
    return full.coloured(coloured)
