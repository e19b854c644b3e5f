"""What a report shows of each photo: its manifest, and pictures as long as there is room."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.imaging import Photo
from unfade.manifest import Manifest
from unfade.masks import harden
from unfade.pages.page import data_uri
from unfade.pages.pictures import jpeg, panel, panel_size
from unfade.types import Restored

#: Bytes of pictures in one report, as they are written into it.
BUDGET = 18_000_000
#: Variants of one photo that are shown.
MOST_VARIANTS = 4
_SIDE_PX = 800  # the longer side of a picture, at most
_QUALITY = 85

Pixels = NDArray[np.uint8]


@dataclass
class Entry:
    """One photo.

    Attributes:
        warnings: sentences.
        pictures: label and data URI of each, all of one size; none where there was no room.
    """

    manifest: Manifest
    warnings: list[str]
    pictures: list[tuple[str, str]]

    @property
    def rank(self) -> float:
        """What photos are ordered by: the alignment, infinite where it was not measured."""
        alignment = self.manifest["alignment"]
        return math.inf if alignment is None else alignment

    @property
    def size(self) -> int:
        """Bytes of the pictures."""
        return sum(len(uri) for _, uri in self.pictures)


class Album:
    """The photos of a batch. Where the pictures outgrow the budget, the best aligned go.

    Args:
        budget: bytes of pictures.
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self.entries: dict[Path, Entry] = {}
        self._budget = budget
        self._used = 0
        self._limit = math.inf  # of the rank, from which on there is no room

    @property
    def left_out(self) -> int:
        """Photos without pictures."""
        return sum(not entry.pictures for entry in self.entries.values())

    def add(
        self, source: Path, manifest: Manifest, warnings: list[str], before: Photo,
        restored: Restored,
    ) -> None:  # fmt: skip
        """Takes a photo that was restored now."""
        made = [restored, *restored.variants][:MOST_VARIANTS]
        after = [one.image for one in made]
        size = _size(after[0])
        shown = _before_and_after(before, after, size)
        if restored.mask is not None:
            threshold = float(str(manifest["options"]["threshold"]))
            shown.append(("damage", _gray(harden(restored.mask, threshold), size)))
        found = restored.alignment_map(size)
        if found is not None:
            shown.append(("other content", _heat(found)))
        self._keep(source, Entry(manifest, warnings, _encoded(shown)))

    def add_finished(
        self, source: Path, manifest: Manifest, before: Photo, after: Sequence[Photo]
    ) -> None:
        """Takes a photo that was restored before; its mask is not known any more."""
        shown = _before_and_after(before, after[:MOST_VARIANTS], _size(after[0]))
        self._keep(source, Entry(manifest, [], _encoded(shown)))

    def _keep(self, source: Path, entry: Entry) -> None:
        self.entries[source] = entry
        if entry.rank >= self._limit:
            entry.pictures = []
        self._used += entry.size
        while self._used > self._budget:
            best = max(filter(lambda e: e.pictures, self.entries.values()), key=lambda e: e.rank)
            self._used -= best.size
            self._limit = best.rank
            best.pictures = []


def _size(photo: Photo) -> tuple[int, int]:
    return panel_size(photo.height, photo.width, _SIDE_PX)


def _before_and_after(
    before: Photo, after: Sequence[Photo], size: tuple[int, int]
) -> list[tuple[str, Pixels]]:
    names = ["after"] if len(after) == 1 else [f"after, {i}" for i in range(1, len(after) + 1)]
    shown = [("before", panel(before, *size))]
    return shown + [(name, panel(one, *size)) for name, one in zip(names, after, strict=True)]


def _gray(plane: Pixels, size: tuple[int, int]) -> Pixels:
    """(H, W) -> (*size, 3), by area."""
    small = cv2.resize(plane, size[::-1], interpolation=cv2.INTER_AREA)
    return np.repeat(np.asarray(small, np.uint8)[..., None], 3, axis=2)


def _heat(places: NDArray[np.float32]) -> Pixels:
    """Alignment (H, W) -> (H, W, 3): black at 1, over red to white at 0.5 and below."""
    other = np.clip(2 * (1 - places), 0, 1)
    bgr = cv2.applyColorMap((255 * other).astype(np.uint8), cv2.COLORMAP_HOT)
    return np.asarray(bgr, np.uint8)[..., ::-1]


def _encoded(shown: Sequence[tuple[str, Pixels]]) -> list[tuple[str, str]]:
    return [(label, data_uri(jpeg(rgb, quality=_QUALITY), "image/jpeg")) for label, rgb in shown]
