"""Reads labelled garments: the mask of each garment, and captions that name its colour."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.data.recolour import Lab, draw_name, everyday_name, recoloured
from unfade.data.sources import CleanPhoto
from unfade.degrade.types import Mask

#: Classes that are no garment, or too small to have a colour of their own.
SKIPPED = {
    "skin", "accessories", "sunglasses", "glasses", "bracelet", "necklace", "watch", "ring",
    "earrings", "wallet",
}  # fmt: skip
#: Colours that hair is dyed or born with.
HAIR = ("black", "brown", "blonde", "auburn", "chestnut", "gray", "red", "copper", "white")
_LEAST = 0.015  # of the crop, the smallest region that is given a colour
_BACKGROUND = ("background", "wall", "backdrop")
_PLAIN = {"null": 0.12, "hair": 0.25}  # weights of what is no garment; a garment has 1
_TWO = 0.4  # share of the samples with two regions of new colours
_KEPT = 0.5  # share of the other garments that are named
_PEOPLE = ("a person", "a woman", "someone", "a man", "a girl", "a lady")
_PART = re.compile(r"^(?:an? )?(?P<colour>.*?) ?(?P<noun>[a-z-]+)$")

Regions = dict[str, Mask]


def label_regions(labels: NDArray[np.uint8], names: Mapping[int, str]) -> Regions:
    """The regions of a crop that can be recoloured, with soft edges.

    Args:
        labels: (H, W), gray levels.
        names: gray level -> the name of the class.

    Returns:
        Name -> (H, W) in [0, 1].
    """
    regions: Regions = {}
    for level, name in names.items():
        inside = labels == level
        if name not in SKIPPED and inside.mean() >= _LEAST:
            sharp = inside.astype(np.float32)
            regions[name] = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 0.7), np.float32)
    return regions


def named_parts(caption: str) -> dict[str, str]:
    """Garment -> colour from a caption such as "a person with navy coat, black shoes"."""
    text = re.sub(r"^a person with ", "", caption.strip().lower())
    parts = [_PART.match(part.strip()) for part in text.split(",")]
    return {m["noun"]: m["colour"] for m in parts if m is not None and m["colour"]}


def recolour_garments(
    lab: Lab, regions: Regions, captions: Sequence[str], rng: np.random.Generator
) -> tuple[Lab, str, list[Mask]]:
    """Gives one or two regions a random colour, and makes a caption that names it.

    Args:
        lab: (H, W, 3).
        regions: from `label_regions`, not empty.
        captions: of the original photo; their words for other garments stay true.

    Returns:
        The photo, its caption, and the regions that have a new colour.
    """
    names = sorted(regions)
    weight = np.array([_PLAIN.get(name, 1.0) for name in names])
    count = min(len(names), 2 if rng.random() < _TWO else 1)
    chosen = rng.choice(len(names), count, replace=False, p=weight / weight.sum())
    parts = named_parts(captions[0]) if captions else {}
    parts = {noun: colour for noun, colour in parts.items() if rng.random() < _KEPT}
    changed: list[Mask] = []
    for position in chosen:
        name = names[int(position)]
        region = regions[name]
        light = float(lab[..., 0][region > 0.5].mean())
        colour = str(rng.choice(HAIR)) if name == "hair" else draw_name(light, rng)
        lab = recoloured(lab, region, colour, rng)
        noun = str(rng.choice(_BACKGROUND)) if name == "null" else name
        parts[noun] = everyday_name(colour, light, rng)
        changed.append(region)
    return lab, sentence(parts, rng), changed


def garment_words(photos: Sequence[CleanPhoto]) -> list[str]:
    """The words for labelled regions, people and backgrounds that captions may contain."""
    names = {name for photo in photos if photo.labels for name in photo.labels.names.values()}
    return [*sorted(names), *_BACKGROUND, *_PEOPLE]


def sentence(parts: Mapping[str, str], rng: np.random.Generator) -> str:
    """A phrase for things and their colours, in random order: "a woman in a red dress".

    Args:
        parts: noun -> colour.
    """
    nouns = list(parts)
    order: list[int] = rng.permutation(len(nouns)).tolist()
    phrases = [_phrase(parts[nouns[i]], nouns[i], rng) for i in order]
    joint = str(rng.choice([", ", " and "]))
    text = joint.join(phrases)
    if rng.random() < 0.5:
        return text
    return f"{rng.choice(_PEOPLE)} {rng.choice(['with', 'in', 'wearing'])} {text}"


def _phrase(colour: str, noun: str, rng: np.random.Generator) -> str:
    plural = noun.endswith("s") and not noun.endswith("ss")
    if plural or noun == "hair" or rng.random() < 0.4:
        return f"{colour} {noun}"
    return f"{'an' if colour[0] in 'aeiou' else 'a'} {colour} {noun}"
