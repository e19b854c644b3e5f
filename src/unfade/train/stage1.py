"""Trains the first stage: repairs damage, grain and blur, and keeps the tone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unfade.data.pairs import check_size, large_photos, old_photo_pair
from unfade.data.sources import CleanPhoto
from unfade.degrade.stencils import Stencil
from unfade.degrade.strokes import field
from unfade.errors import UsageError
from unfade.masks import inpainting_hole
from unfade.models.checkpoint import load_model
from unfade.models.inference import fold_norms, inference
from unfade.models.presets import find_preset
from unfade.models.scratch import ScratchDetector
from unfade.models.stage1 import CELL, Stage1Net, push_pull
from unfade.models.tensors import from_array
from unfade.rng import generator
from unfade.train.losses import dissimilarity, spectral_l1
from unfade.train.options import Stage1Recipe
from unfade.train.sample_grid import write_sample_grid
from unfade.train.task import Batch, Split, random_index

_GRID_SAMPLES = 24
_FLOOR = 5e-5  # mean square error, 43 dB: what is better counts little


def imperfect(mask: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """An imperfect mask, as from a detector: dilated, with misses and false alarms.

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


def detected_hole(detector: ScratchDetector, lq: Tensor) -> NDArray[np.float32]:
    """The hole that restoring inpaints, from the detector's mask at its threshold.

    Args:
        lq: (3, H, W), H and W multiples of the detector's stride.
    """
    with inference(lq.device):
        p = detector(lq[None]).float().sigmoid()[0]  # (2, H, W)
    damage, lost = (np.rint(255 * x.numpy()).astype(np.uint8) for x in p)
    mask = np.maximum(damage, np.where(lost >= 128, lost, np.uint8(0)))
    return inpainting_hole(mask, detector.config.threshold, 1)


def _errors(out: Tensor, target: Tensor, damage: Tensor) -> tuple[Tensor, Tensor]:
    """Mean square errors of each photo, (N,) and (N,): undamaged and damaged pixels."""
    square = (out - target).square().mean(1, keepdim=True)  # (N, 1, H, W)

    def mean(weight: Tensor) -> Tensor:
        return (square * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp(min=1)

    return mean(1 - damage), mean(damage)


def repair_loss(out: Tensor, target: Tensor, damage: Tensor) -> Tensor:
    """Logarithms of each photo's mean square errors, plus an L1 on the Fourier coefficients.

    The logarithm gives a faint grain and a heavy one the same say (the PSNR loss of HINet, arXiv
    2105.06086, 3.3). Sound and damaged pixels have each their own: what nobody can know about a
    hole must not drown what can be learnt about the rest.

    Args:
        out, target: (N, 3, H, W); damage: (N, 1, H, W), 1 = damaged or erased.
    """
    sound, holes = _errors(out, target, damage)
    pixel = (sound + _FLOOR).log().mean() + 0.5 * (holes + 20 * _FLOOR).log().mean()
    return 0.05 * pixel + 0.05 * spectral_l1(out, target)


class Stage1Task:
    """Learns to repair photos aged by `degrade.old_photo`; the target keeps the changed tone.

    Raises:
        UsageError: crops that do not fit the network, or hard pairs, which only a detector has.
    """

    def __init__(
        self, recipe: Stage1Recipe, photos: Sequence[CleanPhoto], stencils: Sequence[Stencil] = ()
    ) -> None:
        check_size(recipe.pairs.size, max(2 ** len(recipe.model.widths), CELL))
        if recipe.pairs.hard > 0:
            fix = "set it to 0: hard pairs are places that a detector took for damage"
            raise UsageError(f"pairs.hard = {recipe.pairs.hard:g}", "0 for the first stage", fix)
        self.recipe, self.photos, self.stencils = recipe, photos, stencils
        self.large = large_photos(photos, recipe.pairs.size)
        self.detector: ScratchDetector | None = None
        if recipe.found > 0:
            weights = find_preset("compact").folder / "scratch.safetensors"
            self.detector = load_model(weights, ScratchDetector)
            check_size(recipe.pairs.size, self.detector.stride)
            fold_norms(self.detector)

    def build(self) -> nn.Module:
        """The untrained network; parts that are not trained require no gradient."""
        network = Stage1Net(self.recipe.model)
        network.net.requires_grad_(self.recipe.local)
        return network

    def sample(self, split: Split, index: int) -> Batch:
        """The lq and hq (3, H, W); mask, and damage = union of mask and true damage (1, H, W)."""
        seed, options = self.recipe.loop.seed, self.recipe.pairs
        position = random_index(split, index)
        pair = old_photo_pair(
            self.photos, seed, position, options, large=self.large, stencils=self.stencils
        )
        rng = generator(seed, "imperfect", position)
        lq = from_array(pair.lq).permute(2, 0, 1).contiguous()  # (3, S, S)
        if self.detector is not None and rng.random() < self.recipe.found:
            mask = detected_hole(self.detector, lq)
        else:
            mask = imperfect(pair.mask, rng)
        return {
            "lq": lq,
            "hq": from_array(pair.toned).permute(2, 0, 1).contiguous(),
            "mask": from_array(mask)[None],
            "damage": from_array(np.maximum(mask, pair.mask))[None],
        }

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """`repair_loss` and the gains over the fill that the network starts from, dB."""
        lq, hq, mask, damage = (batch[k] for k in ("lq", "hq", "mask", "damage"))
        out = model(lq, mask, local=self.recipe.local).float()
        before = _errors(push_pull(lq, mask), hq, damage)
        after = _errors(out.detach().clamp(0, 1), hq, damage)
        sound, holes = (_gain(x, y) for x, y in zip(before, after, strict=True))
        loss = repair_loss(out, hq, damage)
        if self.recipe.structure > 0:
            loss = loss + self.recipe.structure * dissimilarity(out, hq)
        return loss, {"sound_db": sound, "holes_db": holes}

    def validate(self, model: nn.Module, path: Path) -> dict[str, float]:
        """Validates: input, mask, output, target; the figure is the gain over the fill, dB."""
        device = next(model.parameters()).device
        rows: list[list[Tensor]] = []
        gains: list[float] = []
        for i in range(_GRID_SAMPLES):
            s = self.sample("validation", i)
            lq, mask, hq, damage = (s[k][None].to(device) for k in ("lq", "mask", "hq", "damage"))
            with torch.no_grad():
                out = model(lq, mask, local=self.recipe.local)
            before = _errors(push_pull(lq, mask), hq, damage)
            after = _errors(out.clamp(0, 1), hq, damage)
            gains.append(_gain(before[0], after[0]))
            row = [s["lq"], s["mask"], out[0].clamp(0, 1).cpu(), s["hq"]]
            if i % 2:
                rows[-1] += row
            else:
                rows.append(row)
        write_sample_grid(path, rows)
        return {"shown_sound_db": sum(gains) / len(gains)}


def _gain(before: Tensor, after: Tensor) -> float:
    """The mean gain in dB from mean square errors (N,) to others; above 45 dB little counts."""
    return float(10 * ((before + 3e-5) / (after + 3e-5)).log10().mean())
