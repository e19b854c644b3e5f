"""Which part of the damage can still be seen, judged against an undamaged twin."""

from __future__ import annotations

import cv2
import numpy as np

from unfade.degrade.deterioration_process import LUMA
from unfade.degrade.deterioration_shapes import blurred
from unfade.degrade.types import Image, Mask

# A stain filters the picture; up to this change the picture below is still good.
FLOORS = {"stains": 0.085}
FLOOR = 0.03


def difference(lq: Image, twin: Image) -> Mask:
    """(h, w) how far two photos are apart: lightness, and colour at half weight."""
    delta = lq - twin
    light = delta @ LUMA
    colour = delta - light[..., None]
    return np.sqrt(light**2 + 0.25 * np.square(colour).mean(axis=2)).astype(np.float32)


def clutter(twin: Image, scale: float) -> Mask:
    """(h, w) deviation of noise and texture finer than a few `scale`, about every pixel."""
    light = np.asarray(twin @ LUMA, np.float32)
    band = blurred(light, 0.5 * scale) - blurred(light, 3 * scale)
    return np.sqrt(blurred(band * band, 4 * scale)).astype(np.float32)


def visible(change: Mask, twin: Image, cover: Mask, unit: float, kind: str) -> Mask:
    """{0, 1} (h, w): where one kind of damage is seen.

    A pixel counts when its change, averaged over the damage around it, stands out from the
    noise and texture of the same size (for wider averages a smaller share is enough, as a soft
    but large change is seen), when that change is above a floor, and when the pixel itself has
    a good part of it, so that a blurred line's tails do not count.

    Args:
        change: (h, w), how far the photo is from its twin there; see `difference`.
        twin: (h, w, 3), the same history without structured damage.
        cover: (h, w) in [0, 1], where the damage was put.
        unit: pixels for 1/256 of the short side.
        kind: the name of the damage; stains have a higher floor.
    """
    floor = FLOORS.get(kind, FLOOR)
    reach = max(1, round(0.6 * unit))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    spread = np.asarray(cv2.dilate((cover > 0.12).astype(np.float32), kernel), np.float32)
    local = blurred(change, 0.35 * unit)
    stands = np.zeros(change.shape, bool)
    for scale, share in ((0.6, 1.1), (1.8, 0.6), (5.0, 0.35)):
        sigma = max(0.6, scale * unit)
        weight = blurred(spread, sigma)
        energy = np.sqrt(blurred(change * change * spread, sigma) / np.maximum(weight, 1e-3))
        limit = np.maximum(floor, share * clutter(twin, max(0.6, 0.6 * unit)))
        stands |= (energy > limit) & (weight > 0.02)
    wide = np.ones((2 * reach + 3, 2 * reach + 3), np.uint8)
    peak = np.asarray(cv2.dilate(local * spread, wide), np.float32)
    own = (local > 0.4 * peak) & (local > 0.6 * floor)
    seen = (stands & own & (spread > 0)).astype(np.uint8)
    return _tidy(seen, unit).astype(np.float32)


def _tidy(seen: Mask | np.ndarray, unit: float) -> np.ndarray:
    """Drops lone pixels and closes gaps of a pixel."""
    closed = cv2.morphologyEx(seen, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    if count <= 1:
        return np.asarray(closed)
    kept = stats[:, cv2.CC_STAT_AREA] >= max(2.0, 0.8 * unit * unit)
    kept[0] = False
    return kept[labels]
