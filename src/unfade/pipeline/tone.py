"""Estimates the correction of a photo's tone from a thumbnail of its undamaged pixels."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from unfade.imaging import Photo
from unfade.models import tone
from unfade.models.tensors import from_array
from unfade.models.tone import THUMBNAIL, Levels, ToneNet, correction

_MIN_UNDAMAGED = 0.05  # share of undamaged pixels from which a cell counts


def _across(strip: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, W, C) or (h, W) -> (64, C) or (64,), the means of 64 columns."""
    means = cv2.resize(strip, (THUMBNAIL, 1), interpolation=cv2.INTER_AREA)
    return np.asarray(means, np.float32)[0]


def thumbnail(photo: Photo, mask: NDArray[np.uint8] | None, threshold: float) -> torch.Tensor:
    """The mean of every cell of a 64 x 64 grid over its undamaged pixels.

    A cell that is damaged throughout takes the colour of the undamaged cells around it.

    Args:
        mask: (H, W), probability of damage in 1/255.

    Returns:
        (1, 3, 64, 64) in [0, 1].
    """
    out = np.empty((THUMBNAIL, THUMBNAIL, 3), np.float32)
    share = np.ones((THUMBNAIL, THUMBNAIL), np.float32)
    edges = np.linspace(0, photo.height, THUMBNAIL + 1)
    for i in range(THUMBNAIL):
        top = min(int(edges[i]), photo.height - 1)
        rows = slice(top, max(top + 1, int(edges[i + 1])))
        rgb = photo.srgb(rows, slice(0, photo.width))
        out[i] = _across(rgb)
        if mask is not None:
            undamaged = (mask[rows] < threshold * 255).astype(np.float32)
            share[i] = _across(undamaged)
            total = _across(rgb * undamaged[..., None])
            valid = share[i] > _MIN_UNDAMAGED
            out[i, valid] = total[valid] / share[i, valid, None]
    _fill(out, share > _MIN_UNDAMAGED)
    return from_array(np.ascontiguousarray(out.transpose(2, 0, 1)))[None]


def _fill(cells: NDArray[np.float32], undamaged: NDArray[np.bool_]) -> None:
    """Fills damaged cells of (64, 64, 3) with the mean of the undamaged ones around them."""
    if bool(undamaged.all()) or not bool(undamaged.any()):
        return
    weights = undamaged.astype(np.float32)
    filled = np.broadcast_to(cells[undamaged].mean(0), cells.shape).copy()
    for sigma in (16.0, 8.0, 4.0, 2.0, 1.0):  # the smallest neighbourhood with enough of them wins
        weight = np.asarray(cv2.GaussianBlur(weights, (0, 0), sigma), np.float32)
        total = np.asarray(cv2.GaussianBlur(cells * weights[..., None], (0, 0), sigma), np.float32)
        near = weight > 0.1
        filled[near] = total[near] / weight[near][:, None]
    cells[~undamaged] = filled[~undamaged]


def estimate(
    photo: Photo, mask: NDArray[np.uint8] | None, threshold: float, net: ToneNet, *,
    keep_colours: bool = False,
) -> Levels | None:  # fmt: skip
    """The correction of a photo's tone, or None if it needs none.

    Args:
        keep_colours: the photo has colours, however little of it they cover.
    """
    with torch.inference_mode():
        return correction(net, thumbnail(photo, mask, threshold), keep_colours=keep_colours)


def has_colours(
    photo: Photo, mask: NDArray[np.uint8] | None = None, threshold: float = 0.5
) -> bool:
    """Whether a photo has colours outside its damage: see `unfade.models.tone.has_colours`.

    Args:
        mask: (H, W), probability of damage in 1/255.
        threshold: 0..1, from which a pixel is damaged.
    """
    return not photo.gray and tone.has_colours(thumbnail(photo, mask, threshold))
