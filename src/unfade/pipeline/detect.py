"""Detects the damage of a photo: runs the detector tile by tile at several scales."""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from unfade.imaging import Photo
from unfade.masks import Mask
from unfade.models.inference import inference
from unfade.models.scratch import ScratchConfig, ScratchDetector
from unfade.models.tensors import from_array
from unfade.options import Sensitivity
from unfade.pipeline.native_scale import native_factor
from unfade.pipeline.tiling import Tile, map_tiles
from unfade.timing import Progress, ignore

MARGIN = 96
_LARGEST_LOSS = 0.1  # share of the photo
_FINE = 640  # short side at native scale, pixels, below which a photo is enlarged first
_COARSEST = 160  # least short side of a reduced copy, pixels

_ODDS = {"low": math.e, "high": 1 / math.e}  # of damage, over those at normal sensitivity


def thresholds(config: ScratchConfig) -> dict[Sensitivity, float]:
    """The probability of each sensitivity, 0..1, from which a pixel counts as damaged.

    Where the configuration has none for "low" or "high", the odds of the normal threshold are
    multiplied, or divided, by e.
    """
    out: dict[Sensitivity, float] = {"normal": config.threshold}
    odds = config.threshold / (1 - config.threshold)
    for name in ("low", "high"):
        derived = odds * _ODDS[name] / (1 + odds * _ODDS[name])
        out[name] = config.sensitivity.get(name, round(derived, 2))
    return out


def factors(height: int, width: int, first: int) -> list[int]:
    """The scales at which a photo is searched: 1/first, 1/(2 first), ... of it.

    Args:
        first: the finest scale.
    """
    out = [first]
    while min(height, width) / (2 * out[-1]) >= _COARSEST:
        out.append(2 * out[-1])
    return out


def to_tensor(rgb: NDArray[np.float32], device: torch.device, stride: int) -> torch.Tensor:
    """(H, W, C) -> (1, C, H', W'), padded to multiples of the network's stride."""
    x = from_array(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None].to(device)
    h, w = x.shape[-2:]
    x = F.pad(x, (0, -w % stride, 0, -h % stride), mode="replicate")
    return x.contiguous(memory_format=torch.channels_last)


def _probability(
    net: ScratchDetector, rgb: NDArray[np.float32], device: torch.device
) -> NDArray[np.float32]:
    """(H, W, 3) -> (2, H, W), the probabilities of damage and of a lost border."""
    h, w = rgb.shape[:2]
    with inference(device):
        p = net(to_tensor(rgb, device, net.stride)).float().sigmoid()[0, :, :h, :w]  # (2, H, W)
    return p.cpu().numpy()


def _reduced(photo: Photo, factor: int) -> NDArray[np.uint8]:
    """The whole photo at 1/factor, (ceil(H/f), ceil(W/f), 3) uint8, read strip by strip.

    Its pixel (y, x) is the mean of factor x factor pixels; the last row and column are filled up.
    """
    h, w = -(-photo.height // factor), -(-photo.width // factor)
    out = np.empty((h, w, 3), np.uint8)
    step = max(1, (1 << 20) // (w * factor * factor))
    for y in range(0, h, step):
        stop = min(h, y + step)
        strip = photo.srgb(slice(y * factor, stop * factor), slice(0, photo.width))
        below, right = (stop - y) * factor - len(strip), w * factor - photo.width
        strip = cv2.copyMakeBorder(strip, 0, below, 0, right, cv2.BORDER_REPLICATE)
        reduced = cv2.resize(strip, (w, stop - y), interpolation=cv2.INTER_AREA)
        out[y:stop] = np.rint(np.clip(reduced, 0, 1) * 255).astype(np.uint8)
    return out


def detect(
    photo: Photo,
    net: ScratchDetector,
    device: torch.device,
    *,
    tile: int,
    progress: Progress = ignore,
) -> Mask:
    """Finds structured damage.

    A photo is searched at several scales, from that of its own detail on, since a crack is 20
    pixels wide in a scan of 24 megapixels; the highest probability counts. A photo of few pixels
    is searched at twice its scale too: its lines are as thin as one pixel.

    Args:
        tile: side of a tile in pixels; memory is bounded by it.
        progress: called with the share that is done.

    Returns:
        (H, W) uint8, the probability of damage in 1/255.
    """
    native = native_factor(photo, _COARSEST)
    is_small = min(photo.height, photo.width) / native < _FINE
    if is_small and native == 1:
        enlarged = _search_scales(_doubled(photo), net, device, tile, 1, progress)
        size = (photo.width, photo.height)
        return np.asarray(cv2.resize(enlarged, size, interpolation=cv2.INTER_AREA), np.uint8)
    return _search_scales(photo, net, device, tile, native // 2 if is_small else native, progress)


def _doubled(photo: Photo) -> Photo:
    """The photo enlarged twice by bicubic interpolation."""
    h, w = photo.height, photo.width
    rgb = photo.srgb(slice(0, h), slice(0, w))
    enlarged = cv2.resize(rgb, (2 * w, 2 * h), interpolation=cv2.INTER_CUBIC)
    out = photo.blank(size=(2 * h, 2 * w))
    out.put_srgb(slice(0, 2 * h), slice(0, 2 * w), np.clip(np.asarray(enlarged, np.float32), 0, 1))
    return out


def _search_scales(
    photo: Photo, net: ScratchDetector, device: torch.device, tile: int, first: int,
    progress: Progress,
) -> Mask:  # fmt: skip
    """Detects at all scales from 1/first on; arguments and result as in `detect`."""
    mask = np.zeros((photo.height, photo.width), np.uint8)
    scales = factors(photo.height, photo.width, first)
    total = sum(1 / f**2 for f in scales)
    done = 0.0
    border_probability = np.zeros(
        (-(-photo.height // scales[-1]), -(-photo.width // scales[-1])), np.uint8
    )
    for factor in scales:
        begin, weight = done, 1 / factor**2 / total
        border = border_probability if factor == scales[-1] else None
        _search(
            photo, net, device, factor, tile, mask, border,
            lambda share, begin=begin, weight=weight: progress(begin + weight * share),
        )  # fmt: skip
        done += weight
    _add_border(mask, border_probability, scales[-1])
    return mask


def _add_border(mask: Mask, border_probability: Mask, factor: int) -> None:
    """Adds lost borders, detected at the coarsest scale, to `mask`.

    A region that does not touch an edge of the photo is no lost border (a collar, a flower, a
    medal). Regions of more than a tenth of the photo are a frame or a vignette, and are not added.

    Args:
        mask: (H, W); lost: (h, w), the same picture at 1/factor.
    """
    count, label = cv2.connectedComponents((border_probability >= 128).astype(np.uint8))
    if count == 1:
        return
    rim = np.concatenate([label[0], label[-1], label[:, 0], label[:, -1]])
    at_edge = np.isin(label, np.unique(rim[rim > 0]))
    if float(at_edge.mean()) > _LARGEST_LOSS:
        return
    border = np.where(at_edge, border_probability, 0).astype(np.uint8)
    if factor > 1:
        size = (border.shape[1] * factor, border.shape[0] * factor)
        border = np.asarray(cv2.resize(border, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    np.maximum(mask, border[: mask.shape[0], : mask.shape[1]], out=mask)


def _enlarged(probability: Mask, tile: Tile, factor: int) -> Mask:
    """The core of a tile, `factor` times as large, interpolated with the pixels around it."""
    rows, cols = tile.rows, tile.cols
    top, left = max(rows.first - 1, rows.start), max(cols.first - 1, cols.start)
    part = probability[top - rows.start : rows.last + 1 - rows.start,
                       left - cols.start : cols.last + 1 - cols.start]  # fmt: skip
    if factor > 1:
        size = (part.shape[1] * factor, part.shape[0] * factor)
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return part[(rows.first - top) * factor : (rows.last - top) * factor,
                (cols.first - left) * factor : (cols.last - left) * factor]  # fmt: skip


def _search(
    photo: Photo, net: ScratchDetector, device: torch.device, factor: int, tile: int, mask: Mask,
    border_probability: Mask | None, progress: Progress,
) -> None:  # fmt: skip
    """Detects at scale 1/factor; updates `mask` by the maximum, and fills `border_probability`."""
    reduced = None if factor == 1 else _reduced(photo, factor)
    h, w = (photo.height, photo.width) if reduced is None else reduced.shape[:2]

    def detect_tile(part: Tile) -> None:
        if reduced is None:
            rgb = photo.srgb(*part.computed)
        else:
            rgb = reduced[part.computed].astype(np.float32) / np.float32(255)
        probabilities = np.rint(_probability(net, rgb, device) * 255).astype(np.uint8)  # (2, h, w)
        if border_probability is not None:
            border_probability[part.core] = _enlarged(probabilities[1], part, 1)
        enlarged = _enlarged(probabilities[0], part, factor)
        region = mask[part.core_at(factor)]
        np.maximum(region, enlarged[: region.shape[0], : region.shape[1]], out=region)

    map_tiles(h, w, detect_tile, tile=tile, margin=MARGIN, stride=net.stride, progress=progress)
