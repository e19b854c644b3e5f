"""Computes content features without trained weights: edges, coarse structure and colour.

The features describe lines, shades and colours, not objects. `docs/metrics.md` shows how well they
rank known edits.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from unfade.pipeline.alignment import Features, Image

CELL = 8  # pixels, the side of a cell of the grid
SHORT_SIDE = 256  # pixels; larger pictures are reduced to it, so that content has one scale
OCTAVES = 2
BINS = 8  # directions of a gradient, in all of the circle
_SAMPLES = 4  # samples of a pattern along each axis
#: Values below which an edge (luma per pixel), a pattern (luma) and a chroma (Lab) count as flat.
_EDGE_FLOOR, _PATTERN_FLOOR, _CHROMA_FLOOR = 0.02, 0.05, 20.0

Plane = NDArray[np.float32]


def content_features(image: Image) -> Features:
    """The encoder: (H, W, 3) sRGB [0, 1] -> (h, w, 55), a cell for every 8 x 8 pixels.

    For each cell, after reducing to a short side of 256 pixels:

    - edges: at two octaves, a histogram of gradient directions, weighted by magnitude (Dalal and
      Triggs, 2005);
    - structure: at two octaves, 4 x 4 samples of luma less their mean, so that their cosine is
      the normalised cross-correlation;
    - colour: Lab's a and b.

    Each has its floor as one more feature, so that two flat cells are alike and contrast counts
    little, and unit length. Edges, structure and colour have equal shares of the cosine.
    """
    small = _shrunk(image)
    lab = _float(cv2.cvtColor(small, cv2.COLOR_RGB2LAB))
    size = (max(1, small.shape[1] // CELL), max(1, small.shape[0] // CELL))  # (w, h)
    luma = lab[..., 0] / 100  # (H, W) [0, 1]
    features: list[Plane] = []
    for octave in range(OCTAVES):
        smooth = _float(cv2.GaussianBlur(luma, (0, 0), 1))
        edges, patterns = _edges(smooth, size, octave), _patterns(smooth, size, octave)
        features.append(_with_floor(edges, _EDGE_FLOOR) / np.sqrt(OCTAVES))
        features.append(_with_floor(patterns, _PATTERN_FLOOR * _SAMPLES) / np.sqrt(OCTAVES))
        luma = smooth[::2, ::2]
    chroma = _float(cv2.GaussianBlur(_cell_means(lab[..., 1:], size), (0, 0), 0.5))  # (h, w, 2)
    features.append(_with_floor(chroma, _CHROMA_FLOOR))
    return np.concatenate(features, 2, dtype=np.float32)


def _shrunk(image: Image) -> Image:
    height, width = image.shape[:2]
    scale = SHORT_SIDE / min(height, width)
    if scale >= 1:
        return np.ascontiguousarray(image, np.float32)
    size = round(width * scale), round(height * scale)
    return _float(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def _cell_means(plane: Plane, size: tuple[int, int]) -> Plane:
    """Means over the cells of a grid: (H, W) or (H, W, C) -> (h, w) or (h, w, C)."""
    return _float(cv2.resize(plane, size, interpolation=cv2.INTER_AREA))


def _edges(luma: Plane, size: tuple[int, int], octave: int) -> Plane:
    """Mean magnitude by direction around each cell: (H, W) -> (h, w, BINS)."""
    right = cv2.Scharr(luma, cv2.CV_32F, 1, 0, scale=1 / 32)
    down = cv2.Scharr(luma, cv2.CV_32F, 0, 1, scale=1 / 32)
    magnitude, angle = cv2.cartToPolar(right, down)  # (H, W) each
    bin_position = angle * (BINS / (2 * np.pi))
    bins: list[Plane] = []
    for k in range(BINS):
        distance = np.abs(bin_position - k)
        share = np.maximum(0, 1 - np.minimum(distance, BINS - distance))
        bins.append(_cell_means(magnitude * share, size))
    histogram = np.stack(bins, 2)  # (h, w, BINS)
    return _float(cv2.GaussianBlur(histogram, (0, 0), 0.5 * 2**octave))


def _patterns(luma: Plane, size: tuple[int, int], octave: int) -> Plane:
    """Samples of luma around each cell, less their mean: (H, W) -> (h, w, 16).

    They cover one cell at the first octave, two by two at the second.
    """
    step = _SAMPLES >> octave
    samples = _cell_means(luma, (size[0] * step, size[1] * step))
    padded = np.pad(samples, (_SAMPLES - step) // 2, "edge")
    windows = sliding_window_view(padded, (_SAMPLES, _SAMPLES))[::step, ::step]  # (h, w, 4, 4)
    flat = windows.reshape(*windows.shape[:2], -1)  # (h, w, 16)
    return flat - flat.mean(2, keepdims=True)


def _with_floor(values: Plane, floor: float) -> Plane:
    """(h, w, D) -> (h, w, D + 1) of length one, the floor as the last feature."""
    with_floor = np.pad(values, ((0, 0), (0, 0), (0, 1)), constant_values=floor)
    return with_floor / np.linalg.norm(with_floor, axis=2, keepdims=True)


def _float(values: NDArray[Any]) -> Plane:
    """The same as float32: OpenCV leaves the type open."""
    return values.astype(np.float32, copy=False)
