"""Degrades clean crops for the tasks of the diffusion model."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from unfade.degrade.old_photo import old_photo
from unfade.degrade.ops import luma
from unfade.degrade.second_order import real_sr
from unfade.degrade.severity import HEAVY, LIGHT, MODERATE
from unfade.degrade.types import Image, Mask, extent
from unfade.errors import UsageError

_SEVERITIES = (LIGHT, MODERATE, HEAVY)


@dataclass(frozen=True)
class RestorationOptions:
    """Shares of the tasks, and their difficulty.

    One model learns all three, so a pair's target is always the clean photo in its colours.
    Without `fading` the tone stays: another stage corrects it before the diffusion model.

    Attributes:
        old_photo, colorize, super_resolution: shares of the pairs; they add up to 1.
        severities: chances of light, moderate and heavy damage.
        clean: share of the old photos without damage.
        aged: share of the photos to colourise that are aged as well.
        halved: share of super-resolution pairs at scale 2; the rest has scale 4.
        prompts: share of the samples with a caption, where the task has any; the rest has the
            null text.
        phrases: add phrases about the picture's colours to prompts. Without them, embedded
            captions are cached, which pays for a large text encoder.
        first_stage: apply the first stages to aged and small photos, as restoring does.
        fading: old photos fade and lose their colours too, as those of the published method do
            (arXiv 2505.18674, IV-A); the target keeps them.
    """

    old_photo: float = 0.4
    colorize: float = 0.3
    super_resolution: float = 0.3
    severities: tuple[float, float, float] = (0.25, 0.5, 0.25)
    clean: float = 0.1
    aged: float = 0.5
    halved: float = 0.3
    prompts: float = 0.5
    phrases: bool = True
    first_stage: bool = True
    fading: bool = False

    def check(self) -> None:
        """UsageError if shares do not add up to 1."""
        for name, total in (
            (
                "old_photo + colorize + super_resolution",
                self.old_photo + self.colorize + self.super_resolution,
            ),
            ("severities", sum(self.severities)),
        ):
            if not math.isclose(total, 1, abs_tol=1e-6):
                raise UsageError(f"{name} = {total:g}", "1", "change the shares in the recipe")


@dataclass(frozen=True)
class TaskInput:
    """The degraded input of one sample and its task.

    Attributes:
        lq: (H, W, 3) float32, sRGB [0, 1], of the size of the clean crop.
        mask: (H, W) float32 in {0, 1}, 1 = damaged.
        aged: whether the first stage restores it before the diffusion model.
        gray: whether the diffusion model sees only the luma of the first stage's result.
        prompted: whether it may come with a caption; super-resolution never does.
        small: (H / scale, W / scale, 3), the photo before bicubic enlargement to lq; None if
            nothing is to be enlarged.
    """

    lq: Image
    mask: Mask
    aged: bool
    prompted: bool
    gray: bool = False
    small: Image | None = None


def _aged(hq: Image, rng: np.random.Generator, options: RestorationOptions) -> tuple[Image, Mask]:
    severity = _SEVERITIES[int(rng.choice(3, p=np.array(options.severities)))]
    unit = float(np.exp(rng.uniform(math.log(0.6), math.log(3.0))))
    severity = severity if options.fading else replace(severity, fade=0.0)
    pair = old_photo(hq, rng, severity, unit=unit)
    return pair.lq, pair.mask


def _small(hq: Image, rng: np.random.Generator, options: RestorationOptions) -> TaskInput:
    """Downsamples by the second-order recipe and enlarges again by bicubic interpolation."""
    height, width = extent(hq)
    small = real_sr(hq, rng, 2 if rng.random() < options.halved else 4).lq
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    lq = np.clip(np.asarray(large, np.float32), 0, 1)
    empty = np.zeros((height, width), np.float32)
    return TaskInput(lq, empty, aged=False, prompted=False, small=np.asarray(small, np.float32))


def draw_task(hq: Image, rng: np.random.Generator, options: RestorationOptions) -> TaskInput:
    """Degrades one clean crop.

    Args:
        hq: (H, W, 3) float32, sRGB [0, 1], both sides at least 4 pixels.
    """
    empty = np.zeros(extent(hq), np.float32)
    roll = rng.random()
    if roll < options.super_resolution:
        return _small(hq, rng, options)
    if roll < options.super_resolution + options.colorize:
        gray = np.repeat(luma(hq)[..., None], 3, 2)
        if rng.random() >= options.aged:
            return TaskInput(gray, empty, aged=False, prompted=True, gray=True)
        lq, mask = _aged(gray, rng, options)
        lq = np.repeat(luma(lq)[..., None], 3, 2)
        return TaskInput(lq, mask, aged=True, prompted=True, gray=True)
    if rng.random() < options.clean:
        return TaskInput(hq, empty, aged=True, prompted=True)
    lq, mask = _aged(hq, rng, options)
    return TaskInput(lq, mask, aged=True, prompted=True)
