"""Gives regions of a photo the colours that the user chose.

The luminance stays (Lab's L, as where the diffusion model colours); a and b become the colour's.
A mask may be a rough stroke: it is refined by a joint bilateral filter with the luma as guide,
computed on a bilateral grid (Paris and Durand, ECCV 2006). The weight of a pixel is the painted
share of the pixels around it that have a similar luma, so that the region follows the edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from unfade.colours import Rgb
from unfade.errors import InputError
from unfade.imaging import Photo, read_mask
from unfade.imaging.photo import resize
from unfade.imaging.transforms import luma
from unfade.models.tensors import from_array
from unfade.options import RestoreOptions
from unfade.pipeline.colour import to_lab, with_chroma
from unfade.pipeline.tiling import bands

_LONG_SIDE = 1024  # pixels, at most, of the copy that the grid is computed on
_REACH = 1 / 24  # standard deviation of the neighbourhood, of the long side, at most
_LEVELS = 13  # of luma
_HALVINGS = 4  # of the reach, for thin strokes
_CELL = 0.5  # of the reach, the side of a cell of the grid
_VOTE_RANGE = (0.35, 0.65)  # painted shares at similar luma between which a colour fades in
_SHARE_RANGE = (0.1, 0.25)  # the same for the painted share at any luma: limits the distance
_ROWS = 256  # coloured together

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class RegionColour:
    """A region and its colour.

    Attributes:
        mask: (h, w), the share of each pixel that was painted, 0..1, on the small grid.
        rgb: sRGB, 0..255.
    """

    mask: Plane
    rgb: Rgb


def read_region_colours(photo: Photo, options: RestoreOptions) -> list[RegionColour]:
    """Reads the masks of the regions that get a colour.

    Raises:
        InputError: a mask cannot be read, does not fit, or has nothing white.
    """
    regions: list[RegionColour] = []
    size = photo.height, photo.width
    for region in options.colour_regions:
        mask = read_mask(region.mask, size=size, max_pixels=options.max_pixels)
        if not (mask >= 128).any():
            fix = "paint the region white"
            raise InputError("a mask without a region", "some white", fix, path=region.mask)
        painted = (mask >= 128).astype(np.float32)
        regions.append(RegionColour(resize(painted, _small_size(*size)), region.rgb))
    return regions


def with_region_colours(photos: Sequence[Photo], regions: Sequence[RegionColour]) -> list[Photo]:
    """The photos with their regions coloured; a gray one becomes one with colours.

    Every pixel outside the regions keeps its value, bit for bit.

    Args:
        photos: of the size that the regions were read for; one may be there several times.
        regions: where two overlap, the later one counts.
    """
    distinct = {id(photo): photo for photo in photos}
    coloured = {key: _coloured(photo, regions) for key, photo in distinct.items()}
    return [coloured[id(photo)] for photo in photos]


def _coloured(photo: Photo, regions: Sequence[RegionColour]) -> Photo:
    light = _small_luma(photo)
    votes = [
        (_Votes.count(group, light), region.rgb) for region in regions for group in _groups(region)
    ]
    out = photo.blank(gray=False)
    everything = slice(0, photo.width)
    for rows in bands(photo.height, _ROWS):
        rgb = photo.srgb(rows, everything)  # (n, W, 3)
        size = photo.height, photo.width
        weights = [(vote.weight(luma(rgb)[..., 0], rows, size), colour) for vote, colour in votes]
        unchanged = np.all([weight == 0 for weight, _ in weights], axis=0)
        if not unchanged.all():
            rgb = _tinted(rgb, weights)
        out.put_srgb(rows, everything, rgb, keep=unchanged, source=photo)
    return out


def _tinted(rgb: Plane, weights: Sequence[tuple[Plane, Rgb]]) -> Plane:
    """(n, W, 3) sRGB with the chroma of each colour, by its weight (n, W)."""
    picture = from_array(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None]  # (1, 3, n, W)
    chroma = to_lab(picture)[:, 1:]
    for weight, colour in weights:
        colour_ab = to_lab(torch.tensor(colour).reshape(1, 3, 1, 1) / 255)[:, 1:]  # (1, 2, 1, 1)
        chroma = torch.lerp(chroma, colour_ab.expand_as(chroma), from_array(weight)[None, None])
    out = with_chroma(chroma, picture)[0]
    return np.ascontiguousarray(out.permute(1, 2, 0).numpy())


@dataclass(frozen=True)
class _Votes:
    """The blurred bilateral grid of a mask: counts of painted and of all pixels by luma level.

    Attributes:
        painted, all: (_LEVELS, gh, gw), of the pixels of each luma.
        share: (gh, gw), the painted share whatever the luma.
    """

    painted: Plane
    all: Plane
    share: Plane

    @classmethod
    def count(cls, group: tuple[Plane, float], light: Plane) -> _Votes:
        """The grid of a mask (h, w), with a reach in pixels of `light` (h, w)."""
        mask, reach = group
        cell = max(1.0, _CELL * reach)
        size = tuple(max(1, round(side / cell)) for side in light.shape)
        sigma = reach / cell

        def blurred(plane: Plane) -> Plane:
            small = resize(plane, (size[0], size[1]))
            return np.asarray(
                cv2.GaussianBlur(small, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), np.float32
            )

        levels = [_level_weight(light, level) for level in range(_LEVELS)]
        return cls(
            np.stack([blurred(level * mask) for level in levels]),
            np.stack([blurred(level) for level in levels]),
            blurred(mask),
        )

    def weight(self, light: Plane, rows: slice, size: tuple[int, int]) -> Plane:
        """The weight of pixels in the region, (n, W) 0..1.

        Args:
            light: (n, W), their luma, 0..1.
            rows: n rows of the photo.
            size: of the photo.
        """
        nearby = _smoothstep(_rows_of(self.share, rows, size), *_SHARE_RANGE)
        if not nearby.any():
            return nearby
        votes, total = np.zeros_like(light), np.full_like(light, 1e-6)
        for level in range(_LEVELS):
            counts = _level_weight(light, level)
            if counts.any():
                votes += counts * _rows_of(self.painted[level], rows, size)
                total += counts * _rows_of(self.all[level], rows, size)
        return nearby * _smoothstep(votes / total, *_VOTE_RANGE)


def _level_weight(light: Plane, level: int) -> Plane:
    """Linear weights of luma 0..1 at a level: 1 at the level, 0 at its neighbours."""
    return np.maximum(0, 1 - np.abs(light * np.float32(_LEVELS - 1) - level)).astype(np.float32)


def _smoothstep(share: Plane, low: float, high: float) -> Plane:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((share - np.float32(low)) / np.float32(high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def _rows_of(plane: Plane, rows: slice, size: tuple[int, int]) -> Plane:
    """Some rows of a small plane (h, w) brought to a size, linearly: (n, W)."""
    down, across = plane.shape[0] / size[0], plane.shape[1] / size[1]
    transform = np.array(
        [[across, 0, 0.5 * across - 0.5], [0, down, (rows.start + 0.5) * down - 0.5]], np.float64
    )
    area = size[1], rows.stop - rows.start
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    resized = cv2.warpAffine(plane, transform, area, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(resized, np.float32)


def _groups(region: RegionColour) -> list[tuple[Plane, float]]:
    """Splits a mask into parts by thickness, each with its reach.

    Thin strokes need a small reach, as they are a small share of a large neighbourhood.
    """
    mask = (region.mask >= 0.5).astype(np.uint8)
    distance = cv2.distanceTransform(cv2.copyMakeBorder(mask, 1, 1, 1, 1, 0), cv2.DIST_L2, 5)
    distance = np.asarray(distance, np.float32)[1:-1, 1:-1]
    count, labels = cv2.connectedComponents(mask)
    parts = np.asarray(labels, np.int32)
    thickness = np.zeros(count, np.float32)
    np.maximum.at(thickness, parts.ravel(), distance.ravel())
    max_reach = _REACH * max(mask.shape)
    halvings = np.ceil(np.log2(max_reach / np.maximum(0.75 * thickness, 1e-3))).clip(0, _HALVINGS)
    step = np.where(parts > 0, halvings[parts], -1)  # (h, w)
    groups = [
        (np.where(step == n, region.mask, np.float32(0)), max_reach / 2**n)
        for n in range(_HALVINGS + 1)
    ]
    return [(part, reach) for part, reach in groups if part.any()]


def _small_size(height: int, width: int) -> tuple[int, int]:
    factor = min(1.0, _LONG_SIDE / max(height, width))
    return max(1, round(factor * height)), max(1, round(factor * width))


def _small_luma(photo: Photo) -> Plane:
    """The luma of a photo on the small grid, (h, w) 0..1, made band by band."""
    height, width = _small_size(photo.height, photo.width)
    out = np.empty((height, width), np.float32)
    step = max(1, _ROWS * height // photo.height)
    for first in range(0, height, step):
        last = min(first + step, height)
        top, stop = (round(row * photo.height / height) for row in (first, last))
        band = luma(photo.srgb(slice(top, stop), slice(0, photo.width)))[..., 0]
        out[first:last] = resize(band, (last - first, width))
    return out
