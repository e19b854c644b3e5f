"""Pairs of prompts that differ in one colour word, made from photos and their captions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scoring import boxed

from unfade.data.captions import COLOURS
from unfade.eval.colour import lab
from unfade.eval.images import Image

#: What a word stands for, sRGB in 0..255. Those from "orange" on are never put in a word's place.
COLOUR_OF = {
    "red": (190, 40, 40), "yellow": (225, 205, 60), "green": (60, 140, 60), "blue": (50, 90, 200),
    "orange": (235, 130, 40), "brown": (120, 75, 45), "purple": (120, 60, 160),
    "pink": (235, 150, 180),
}  # fmt: skip
_OTHERS = ("red", "yellow", "green", "blue")
_PLACES = {
    "at the top": (slice(0, 3 / 8), slice(0, 1)), "at the bottom": (slice(5 / 8, 1), slice(0, 1)),
    "on the left": (slice(0, 1), slice(0, 3 / 8)), "on the right": (slice(0, 1), slice(5 / 8, 1)),
    "in the middle": (slice(1 / 4, 3 / 4), slice(1 / 4, 3 / 4)),
}  # fmt: skip
_LEAST, _MOST = 0.02, 0.6  # of a photo has the colour that its caption names
_MAIN = 0.4  # of a place has the colour that a phrase names
_FAR = 60.0  # degrees of hue between two words, at least
_STRIP, _SIDE = 18, 224  # pixels: of the prompts, and of a picture


@dataclass(frozen=True)
class Pair:
    """Two prompts for one photo.

    Attributes:
        photo: its name without suffix.
        kind: "caption" or "phrase".
        words: the colour that the photo has there, and another.
        prompts: with the one, and with the other.
        region: (h, w) cells that the word is about.
    """

    photo: str
    kind: str
    words: tuple[str, str]
    prompts: tuple[str, str]
    region: np.ndarray


def chroma_of(word: str) -> np.ndarray:
    """(2,): Lab's a and b of a colour word."""
    return lab(np.array(COLOUR_OF[word], np.float32)[None, None] / np.float32(255))[0, 0, 1:]


def direction(word: str, other: str) -> np.ndarray:
    """(2,), of length 1: from one colour to another in Lab's a and b."""
    way = chroma_of(other) - chroma_of(word)
    return way / np.linalg.norm(way)


def another(word: str, rng: np.random.Generator) -> str:
    """A colour of quite another hue."""

    def hue(name: str) -> float:
        a, b = chroma_of(name)
        return float(np.degrees(np.arctan2(b, a)))

    turns = {name: abs((hue(name) - hue(word) + 180) % 360 - 180) for name in _OTHERS}
    return str(rng.choice([name for name, turn in turns.items() if turn >= _FAR]))


def caption_pairs(
    photo: str, captions: Sequence[str], names: np.ndarray, rng: np.random.Generator
) -> list[Pair]:
    """Captions with one colour word, of a colour that part of the photo has.

    Args:
        names: (h, w), from `colour_map`.
    """
    found: list[Pair] = []
    for caption in captions:
        said = re.findall(rf"\b({'|'.join(COLOURS)})\b", caption.lower())
        if len(said) != 1 or said[0] not in COLOUR_OF:
            continue
        word = said[0]
        region = names == COLOURS.index(word)
        if _LEAST <= region.mean() <= _MOST:
            other = another(word, rng)
            swapped = re.sub(rf"\b{word}\b", other, caption.lower())
            found.append(Pair(photo, "caption", (word, other), (caption.lower(), swapped), region))
    return found


def phrase_pairs(photo: str, names: np.ndarray, rng: np.random.Generator) -> list[Pair]:
    """Places that have one colour for the most part, in an order drawn at random."""
    found: list[Pair] = []
    for place in rng.permutation(list(_PLACES)).tolist():
        region = np.zeros(names.shape, bool)
        rows, columns = (
            slice(round(part.start * n), round(part.stop * n))
            for part, n in zip(_PLACES[place], names.shape, strict=True)
        )
        region[rows, columns] = True
        shares = np.bincount(names[region], minlength=len(COLOURS)) / region.sum()
        word = COLOURS[int(shares.argmax())]
        if word in COLOUR_OF and shares.max() > _MAIN:
            other = another(word, rng)
            prompts = (f"{word} {place}", f"{other} {place}")
            found.append(Pair(photo, "phrase", (word, other), prompts, region))
    return found


def draw_pairs(path: Path, lines: Sequence[tuple[Pair, float, Sequence[Image]]]) -> None:
    """A line for each pair: gray, the one prompt, the other, the photo; the prompts above."""
    rows: list[np.ndarray] = []
    for pair, shift, images in lines:
        tiles = [boxed(image, _SIDE).permute(1, 2, 0).numpy() for image in images]
        line = np.rint(np.concatenate(tiles, 1) * 255).astype(np.uint8)
        strip = np.zeros((_STRIP, line.shape[1], 3), np.uint8)
        told = f"{shift:+.1f}  {pair.prompts[0]} -> {pair.words[1]}"
        cv2.putText(strip, told, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1)
        rows += [strip, line]
    if rows:
        cv2.imwrite(str(path), np.ascontiguousarray(np.concatenate(rows)[..., ::-1]))
