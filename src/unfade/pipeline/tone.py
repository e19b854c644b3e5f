"""Estimating a photo's tone from a thumbnail that leaves out the damage."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from unfade.imaging import Photo
from unfade.models.tone import THUMBNAIL, Levels, ToneNet, correction


def thumbnail(photo: Photo, mask: NDArray[np.uint8] | None, threshold: float) -> torch.Tensor:
    """The mean of every cell of a 64 x 64 grid over its undamaged pixels.

    Args:
        mask: (H, W), probability of damage in 1/255.

    Returns:
        (1, 3, 64, 64) in [0, 1].
    """
    out = np.empty((THUMBNAIL, THUMBNAIL, 3), np.float32)
    edges = np.linspace(0, photo.height, THUMBNAIL + 1)
    for i in range(THUMBNAIL):
        top = min(int(edges[i]), photo.height - 1)
        rows = slice(top, max(top + 1, int(edges[i + 1])))
        rgb = photo.srgb(rows, slice(0, photo.width))
        plain = cv2.resize(rgb, (THUMBNAIL, 1), interpolation=cv2.INTER_AREA)[0]
        if mask is not None:
            sound = (mask[rows] < threshold * 255).astype(np.float32)
            weight = cv2.resize(sound, (THUMBNAIL, 1), interpolation=cv2.INTER_AREA)[0][:, None]
            total = cv2.resize(rgb * sound[..., None], (THUMBNAIL, 1), interpolation=cv2.INTER_AREA)
            plain = np.where(weight > 0.05, total[0] / np.maximum(weight, 0.05), plain)
        out[i] = plain
    return torch.from_numpy(np.ascontiguousarray(out.transpose(2, 0, 1)))[None]


def estimate(
    photo: Photo, mask: NDArray[np.uint8] | None, threshold: float, net: ToneNet
) -> Levels | None:
    """The correction of a photo's tone, or None where none is called for."""
    with torch.inference_mode():
        return correction(net, thumbnail(photo, mask, threshold))
