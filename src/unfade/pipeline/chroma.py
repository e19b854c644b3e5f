"""Enlarges the chroma of a small picture along the edges of a large picture's luminance."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unfade.models.tensors import from_array
from unfade.pipeline.colour import to_lab

#: Of the guided filter: cells on each side, and the variance of L / 100 that counts as flat.
_RADIUS = 8
_FLAT = 1e-3


class ChromaMap:
    """Chroma as a local linear function of the luminance (the guided filter, arXiv 1505.00996).

    The function's coefficients are found on the small picture, and applied to the luminance of
    the large one: chroma changes where the luminance does, not in steps of the small pixels.

    Args:
        chroma: (2, h, w), Lab's a and b.
        light: (h, w), Lab's L of the same small picture, 0..100.
        weight: (h, w), above 0 and up to 1, the certainty of each pixel's chroma: it weights the
            fit, and the share of the residual that is added to the fit. None: all pixels have
            equal weight, and no residual is added.
        radius: cells on each side that the function is fitted to.
    """

    def __init__(
        self, chroma: Tensor, light: Tensor, weight: Tensor | None = None, radius: int = _RADIUS
    ) -> None:
        guide = np.asarray(light / 100, np.float32)
        planes = [guide, *np.asarray(chroma, np.float32)]
        size = (2 * radius + 1, 2 * radius + 1)
        share = None if weight is None else np.asarray(weight, np.float32)

        def box_mean(x: NDArray[np.floating]) -> NDArray[np.float32]:
            return np.asarray(cv2.blur(x, size, borderType=cv2.BORDER_REFLECT), np.float32)

        def mean(x: NDArray[np.floating]) -> NDArray[np.float32]:
            return box_mean(x) if share is None else box_mean(share * x) / box_mean(share)

        mean_guide = mean(guide)
        variance = mean(guide * guide) - mean_guide * mean_guide + np.float32(_FLAT)
        slopes = [(mean(guide * p) - mean_guide * mean(p)) / variance for p in planes[1:]]
        offsets = [mean(p) - s * mean_guide for p, s in zip(planes[1:], slopes, strict=True)]
        fit = np.stack([mean(x) for x in (*slopes, *offsets)], -1)  # (h, w, 4)
        if share is not None:
            residual = np.stack(planes[1:], -1) - _apply_line(fit, guide)
            fit[..., 2:] += share[..., None] * residual
        self._fit = fit

    def rows(self, picture: Tensor, rows: slice, height: int) -> Tensor:
        """Lab's a and b for some rows of the large picture.

        Args:
            picture: (1, 3, n, W), those rows, sRGB in [0, 1].
            rows: n rows of the large picture.
            height: all rows of the large picture.

        Returns:
            (1, 2, n, W).
        """
        light = np.asarray(to_lab(picture)[0, 0] / 100, np.float32)  # (n, W)
        fit, width = self._fit, light.shape[1]
        fit = _interpolate(fit, range(rows.start, rows.stop), fit.shape[0] / height, 0)
        fit = _interpolate(fit, range(width), fit.shape[1] / width, 1)  # (n, W, 4)
        chroma = _apply_line(fit, light)  # (n, W, 2)
        return from_array(np.ascontiguousarray(chroma.transpose(2, 0, 1)))[None]


def _apply_line(fit: NDArray[np.float32], light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Slopes and offsets (..., 4) at L / 100 (...): a and b, (..., 2)."""
    return fit[..., :2] * light[..., None] + fit[..., 2:]


def _interpolate(
    values: NDArray[np.float32], positions: range, factor: float, axis: int
) -> NDArray[np.float32]:
    """Linear interpolation along an axis, at positions 1 / factor times as dense."""
    last = values.shape[axis] - 1
    position = np.clip((np.array(positions) + 0.5) * factor - 0.5, 0, last)
    low = np.floor(position).astype(np.intp)
    shape = [1, 1, 1]
    shape[axis] = -1
    share = (position - low).astype(np.float32).reshape(shape)
    first, second = values.take(low, axis), values.take(np.minimum(low + 1, last), axis)
    return np.asarray(first + share * (second - first), np.float32)
