"""Estimates the native scale of a scan: by how much it can be reduced without losing detail."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unfade.imaging import Photo
from unfade.imaging.transforms import luma

#: An edge of a sharp photo has the same height at every scale; in an enlarged photo its height is
#: less than these factors of that one and two scales coarser. On photos of BSDS500, Flickr and old
#: prints, sharp ones reach 0.77 and more of the next scale, the same enlarged twice by bicubic
#: interpolation at most 0.64, with scanner noise or without; bilinear interpolation shows at the
#: second scale only.
_SHARP = (0.7, 0.5)
_QUANTILE = 0.9998  # of the differences: the sharpest edges, thin scratches among them
_NOISE_QUANTILE = 3.9  # of the larger of two differences of Gaussian noise, in deviations
_NORMAL = 0.6745  # the median of |x| for a normal x of deviation 1
_WINDOW = 512  # pixels
_GRID = 5  # windows along an axis, at most
_LEVELS = 6

Plane = NDArray[np.float32]


def differences(gray: Plane) -> list[tuple[Plane, Plane]]:
    """Haar differences of every 2 x 2 square, scale by scale.

    Args:
        gray: (H, W) in [0, 1].

    Returns:
        For each scale from the finest, (n,) and (n,): the larger of the horizontal and the vertical
        difference, and the diagonal one.
    """
    out: list[tuple[Plane, Plane]] = []
    while min(gray.shape) >= 2 and len(out) < _LEVELS:
        h, w = gray.shape[0] // 2 * 2, gray.shape[1] // 2 * 2
        a, b, c, d = (gray[i:h:2, j:w:2] for i in (0, 1) for j in (0, 1))  # (H/2, W/2) each
        across, down = np.abs(a - b + c - d), np.abs(a + b - c - d)
        edges = np.asarray(np.maximum(across, down).ravel() / 2, np.float32)
        diagonal = np.asarray(np.abs(a - b - c + d).ravel() / 2, np.float32)
        out.append((edges, diagonal))
        gray = np.asarray((a + b + c + d) / 4, np.float32)
    return out


def edge_heights(scales: list[tuple[Plane, Plane]]) -> list[float]:
    """The height of the edges of each scale above its noise, [0, 1] units.

    Noise halves from one scale to the next and texture does not, which separates the two.
    """
    spread = [float(np.median(diagonal)) / _NORMAL for _, diagonal in scales] + [0.0]
    heights: list[float] = []
    for (edges, _), deviation, coarser in zip(scales, spread, spread[1:], strict=False):
        noise = 4 / 3 * max(0.0, deviation**2 - coarser**2)
        height = float(np.quantile(edges, _QUANTILE))
        heights.append(max(0.0, height**2 - _NOISE_QUANTILE**2 * noise) ** 0.5)
    return heights


def native_factor(photo: Photo, shortest: int) -> int:
    """The factor, a power of 2, by which a scan can be reduced without losing detail.

    Args:
        shortest: least short side of the reduced scan, pixels.
    """
    samples: list[list[tuple[Plane, Plane]]] = [[] for _ in range(_LEVELS)]
    for rows in _windows(photo.height):
        for cols in _windows(photo.width):
            gray = np.ascontiguousarray(luma(photo.srgb(rows, cols))[..., 0])
            for scale, pair in zip(samples, differences(gray), strict=False):
                scale.append(pair)
    scales = [
        (np.concatenate([edges for edges, _ in s]), np.concatenate([diagonal for _, diagonal in s]))
        for s in samples
        if s
    ]
    heights, factor = edge_heights(scales), 1
    for level, height in enumerate(heights):
        coarser = heights[level + 1 :]
        sharp = all(height >= s * c for s, c in zip(_SHARP, coarser, strict=False))
        if sharp or min(photo.height, photo.width) < 2 * factor * shortest:
            break
        factor *= 2
    return factor


def _windows(length: int) -> list[slice]:
    """Windows along an axis: all of it, or `_GRID` spread evenly."""
    if length <= _GRID * _WINDOW:
        return [slice(i, min(i + _WINDOW, length)) for i in range(0, length, _WINDOW)]
    room = length - _WINDOW
    return [slice(i, i + _WINDOW) for i in (room * k // (_GRID - 1) for k in range(_GRID))]
