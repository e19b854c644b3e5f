"""Mixtures of damages that no recipe for training draws: they test what a network never saw.

No training recipe has blur by motion, single wrong pixels, stripes, or few levels of tone.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from unfade.degrade import kernels
from unfade.degrade.types import Degraded, Image, Params, extent

_SIDE = 256  # pixels of the short side that lengths are given for


def _motion_kernel(length: float, angle: float) -> kernels.Kernel:
    """A line of `length` pixels at `angle` radians, antialiased, of sum one."""
    size = 2 * math.ceil(length / 2) + 3
    middle, shift = size // 2, 4  # in sixteenths of a pixel
    dx, dy = (0.5 * length * f(angle) for f in (math.cos, math.sin))
    ends = [
        (round((middle + sign * dx) * 2**shift), round((middle + sign * dy) * 2**shift))
        for sign in (-1, 1)
    ]
    line = np.zeros((size, size), np.uint8)
    cv2.line(line, ends[0], ends[1], 255, 1, cv2.LINE_AA, shift)
    return np.asarray(line / line.sum(), np.float32)


def motion_impulse(hq: Image, rng: np.random.Generator) -> Degraded:
    """Blur along a straight line, then pixels that are black or white (salt and pepper)."""
    height, width = extent(hq)
    length = float(rng.uniform(3, 9)) * min(height, width) / _SIDE
    angle, share = float(rng.uniform(0, math.pi)), float(rng.uniform(0.005, 0.03))
    image = kernels.apply(hq, _motion_kernel(length, angle))
    roll = rng.random((height, width, 1))
    image = np.where(roll < share, np.asarray(roll < share / 2, np.float32), image)
    motion: Params = {"op": "motion", "length": length, "angle": angle}
    return _pair(hq, image, [motion, {"op": "impulse", "share": share}])


def stripes_levels(hq: Image, rng: np.random.Generator) -> Degraded:
    """Rows of wrong brightness, as of a worn scanner, then few levels of tone in each channel."""
    height, _ = extent(hq)
    sigma, levels = float(rng.uniform(0.02, 0.06)), int(rng.integers(8, 17))
    rows = rng.standard_normal((height, 1, 1)).astype(np.float32)
    image = np.clip(hq + np.float32(sigma) * rows, 0, 1)
    image = np.asarray(np.round(image * (levels - 1)) / (levels - 1), np.float32)
    stripes: Params = {"op": "stripes", "sigma": sigma}
    return _pair(hq, image, [stripes, {"op": "levels", "count": levels}])


def _pair(hq: Image, image: Image, params: list[Params]) -> Degraded:
    empty = np.zeros(extent(hq), np.float32)
    return Degraded(np.clip(image, 0, 1), hq, hq, empty, empty, params)


#: name -> the mixture.
UNSEEN: dict[str, Callable[[Image, np.random.Generator], Degraded]] = {
    "motion+impulse": motion_impulse,
    "stripes+levels": stripes_levels,
}
