"""Measures how a result differs from its photo: filled pixels, corrected tone, other changes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.web.masks import Mask, reduced
from unfade.web.pictures import Pixels, limited, shrink

_ROWS = 512
#: A pixel counts as changed where its colour moved by more than this share of the range.
CHANGED = 0.04
#: The least full scale of the overlay, and the largest change that it leaves out (cleaned grain).
_MIN_FULL_SCALE, _INVISIBLE = 20, 3
#: What was filled in is drawn in this colour, RGBA.
FILLED = (0, 200, 255, 190)
#: Mean change of the tone, levels, from which on it counts as corrected.
_TONE = 1.5
_SIDE = 256  # of the copy on which the tone is fitted, pixels
_KNOTS = 9  # of a curve of the tone
_SMOOTHNESS, _RIDGE = 3.0, 1e-3  # how straight the curves are, and how close to no change
_ROUNDS = 4  # of fitting, each with less weight for what does not fit

Curves = NDArray[np.float32]  # (3, 256, 3): what a level of R, G or B adds to each channel


@dataclass(frozen=True)
class Change:
    """How far a result is from its photo.

    Attributes:
        tone: by how many levels the tone of the photo was corrected, the mean of the channel that
            changed most; 0 where it was not.
        share: of the pixels that changed visibly (`CHANGED`) beyond that, and were not filled
            in, 0..1.
        largest: the largest such change of a channel of a pixel, 0..255.
        sharpness: `sharpness` of the result over that of the photo in the new tone; None where the
            photo has no edges.
        overlay: (h, w, 4) RGBA to be laid over the result: transparent where nothing changed
            beyond the tone, in the colour FILLED where the photo was filled in.
        full_scale: the change, in levels, from which on the overlay is brightest.
    """

    tone: float
    share: float
    largest: int
    sharpness: float | None
    overlay: Pixels
    full_scale: int


def compare(
    before: Pixels, after: Pixels, size: tuple[int, int], *, filled: Mask | None = None,
    corrects_tone: bool = False,
) -> Change:  # fmt: skip
    """Compares a result with its photo.

    Args:
        before, after: (H, W, 3); `after` may be of another size and is brought to the photo's.
        size: (height, width) of the overlay.
        filled: (H, W), 255 where the photo was filled in, else 0.
        corrects_tone: whether the tone may have been corrected.
    """
    height, width = before.shape[:2]
    if after.shape[:2] != (height, width):
        after = shrink(after, (height, width))
    curves = tone_curves(before, after, filled) if corrects_tone else None
    tone = 0.0 if curves is None else _mean_change(before, curves)
    difference = cv2.absdiff(before, after).max(axis=2)
    if curves is not None and tone >= _TONE:
        before = with_tone(before, curves)
        # A pixel that keeps its value is unchanged, also where the tone of others moved: protected.
        difference = np.minimum(difference, cv2.absdiff(before, after).max(axis=2))
    else:
        tone = 0.0
    if filled is not None:
        difference[filled > 0] = 0
    # Not the maximum: a few outliers would make all others dark. 1 % of the pixels exceed it.
    full_scale = max(_MIN_FULL_SCALE, _percentile(difference, 0.99))
    sharpness_before = sharpness(before)
    return Change(
        tone=tone,
        share=float(np.count_nonzero(difference > 255 * CHANGED)) / difference.size,
        largest=int(difference.max()),
        sharpness=sharpness(after) / sharpness_before if sharpness_before > 0 else None,
        overlay=_overlay(shrink(difference, size), full_scale, filled),
        full_scale=full_scale,
    )


def _overlay(difference: Pixels, full_scale: int, filled: Mask | None) -> Pixels:
    """(h, w) -> (h, w, 4), see `Change.overlay`."""
    intensity = np.clip(
        (difference.astype(np.float32) - _INVISIBLE) / (full_scale - _INVISIBLE), 0, 1
    )
    colour = cv2.applyColorMap((intensity * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    opacity = (np.sqrt(intensity) * 230).astype(np.uint8)[
        ..., None
    ]  # some of the result shows through
    overlay = np.concatenate((colour, opacity), axis=2).astype(np.uint8)
    if filled is not None:
        overlay[reduced(filled, difference.shape[:2]) > 0] = FILLED
    return overlay


def tone_curves(before: Pixels, after: Pixels, filled: Mask | None) -> Curves:
    """The smooth correction of the tone that explains a result best.

    A correction of levels, gamma, cast and saturation adds, to each channel of a pixel, what
    depends on its R, on its G and on its B alone: three curves. They are fitted to a small copy,
    outside of what was filled in, by least squares whose weights fall with the distance from the
    fit: what was painted or redrawn does not bend them.

    Args:
        before, after: (H, W, 3), of one size.
        filled: (H, W), 255 where the photo was filled in; None where it was nowhere.
    """
    source, target = (
        limited(image, _SIDE).reshape(-1, 3).astype(np.float64) for image in (before, after)
    )
    weights = np.ones(len(source))
    if filled is not None:
        gray = limited(np.repeat(filled[..., None], 3, 2), _SIDE).reshape(-1, 3)[:, 0]
        weights = np.where(gray > 0, 1e-3, 1.0)
    basis = np.concatenate([_hat_basis(source[:, channel]) for channel in range(3)], 1)  # (N, 3 K)
    curvature = np.kron(np.eye(3), np.diff(np.eye(_KNOTS), 2, axis=0))  # (3 (K - 2), 3 K)
    regularisation = (
        len(source)
        / _KNOTS
        * (_SMOOTHNESS * curvature.T @ curvature / _KNOTS + _RIDGE * np.eye(3 * _KNOTS))
    )
    change, robust_weights, fit = target - source, weights, np.zeros((3 * _KNOTS, 3))
    for _ in range(_ROUNDS):
        weighted = basis * robust_weights[:, None]
        fit = np.linalg.solve(weighted.T @ basis + regularisation, weighted.T @ change)
        residual = np.abs(change - basis @ fit).max(1)
        robust_weights = weights / (1 + (residual / 4) ** 2)
    levels = _hat_basis(np.arange(256.0))  # (256, K)
    return np.stack([levels @ curve for curve in np.split(fit, 3)]).astype(np.float32)


def _hat_basis(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) in 0..255 -> (N, K), the weights of the knots between which each level lies."""
    position = levels / 255 * (_KNOTS - 1)
    return np.maximum(0, 1 - np.abs(position[:, None] - np.arange(_KNOTS)))


def with_tone(rgb: Pixels, curves: Curves) -> Pixels:
    """(H, W, 3) in another tone."""
    out = np.empty_like(rgb)
    for top in range(0, rgb.shape[0], _ROWS):
        band = rgb[top : top + _ROWS]
        total = band.astype(np.float32)
        for channel in range(3):
            total += curves[channel][band[..., channel]]
        out[top : top + _ROWS] = np.clip(total + 0.5, 0, 255)
    return out


def _mean_change(rgb: Pixels, curves: Curves) -> float:
    """By how many levels curves change a picture: the mean of the channel that changes most."""
    small = limited(rgb, _SIDE)
    difference = cv2.absdiff(small, with_tone(small, curves))
    return float(difference.mean((0, 1)).max())


def _percentile(levels: Pixels, share: float) -> int:
    """The least level that a share of the pixels does not exceed."""
    counts = cv2.calcHist([levels], [0], None, [256], [0, 256]).ravel()
    return int(np.searchsorted(np.cumsum(counts, dtype=np.float64), share * levels.size))


def sharpness(rgb: Pixels) -> float:
    """The root mean square of the gradient of the luma of (H, W, 3), in levels.

    It is the square root of Tenengrad's measure (Krotkov 1987); grain counts as edges do.
    """
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    total = 0.0
    for top in range(0, luma.shape[0], _ROWS):  # one row more on each side, as Sobel needs
        band = luma[max(top - 1, 0) : top + _ROWS + 1]
        rows = slice(min(top, 1), min(top, 1) + min(_ROWS, luma.shape[0] - top))
        across = cv2.Sobel(band, cv2.CV_32F, 1, 0, scale=0.125)[rows]
        down = cv2.Sobel(band, cv2.CV_32F, 0, 1, scale=0.125)[rows]
        total += float(np.square(across).sum(dtype=np.float64))
        total += float(np.square(down).sum(dtype=np.float64))
    return math.sqrt(total / luma.size)
