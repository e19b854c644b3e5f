"""Finds regions of sky, grass or water by colour, position and caption.

Uncertain regions are left out: a wrong region would teach the network a wrong meaning of a word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.data.garments import Regions
from unfade.data.recolour import Lab, draw_name, everyday_name, name_of, recoloured
from unfade.degrade.types import Mask

Pixels = NDArray[np.bool_]
_LEAST, _MOST = 0.08, 0.75  # share of the crop


@dataclass(frozen=True)
class _Kind:
    """Appearance of a kind of region.

    Attributes:
        words: of captions that name it.
        looks: which pixels may be it, from L, a, b and how much L varies about them.
        edge: the side of the photo that it touches.
    """

    words: tuple[str, ...]
    looks: Callable[[Lab, Lab, Lab, Lab], Pixels]
    edge: str


_KINDS = {
    "sky": _Kind(
        ("sky", "skies", "clouds", "cloudy", "airplane", "parachute"),
        lambda light, a, b, rough: (
            (rough < 4) & (((b < -4) & (a < 12) & (light > 35)) | ((light > 72) & (b < 12)))
        ),
        "top",
    ),
    "grass": _Kind(
        ("grass", "grassy", "lawn", "meadow", "field"),
        lambda light, a, b, rough: (a < -4) & (b > 8) & (light > 15),
        "bottom",
    ),
    "water": _Kind(
        ("water", "pool", "ocean", "sea", "lake", "river"),
        lambda light, a, b, rough: (b < -5) & (a < 8) & (light > 15),
        "bottom",
    ),
    "snow": _Kind(
        ("snow", "snowy"),
        lambda light, a, b, rough: (light > 72) & (np.hypot(a, b) < 12),
        "bottom",
    ),
    "sand": _Kind(
        ("sand", "beach", "sandy"),
        lambda light, a, b, rough: (light > 40) & (b > 7) & (b < 35) & (np.abs(a) < 0.5 * b),
        "bottom",
    ),
}


def sure_regions(lab: Lab, captions: Sequence[str]) -> Regions:
    """The regions of a crop (H, W, 3) that a caption names and whose colours agree.

    Returns:
        Noun -> (H, W) in [0, 1], with soft edges; nothing where there is none.
    """
    words = set(re.findall(r"[a-z]+", " ".join(captions).lower()))
    light, a, b = (np.ascontiguousarray(lab[..., i]) for i in range(3))
    regions: Regions = {}
    rough: Lab | None = None
    for noun, kind in _KINDS.items():
        if words.isdisjoint(kind.words):
            continue
        rough = _roughness(light) if rough is None else rough
        region = _touching(kind.looks(light, a, b, rough), kind.edge)
        if region is not None and _LEAST <= region.mean() <= _MOST:
            regions[noun] = np.asarray(cv2.GaussianBlur(region, (0, 0), 1.0), np.float32)
    return regions


def _roughness(light: Lab) -> Lab:
    """The standard deviation of L in squares of seven pixels."""
    mean, square = cv2.blur(light, (7, 7)), cv2.blur(light * light, (7, 7))
    return np.sqrt(np.maximum(np.asarray(square - mean * mean, np.float32), 0))


def _touching(pixels: Pixels, edge: str) -> Mask | None:
    """The largest connected region, smoothed, if it touches an edge of the photo; else None."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    opened = cv2.morphologyEx(pixels.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, kernel)
    count, labels, sizes, _ = cv2.connectedComponentsWithStats(closed)
    if count < 2:
        return None
    largest = 1 + int(sizes[1:, cv2.CC_STAT_AREA].argmax())
    region = np.asarray(labels) == largest
    row = region[: max(1, len(region) // 20)] if edge == "top" else region[-len(region) // 20 :]
    return region.astype(np.float32) if row.any() else None


def recolour_region(lab: Lab, regions: Regions, rng: np.random.Generator) -> tuple[Lab, str, Mask]:
    """Gives one of the regions a random colour.

    Returns:
        The photo, what is said of it ("pink sky"), and the region.
    """
    noun = sorted(regions)[int(rng.integers(len(regions)))]
    region = regions[noun]
    light = float(lab[..., 0][region > 0.5].mean())
    colour = draw_name(light, rng)
    return (
        recoloured(lab, region, colour, rng),
        f"{everyday_name(colour, light, rng)} {noun}",
        region,
    )


def true_colours(lab: Lab, regions: Regions, rng: np.random.Generator) -> str:
    """Words for the colour of each region: "green grass, sky blue sky"."""
    phrases: list[str] = []
    for noun, region in regions.items():
        mean = lab[region > 0.5].mean(0)
        phrases.append(f"{everyday_name(name_of(mean), float(mean[0]), rng)} {noun}")
    return ", ".join(phrases)
