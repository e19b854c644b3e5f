"""Collects the photos of a report: manifests, and pictures within a budget of bytes."""

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

#: Bytes of encoded pictures in one report.
BUDGET = 18_000_000
#: Variants of one photo that are shown.
MAX_VARIANTS = 4
_SIDE_PX = 800  # the longer side of a picture, at most
_QUALITY = 85

Pixels = NDArray[np.uint8]


@dataclass
class Entry:
    """One photo.

    Attributes:
        warnings: sentences.
        pictures: label and data URI of each, all of one size; none if the budget was exceeded.
    """

    manifest: Manifest
    warnings: list[str]
    pictures: list[tuple[str, str]]

    @property
    def rank(self) -> float:
        """The sort key: the alignment, infinite if it was not measured."""
        alignment = self.manifest["alignment"]
        return math.inf if alignment is None else alignment

    @property
    def size(self) -> int:
        """Bytes of the pictures."""
        return sum(len(uri) for _, uri in self.pictures)


class Album:
    """The photos of a batch. Beyond the budget, pictures of the best aligned are dropped.

    Args:
        budget: bytes of pictures.
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self.entries: dict[Path, Entry] = {}
        self._budget = budget
        self._used = 0
        self._rank_limit = math.inf  # photos from this rank on have no pictures

    @property
    def left_out(self) -> int:
        """Photos without pictures."""
        return sum(not entry.pictures for entry in self.entries.values())

    def add(
        self, source: Path, manifest: Manifest, warnings: list[str], before: Photo,
        restored: Restored,
    ) -> None:  # fmt: skip
        """Adds a photo that was restored in this run."""
        variants = [restored, *restored.variants][:MAX_VARIANTS]
        after = [photo.image for photo in variants]
        size = _size(after[0])
        labelled = _before_and_after(before, after, size)
        if restored.mask is not None:
            threshold = float(str(manifest["options"]["threshold"]))
            labelled.append(("damage", _gray(harden(restored.mask, threshold), size)))
        content_map = restored.alignment_map(size)
        if content_map is not None:
            labelled.append(("other content", _content_map(content_map)))
        self._add(source, Entry(manifest, warnings, _encode(labelled)))

    def add_finished(
        self, source: Path, manifest: Manifest, before: Photo, after: Sequence[Photo]
    ) -> None:
        """Adds a photo that was restored before; its mask is no longer known."""
        labelled = _before_and_after(before, after[:MAX_VARIANTS], _size(after[0]))
        self._add(source, Entry(manifest, [], _encode(labelled)))

    def _add(self, source: Path, entry: Entry) -> None:
        self.entries[source] = entry
        if entry.rank >= self._rank_limit:
            entry.pictures = []
        self._used += entry.size
        while self._used > self._budget:
            best = max(filter(lambda e: e.pictures, self.entries.values()), key=lambda e: e.rank)
            self._used -= best.size
            self._rank_limit = best.rank
            best.pictures = []


def _size(photo: Photo) -> tuple[int, int]:
    return panel_size(photo.height, photo.width, _SIDE_PX)


def _before_and_after(
    before: Photo, after: Sequence[Photo], size: tuple[int, int]
) -> list[tuple[str, Pixels]]:
    names = ["after"] if len(after) == 1 else [f"after, {i}" for i in range(1, len(after) + 1)]
    labelled = [("before", panel(before, *size))]
    return labelled + [
        (name, panel(photo, *size)) for name, photo in zip(names, after, strict=True)
    ]


def _gray(plane: Pixels, size: tuple[int, int]) -> Pixels:
    """(H, W) -> (*size, 3), by area."""
    small = cv2.resize(plane, size[::-1], interpolation=cv2.INTER_AREA)
    return np.repeat(np.asarray(small, np.uint8)[..., None], 3, axis=2)


def _content_map(alignment: NDArray[np.float32]) -> Pixels:
    """Alignment (H, W) -> (H, W, 3): black at 1, over red to white at 0.5 and below."""
    difference = np.clip(2 * (1 - alignment), 0, 1)
    bgr = cv2.applyColorMap((255 * difference).astype(np.uint8), cv2.COLORMAP_HOT)
    return np.asarray(bgr, np.uint8)[..., ::-1]


def _encode(labelled: Sequence[tuple[str, Pixels]]) -> list[tuple[str, str]]:
    return [(label, data_uri(jpeg(rgb, quality=_QUALITY), "image/jpeg")) for label, rgb in labelled]
