"""Which part of the damage can still be seen, judged against an undamaged twin."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.degrade.deterioration_process import LUMA
from unfade.degrade.deterioration_shapes import blurred
from unfade.degrade.types import Image, Mask

# A stain filters the picture; up to this change the picture below is still good.
FLOORS = {"stains": 0.085}
FLOOR = 0.04
# Coverage from which a pixel belongs to a piece of damage.
COVERED = 0.12
_RATIO = 1.5
# The eye follows a line through places where it is this much fainter.
_FAINT = 0.6
# In 1/256 of the short side.
_SCALES = (0.5, 1.4, 3.5)


def difference(delta: Image) -> Mask:
    """(h, w) size of an (h, w, 3) change: lightness, and colour at half weight."""
    light = delta @ LUMA
    total = light * light
    for channel in range(3):
        colour = delta[..., channel] - light
        total += colour * colour / 12
    return np.asarray(np.sqrt(total), np.float32)


def clutter(twin: Image, scale: float) -> Mask:
    """(h, w) deviation of noise and texture of about `scale` pixels, around every pixel."""
    light = np.asarray(twin @ LUMA, np.float32)
    band = blurred(light, 0.5 * scale) - blurred(light, 3 * scale)
    return np.sqrt(np.maximum(blurred(band * band, 4 * scale), 0)).astype(np.float32)


def backdrop(twin: Image, unit: float) -> list[tuple[float, Mask]]:
    """The scales in pixels at which damage is judged, finest first, with the clutter at each."""
    sigmas = [max(0.6, scale * unit) for scale in _SCALES]
    return [(sigma, clutter(twin, sigma)) for sigma in sigmas]


def visible(
    delta: Image, behind: list[tuple[float, Mask]], cover: Mask, unit: float, kind: str
) -> Mask:
    """{0, 1} (h, w): where one kind of damage is seen.

    The change is averaged, with its sign, over the damage around each pixel at three scales.
    It is seen where at one of them the average is above a floor and above `_RATIO` times what
    noise and texture do to such an average: their deviation at that scale, or their fine
    deviation over the root of the number of independent spots averaged, whichever is more. So
    a soft change of large extent counts, a long line in noise counts, and lone noisy pixels or
    fine damage in foliage do not. Fainter stretches count where a good part of the connected
    piece is seen. Of what is seen, a pixel is kept that has about half of the
    largest change nearby, so that a blurred line's tails are left out.

    Args:
        delta: (h, w, 3), the photo less its twin.
        behind: what `backdrop` says of the twin, the same history without structured damage.
        cover: (h, w) in [0, 1], where the damage was put.
        unit: pixels for 1/256 of the short side.
        kind: the name of the damage; stains have a higher floor.
    """
    floor = FLOORS.get(kind, FLOOR)
    reach = max(1, round(0.6 * unit))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    spread = np.asarray(cv2.dilate((cover > COVERED).astype(np.float32), kernel), np.float32)
    inside = delta * spread[..., None]
    grain, fine = behind[0]
    stands = np.zeros(cover.shape, bool)
    faint = np.zeros(cover.shape, bool)
    for sigma, texture in behind:
        weight = np.maximum(blurred(spread, sigma), 1e-3)
        level = difference(np.asarray(blurred(inside, sigma) / weight[..., None], np.float32))
        spots = np.maximum(weight * (sigma / grain) ** 2, 1.0)
        noise = np.maximum(fine / np.sqrt(spots), texture)
        limit = np.maximum(floor, _RATIO * noise)
        stands |= level > limit
        faint |= level > _FAINT * limit
    local = difference(blurred(inside, 0.25 * unit))
    wide = np.ones((2 * reach + 3, 2 * reach + 3), np.uint8)
    peak = np.asarray(cv2.dilate(local, wide), np.float32)
    own = (local > 0.5 * peak) & (local > 0.6 * floor)
    inner = own & (spread > 0)
    seen = _grown(stands & inner, faint & inner).astype(np.uint8)
    return _tidy(seen, unit).astype(np.float32)


def _grown(strong: NDArray[np.bool_], weak: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pieces of `weak` of which at least a quarter is `strong`, and all of `strong`."""
    _, labels = cv2.connectedComponents((weak | strong).astype(np.uint8), connectivity=8)
    labels = np.asarray(labels, np.intp)
    size = np.bincount(labels.ravel())
    core = np.bincount(labels.ravel(), strong.ravel().astype(np.float64), size.size)
    kept = core >= 0.25 * size
    kept[0] = False
    return strong | kept[labels]


def _tidy(seen: NDArray[np.uint8], unit: float) -> NDArray[Any]:
    """Drops lone pixels and closes gaps of a pixel."""
    closed = cv2.morphologyEx(seen, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    if count <= 1:
        return np.asarray(closed)
    kept = stats[:, cv2.CC_STAT_AREA] >= max(2.0, 0.8 * unit * unit)
    kept[0] = False
    return np.asarray(kept[np.asarray(labels, np.intp)])
