"""Selects the photos of a protocol and converts them to 8-bit inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from unfade.errors import UsageError
from unfade.eval.images import Image
from unfade.imaging import SUFFIXES, Photo

Pixels = NDArray[np.uint8]
T = TypeVar("T")


def photos_in(folder: Path, count: int | None = None) -> list[Path]:
    """Photos directly in a folder, sorted by name; `count` of them spread evenly, None for all.

    Raises:
        UsageError: the folder is missing, or holds no photo.
    """
    if not folder.is_dir():
        raise UsageError("no such folder", "a folder of photos", "check --data", path=folder)
    files = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    if not files:
        expected = f"photos ({' '.join(sorted(SUFFIXES))})"
        raise UsageError("a folder without photos", expected, "name another", path=folder)
    return spread(files, count)


def spread(items: Sequence[T], count: int | None) -> list[T]:
    """At most `count` items, spread evenly over a sequence; None takes all."""
    if count is None or count >= len(items):
        return list(items)
    indices = np.unique(np.linspace(0, len(items) - 1, count).round().astype(int))
    return [items[i] for i in indices]


def to_pixels(image: Image) -> Pixels:
    """(H, W, C) float [0, 1] -> uint8."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def to_image(pixels: Pixels) -> Image:
    """(H, W, C) uint8 -> float32 [0, 1]."""
    return pixels.astype(np.float32) / np.float32(255)


def srgb(photo: Photo) -> Image:
    """The whole photo as (H, W, 3) float32 sRGB [0, 1]."""
    return photo.srgb(slice(0, photo.height), slice(0, photo.width))
