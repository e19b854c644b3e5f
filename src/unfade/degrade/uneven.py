"""Uneven fading: a part of the photo turned paler, darker or of another colour than the rest."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.degrade.types import Image, Mask, extent


def uneven_fading(image: Image, rng: np.random.Generator) -> Image:
    """(H, W, 3) in [0, 1] -> the same: moved towards a colour, or made lighter or darker.

    How much follows a smooth field of any kind: from side to side, from the edges inwards, in one
    or two places, behind the window of a mat, or without a rule.
    """
    h, w = extent(image)
    draw = (_slope, _edges, _patches, _window, _cloud)[
        int(rng.choice(5, p=[0.2, 0.25, 0.2, 0.1, 0.25]))
    ]
    share = np.float32(rng.uniform(0.08, 0.65)) * draw(h, w, rng)[..., None]
    if rng.random() < 0.3:  # light, or its lack, times what is there
        gain = np.float32(math.exp(rng.uniform(-0.9, 0.7))) * np.exp(rng.normal(0, 0.06, 3))
        out = image * (1 + share * (gain.astype(np.float32) - 1))
    else:
        tint = float(rng.choice([0.02, 0.08, 0.16]))
        colour = (rng.uniform(0.05, 1.0) + rng.normal(0, tint, 3)).clip(0, 1).astype(np.float32)
        out = image + share * (colour - image)
    return np.clip(np.asarray(out, np.float32), 0, 1)


def _positions(h: int, w: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows and columns as shares of the height and width, (H, W) each."""
    y, x = np.mgrid[:h, :w].astype(np.float32)
    return (y + 0.5) / h, (x + 0.5) / w


def _slope(h: int, w: int, rng: np.random.Generator) -> Mask:
    """From one side to the other."""
    y, x = _positions(h, w)
    angle = rng.uniform(0, 2 * math.pi)
    along = 0.5 + math.cos(angle) * (x - 0.5) + math.sin(angle) * (y - 0.5)
    return np.asarray(np.clip(along, 0, 1) ** rng.uniform(0.6, 2.5), np.float32)


def _edges(h: int, w: int, rng: np.random.Generator) -> Mask:
    """From some of the edges inwards, or from the middle outwards."""
    y, x = _positions(h, w)
    reach = rng.uniform(0.04, 0.35)
    sides = [side for side in (x, 1 - x, y, 1 - y) if rng.random() < 0.7]
    if not sides:
        return _slope(h, w, rng)
    near = np.maximum.reduce([np.exp(-side / (reach * rng.uniform(0.6, 1.6))) for side in sides])
    near = near * (0.6 + 0.4 * _cloud(h, w, rng))
    return np.asarray(1 - near if rng.random() < 0.15 else near, np.float32)


def _patches(h: int, w: int, rng: np.random.Generator) -> Mask:
    """Round in one to three places."""
    y, x = _positions(h, w)
    out = np.zeros((h, w), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        cy, cx = rng.uniform(-0.1, 1.1, 2)
        ry, rx = rng.uniform(0.1, 0.5, 2)
        d = np.hypot((y - cy) / ry, (x - cx) / rx)
        edge = rng.uniform(0.1, 1.0)
        out = np.maximum(out, 1 / (1 + np.exp(np.clip((d - 1) / (0.5 * edge), -30, 30))))
    return np.asarray(out, np.float32)


def _window(h: int, w: int, rng: np.random.Generator) -> Mask:
    """Inside or outside of a rectangle with a soft edge, as a mat or a neighbour in an album."""
    y, x = _positions(h, w)
    low, high = rng.uniform(-0.3, 0.4, 2), rng.uniform(0.6, 1.3, 2)
    inside = np.minimum.reduce([y - low[0], high[0] - y, x - low[1], high[1] - x])
    soft = 1 / (1 + np.exp(np.clip(-inside / rng.uniform(0.01, 0.08), -30, 30)))
    return np.asarray(1 - soft if rng.random() < 0.5 else soft, np.float32)


def _cloud(h: int, w: int, rng: np.random.Generator) -> Mask:
    """A smooth field without a rule."""
    coarse = rng.uniform(0, 1, (int(rng.integers(2, 6)), int(rng.integers(2, 6)))).astype(
        np.float32
    )
    smooth = cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, np.float32).clip(0, 1)
