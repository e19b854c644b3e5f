"""Which colours things of a kind have in photos, and the share of pixels that no such thing has."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.data.regions import sure_regions
from unfade.data.sources import CleanPhoto
from unfade.eval.images import Image, Plane

LABELLED = ("skin", "hair")  # kinds that labels tell; `data.regions` finds the others
_CHROMA, _LIGHT = 5.0, 20.0  # sides of a cell in a and b, and in L
_EXTENT = 120.0  # of a and b
_PHOTOS = 3  # of a kind that have a colour, for it to be one of theirs

Pixels = NDArray[np.bool_]


class PlausibleColours:
    """The colours of kinds of things in photos.

    A colour belongs to a kind if three photos show it there, or one next to it: cells of 5 units
    of Lab's a and b, and of 20 of L.
    """

    def __init__(self, photos: Iterable[tuple[Plane, dict[str, Pixels]]]) -> None:
        """Learns from photos: Lab (H, W, 3), and kind -> (H, W)."""
        counts: dict[str, NDArray[np.int32]] = {}
        sides = round(2 * _EXTENT / _CHROMA)
        for colours, regions in photos:
            for kind, inside in regions.items():
                shape = (round(100 / _LIGHT), sides, sides)
                count = counts.setdefault(kind, np.zeros(shape, np.int32))
                seen = np.zeros(shape, np.int32)
                seen[_cells(colours[inside])] = 1
                count += seen
        kernel = np.ones((3, 3), np.uint8)
        self._known = {
            kind: np.stack([cv2.dilate(plane, kernel) for plane in (count >= _PHOTOS).astype("u1")])
            for kind, count in counts.items()
        }

    def outside(self, colours: Plane, regions: dict[str, Pixels]) -> dict[str, float]:
        """The share of a region's pixels with a colour that its kind has nowhere.

        Args:
            colours: (H, W, 3) Lab.
            regions: kind -> (H, W); kinds that were never seen are left out.
        """
        return {
            kind: 1 - float(self._known[kind][_cells(colours[inside])].mean())
            for kind, inside in regions.items()
            if kind in self._known and inside.any()
        }


def kinds_of(photo: CleanPhoto, image: Image, colours: Plane) -> dict[str, Pixels]:
    """The kinds of things in a photo: skin and hair where labelled, and sure regions.

    Args:
        image: (H, W, 3), the photo at the size that is looked at.
        colours: (H, W, 3), its Lab.

    Returns:
        Kind -> (H, W).
    """
    regions = sure_regions(colours.astype(np.float32), photo.captions)
    found = {kind: region > 0.5 for kind, region in regions.items()}
    if photo.labels is not None:
        levels = np.asarray(
            cv2.resize(photo.labels.decode(), image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        )
        for level, name in photo.labels.names.items():
            if name in LABELLED and (levels == level).any():
                found[name] = levels == level
    return found


def _cells(colours: Plane) -> tuple[NDArray[np.intp], ...]:
    """(N, 3) Lab -> the indices of L, a and b."""
    light = np.clip(colours[:, 0] / _LIGHT, 0, 100 / _LIGHT - 1)
    chroma = np.clip((colours[:, 1:] + _EXTENT) / _CHROMA, 0, 2 * _EXTENT / _CHROMA - 1)
    return light.astype(np.intp), *chroma.T.astype(np.intp)
