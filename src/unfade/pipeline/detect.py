"""Photo -> soft damage mask, by tiles, at more than one scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from unfade.imaging import Photo
from unfade.models.inference import inference
from unfade.models.scratch import ScratchDetector
from unfade.pipeline.tiling import STRIDE, tiles

MARGIN = 64
_COARSEST = 640  # pixels of short side at which a crack of 2 % is a few pixels wide

Mask = NDArray[np.uint8]
Progress = Callable[[str, float], None]


def factors(height: int, width: int) -> list[int]:
    """The scales at which a photo is searched: 1, and 1/2, 1/4, ... of a large one."""
    out = [1]
    while min(height, width) / (2 * out[-1]) >= _COARSEST:
        out.append(2 * out[-1])
    return out


def _pad(x: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) -> the same with H, W raised to multiples of the networks' stride."""
    h, w = x.shape[-2:]
    return F.pad(x, (0, -w % STRIDE, 0, -h % STRIDE), mode="replicate")


def to_tensor(rgb: NDArray[np.float32], device: torch.device) -> torch.Tensor:
    """(H, W, C) -> (1, C, H', W'), padded to the networks' stride."""
    x = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None].to(device)
    return _pad(x).contiguous(memory_format=torch.channels_last)


def _probability(
    net: ScratchDetector, rgb: NDArray[np.float32], device: torch.device
) -> NDArray[np.float32]:
    """(H, W, 3) -> (H, W), the larger of the two classes' probabilities."""
    h, w = rgb.shape[:2]
    with inference(device):
        p = net(to_tensor(rgb, device)).float().sigmoid().amax(1)[0, :h, :w]  # (H, W)
    return p.cpu().numpy()


def _reduced(photo: Photo, factor: int) -> NDArray[np.uint8]:
    """The whole photo at 1/factor, (H, W, 3) uint8, read strip by strip."""
    h, w = max(1, photo.height // factor), max(1, photo.width // factor)
    out = np.empty((h, w, 3), np.uint8)
    step = max(1, (1 << 20) // (w * factor * factor))
    for y in range(0, h, step):
        stop = min(h, y + step)
        rows = slice(y * factor, stop * factor if stop < h else photo.height)
        strip = photo.srgb(rows, slice(0, photo.width))
        small = cv2.resize(strip, (w, stop - y), interpolation=cv2.INTER_AREA)
        out[y:stop] = np.rint(np.clip(small, 0, 1) * 255).astype(np.uint8)
    return out


def detect(
    photo: Photo,
    net: ScratchDetector,
    device: torch.device,
    *,
    tile: int,
    progress: Progress | None = None,
) -> Mask:
    """Finds structured damage.

    A large photo is searched at several scales, since a crack is 20 pixels wide in a scan of
    24 megapixels; the highest probability counts.

    Args:
        tile: side of a tile in pixels; memory is bounded by it.
        progress: called with "detect" and the share of pixels done, [0, 1].

    Returns:
        (H, W) uint8, the probability of damage in 1/255.
    """
    mask = np.zeros((photo.height, photo.width), np.uint8)
    scales = factors(photo.height, photo.width)
    total = sum(1 / f**2 for f in scales)
    done = 0.0
    for factor in scales:
        for area in _search(photo, net, device, factor, tile, mask):
            done += area / factor**2
            if progress is not None:
                progress("detect", min(1.0, done / total))
    return mask


def _search(
    photo: Photo, net: ScratchDetector, device: torch.device, factor: int, tile: int, mask: Mask
) -> Iterator[float]:
    """Searches at 1/factor and raises `mask`; yields the share of the picture that is done."""
    small = None if factor == 1 else _reduced(photo, factor)
    h, w = (photo.height, photo.width) if small is None else small.shape[:2]
    for rows, cols in tiles(h, w, tile, MARGIN):
        y, x = slice(rows.start, rows.stop), slice(cols.start, cols.stop)
        if small is None:
            rgb = photo.srgb(y, x)
        else:
            rgb = small[y, x].astype(np.float32) / np.float32(255)
        p = _probability(net, rgb, device)
        kept = p[rows.first - rows.start : rows.last - rows.start,
                 cols.first - cols.start : cols.last - cols.start]  # fmt: skip
        top, left = rows.first * factor, cols.first * factor
        bottom = photo.height if rows.last == h else rows.last * factor
        right = photo.width if cols.last == w else cols.last * factor
        if factor > 1:
            kept = cv2.resize(kept, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
        found = np.rint(kept * 255).astype(np.uint8)
        region = mask[top:bottom, left:right]
        np.maximum(region, found, out=region)
        yield (rows.last - rows.first) * (cols.last - cols.first) / (h * w)
