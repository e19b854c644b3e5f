"""Measures content consistency: how similar the content of a result and of its photo are.

Features (`content_features`) are compared by `pipeline.alignment`, as a map and as the mean over
the least similar cells. Compared are:

- old photos: the result with the photo, outside the damage that was filled;
- enlarged photos: the result, made as small as the photo again, with the photo;
- coloured photos: the luma of both, since the photo has no colours.

Where the tone was corrected, the photo's channels are first mapped to the result's by a fitted
affine function. Grain and blur, which a restoration removes, have little weight in the features.
Photos are reduced to about half a megapixel before they are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.imaging import Photo
from unfade.imaging.photo import quantise
from unfade.imaging.transforms import luma
from unfade.masks import Mask
from unfade.pipeline.alignment import Image, Map, similarity, tail_mean
from unfade.pipeline.content import SHORT_SIDE, content_features
from unfade.pipeline.enlarge import shrunk
from unfade.pipeline.holes import stroke_radius
from unfade.pipeline.request import Request
from unfade.pipeline.traits import TRAITS

_LONG_SIDE = 2048  # pixels, at most, of the reduced photo
_BAND = 4_000_000  # pixels of a band
_UNITS = np.dtype(np.uint16)  # type of the means

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class ContentConsistency:
    """The content consistency of one result.

    Attributes:
        alignment: [-1, 1], 1 = it shows the same; None where all of the photo was damage.
        similarity_grid: (h, w) [-1, 1], the similarity of each cell of a grid over the photo;
            cells that are damage throughout have 1.
    """

    alignment: float | None
    similarity_grid: Map


def content_consistency(request: Request, results: Sequence[Photo]) -> list[ContentConsistency]:
    """The consistency of each result of a request with its photo."""
    check = ConsistencyCheck(request)
    return [check.compare(result) for result in results]


class ConsistencyCheck:
    """A reduced copy of a photo, with which results are compared.

    It holds about half a megapixel of the photo, and a reference to the mask.
    """

    def __init__(self, request: Request) -> None:
        photo = request.photo
        self._size = photo.height, photo.width
        self._luma = TRAITS[request.options.task].finds_colours and not request.refreshes
        self._tone = request.corrects_tone
        self._mask, self._threshold = request.mask, request.threshold
        self._before, self._share = self._comparison_input(photo)  # (h, w, 3) and (h, w)

    def compare(self, result: Photo) -> ContentConsistency:
        """The consistency of one result, in the size of the photo or larger."""
        after, _ = self._comparison_input(shrunk(result, self._size))
        undamaged = self._share > 0  # (h, w)
        before = _match_tone(after, self._before, undamaged) if self._tone else self._before
        before = np.where(undamaged[..., None], before, after)
        similarities = similarity(content_features(after), content_features(before))
        size = similarities.shape[1], similarities.shape[0]
        valid = np.asarray(cv2.resize(self._share, size, interpolation=cv2.INTER_AREA)) > 0
        values = similarities[valid]  # (n,)
        alignment = round(tail_mean(values), 4) if values.size else None
        return ContentConsistency(alignment, np.where(valid, similarities, np.float32(1)))

    def _comparison_input(self, photo: Photo) -> tuple[Image, Plane]:
        """The reduced photo, sRGB (h, w, 3), and the share of undamaged pixels (h, w)."""
        native, share = self._means(photo, _factor(photo.height, photo.width))
        rgb = Photo(native, None, photo.metadata).srgb(slice(None), slice(None))
        return (np.repeat(luma(rgb), 3, 2) if self._luma else rgb), share

    def _means(self, photo: Photo, factor: int) -> tuple[NDArray[np.uint16], Plane]:
        """The mean of the undamaged pixels of every square, and their share, band by band.

        The means are taken in the photo's own colour space, for photo and result alike.

        Args:
            factor: the side of a square; those at the end may be smaller.

        Returns:
            (ceil(H / factor), ceil(W / factor), C), black where no pixel is undamaged, and the same
            (h, w).
        """
        top = np.float32(np.iinfo(photo.native.dtype).max)
        step = max(1, _BAND // photo.width // factor) * factor
        means: list[NDArray[np.uint16]] = []
        shares: list[Plane] = []
        for start in range(0, photo.height, step):
            rows = slice(start, start + step)
            values = photo.native[rows].astype(np.float32)  # (b, W, C)
            undamaged = np.ones(values.shape[:2], np.float32)
            if self._mask is not None:
                undamaged = undamaged_pixels(self._mask, self._threshold, rows).astype(np.float32)
                values *= undamaged[..., None]
            count = _sums(undamaged[..., None], factor)  # (b / factor, w, 1)
            mean = _sums(values, factor) / (np.maximum(count, 1) * top)
            means.append(quantise(mean, _UNITS).astype(np.uint16))
            shares.append(count[..., 0] / np.float32(factor**2))
        return np.concatenate(means), np.concatenate(shares)


def undamaged_pixels(mask: Mask, threshold: float, rows: slice) -> NDArray[np.bool_]:
    """The pixels outside the hole (`masks.inpainting_hole` is 0), (h, W)."""
    radius = stroke_radius(*mask.shape)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    first, last, _ = rows.indices(mask.shape[0])
    start = max(0, first - radius)
    damaged = (mask[start : last + radius] >= threshold * 255).astype(np.uint8)
    grown = np.asarray(cv2.dilate(damaged, disc))
    return grown[first - start : last - start] == 0


def _factor(height: int, width: int) -> int:
    """The side of the squares that a photo of this size is measured by, in pixels."""
    short, long = sorted((height, width))
    return max(1, short // SHORT_SIDE, -(-long // _LONG_SIDE))


def _sums(values: Plane, factor: int) -> Plane:
    """Over the squares: (H, W, C) -> (ceil(H / factor), ceil(W / factor), C)."""
    if factor == 1:
        return values
    below, beyond = (-length % factor for length in values.shape[:2])
    padded = cv2.copyMakeBorder(values, 0, below, 0, beyond, cv2.BORDER_CONSTANT, value=(0.0,) * 4)
    size = padded.shape[1] // factor, padded.shape[0] // factor
    means = np.asarray(cv2.resize(padded, size, interpolation=cv2.INTER_AREA), np.float32)
    return means.reshape(*means.shape[:2], values.shape[2]) * np.float32(factor**2)


def _match_tone(after: Image, before: Image, sound: NDArray[np.bool_]) -> Image:
    """`before` (h, w, 3), each channel brought to that of `after` by a x + b, a >= 0."""
    out = before.copy()
    for channel in range(3):
        x: Plane = before[..., channel][sound]  # (n,)
        y: Plane = after[..., channel][sound]  # (n,)
        if not x.size:
            continue
        dx, dy = x - np.mean(x), y - np.mean(y)
        spread, common = float(np.dot(dx, dx)), float(np.dot(dx, dy))
        slope = max(0.0, common / spread) if spread else 1.0
        out[..., channel] = np.mean(y) + slope * (before[..., channel] - np.mean(x))
    return np.clip(out, 0, 1).astype(np.float32)
