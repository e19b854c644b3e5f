"""Cuts and encodes the pictures of a report, within a budget of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from unfade.bench.sections import Scene, Section
from unfade.degrade.types import Image
from unfade.errors import UnfadeError
from unfade.eval.evaluation import read_rgb
from unfade.pages.page import data_uri
from unfade.pages.pictures import jpeg

SIDE = 256  # pixels of a crop, at most
BUDGET = 14_000_000  # bytes of pictures in one report, as they are written into it
_QUALITY = 90


@dataclass(frozen=True)
class EncodedScene:
    """A scene whose pictures can be written into a page.

    Attributes:
        pictures: label and data URI, all of one size.
    """

    scene: Scene
    pictures: tuple[tuple[str, str], ...]

    @property
    def size(self) -> int:
        """Bytes in the page."""
        return sum(len(uri) for _, uri in self.pictures)


def encode_scenes(
    sections: Sequence[Section], out: Path
) -> tuple[dict[str, list[EncodedScene]], int]:
    """The scenes of each section whose pictures fit into the budget.

    Every section has its first scenes before another has its later ones.

    Returns:
        Section -> scenes, and how many were left out.
    """
    encoded: dict[str, list[EncodedScene]] = {section.name: [] for section in sections}
    used, left = 0, 0
    for rank in range(max((len(section.scenes) for section in sections), default=0)):
        for section in sections:
            if rank >= len(section.scenes):
                continue
            scene = _encode_scene(section.scenes[rank], out)
            if scene is None or used + scene.size > BUDGET:
                left += 1
                continue
            used += scene.size
            encoded[section.name].append(scene)
    return encoded, left


def _encode_scene(scene: Scene, out: Path) -> EncodedScene | None:
    """Encodes a scene; None if a picture is missing."""
    try:
        photos = [(p.label, read_rgb(out / p.path)) for p in scene.pictures]
    except UnfadeError:
        return None
    height, width = (max(image.shape[axis] for _, image in photos) for axis in (0, 1))
    images = [(label, _enlarged(image, height, width)) for label, image in photos]
    top, left, side = _window([image for _, image in images])
    cut = slice(top, top + side), slice(left, left + side)
    pictures = tuple((label, data_uri(_jpeg(image[cut]), "image/jpeg")) for label, image in images)
    return EncodedScene(scene, pictures)


def _enlarged(image: Image, height: int, width: int) -> Image:
    """(h, w, 3) -> (height, width, 3); a smaller one by its nearest pixels, as it is."""
    if image.shape[:2] == (height, width):
        return image
    large = cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(large, np.float32)


def _window(images: Sequence[Image]) -> tuple[int, int, int]:
    """Top, left and side of the square where the pictures differ most."""
    height, width = images[0].shape[:2]
    side = min(SIDE, height, width)
    spread = np.ptp(np.stack([image.mean(2) for image in images]), 0)  # (H, W)
    sums = np.asarray(cv2.integral(spread.astype(np.float32)), np.float64)  # (H + 1, W + 1)
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    top, left = np.unravel_index(int(np.argmax(inside)), inside.shape)
    return int(top), int(left), side


def _jpeg(image: Image) -> bytes:
    """A JPEG without loss of colour resolution."""
    pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return jpeg(pixels, quality=_QUALITY)
