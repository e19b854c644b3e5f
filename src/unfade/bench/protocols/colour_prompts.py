"""Makes pairs of prompts that differ in one colour word, from photos and their captions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.bench.protocols.photos import Pixels, to_pixels
from unfade.data.captions import COLOURS
from unfade.eval.colour import lab
from unfade.eval.images import Image
from unfade.files import atomic_file

#: What a word stands for, sRGB in 0..255. Those from "orange" on are never put in a word's place.
COLOUR_OF = {
    "red": (190, 40, 40), "yellow": (225, 205, 60), "green": (60, 140, 60), "blue": (50, 90, 200),
    "orange": (235, 130, 40), "brown": (120, 75, 45), "purple": (120, 60, 160),
    "pink": (235, 150, 180),
}  # fmt: skip
_REPLACEMENTS = ("red", "yellow", "green", "blue")
_REGIONS = {
    "at the top": (slice(0, 3 / 8), slice(0, 1)),
    "at the bottom": (slice(5 / 8, 1), slice(0, 1)),
    "on the left": (slice(0, 1), slice(0, 3 / 8)),
    "on the right": (slice(0, 1), slice(5 / 8, 1)),
    "in the middle": (slice(1 / 4, 3 / 4), slice(1 / 4, 3 / 4)),
}
_LEAST, _MOST = 0.02, 0.6  # share of a photo that has the colour of its caption
_MAIN = 0.4  # share of a region that has the colour of a phrase
_FAR = 60.0  # least difference in hue between two words, degrees
_STRIP, _SIDE = 18, 224  # pixels: height of the caption, side of a picture


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
    region: NDArray[np.bool_]


def direction(word: str, other: str) -> NDArray[np.float64]:
    """(2,), of length 1: from one colour to another in Lab's a and b."""
    way = _chroma_of(other) - _chroma_of(word)
    return way / np.linalg.norm(way)


def caption_pairs(
    photo: str, captions: Sequence[str], names: NDArray[np.uint8], rng: np.random.Generator
) -> list[Pair]:
    """Captions with one colour word, of a colour that part of the photo has.

    Args:
        photo: name of the photo.
        captions: of the photo.
        names: (h, w), from `colour_map`.
        rng: chooses the other word.
    """
    pairs: list[Pair] = []
    for caption in captions:
        words = re.findall(rf"\b({'|'.join(COLOURS)})\b", caption.lower())
        if len(words) != 1 or words[0] not in COLOUR_OF:
            continue
        word = words[0]
        region = names == COLOURS.index(word)
        if _LEAST <= region.mean() <= _MOST:
            other = _another(word, rng)
            swapped = re.sub(rf"\b{word}\b", other, caption.lower())
            pairs.append(Pair(photo, "caption", (word, other), (caption.lower(), swapped), region))
    return pairs


def phrase_pairs(photo: str, names: NDArray[np.uint8], rng: np.random.Generator) -> list[Pair]:
    """Regions that have one colour for the most part, in an order drawn at random."""
    pairs: list[Pair] = []
    for position in rng.permutation(list(_REGIONS)).tolist():
        region = np.zeros(names.shape, bool)
        rows, columns = (
            slice(round(part.start * n), round(part.stop * n))
            for part, n in zip(_REGIONS[position], names.shape, strict=True)
        )
        region[rows, columns] = True
        shares = np.bincount(names[region], minlength=len(COLOURS)) / region.sum()
        word = COLOURS[int(shares.argmax())]
        if word in COLOUR_OF and shares.max() > _MAIN:
            other = _another(word, rng)
            prompts = (f"{word} {position}", f"{other} {position}")
            pairs.append(Pair(photo, "phrase", (word, other), prompts, region))
    return pairs


def draw_pairs(path: Path, lines: Sequence[tuple[Pair, float, Sequence[Image]]]) -> None:
    """Writes a PNG with a line for each pair: its prompts above its pictures.

    Args:
        path: file to write.
        lines: pair, its shift, and pictures, (H, W, 3) each, as many in every line.

    Raises:
        OutputError: the file cannot be written.
    """
    rows: list[Pixels] = []
    for pair, shift, images in lines:
        line = np.concatenate([_boxed(to_pixels(image)) for image in images], 1)
        strip = np.zeros((_STRIP, line.shape[1], 3), np.uint8)
        caption = f"{shift:+.1f}  {pair.prompts[0]} -> {pair.words[1]}"
        caption = caption.encode("ascii", "replace").decode()
        cv2.putText(strip, caption, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1)
        rows += [strip, line]
    if rows:
        code = cv2.imencode(".png", np.ascontiguousarray(np.concatenate(rows)[..., ::-1]))[1]
        with atomic_file(path) as file:
            file.write(code.tobytes())


def _boxed(pixels: Pixels) -> Pixels:
    """(H, W, 3) -> (_SIDE, _SIDE, 3), as large as it fits, on black."""
    factor = _SIDE / max(pixels.shape[:2])
    size = (round(factor * pixels.shape[1]), round(factor * pixels.shape[0]))
    out = np.zeros((_SIDE, _SIDE, 3), np.uint8)
    out[: size[1], : size[0]] = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return out


def _chroma_of(word: str) -> NDArray[np.float64]:
    """(2,): Lab's a and b of a colour word."""
    return lab(np.array(COLOUR_OF[word], np.float32)[None, None] / np.float32(255))[0, 0, 1:]


def _another(word: str, rng: np.random.Generator) -> str:
    """A colour of quite another hue."""

    def hue(name: str) -> float:
        a, b = _chroma_of(name)
        return float(np.degrees(np.arctan2(b, a)))

    turns = {name: abs((hue(name) - hue(word) + 180) % 360 - 180) for name in _REPLACEMENTS}
    return str(rng.choice([name for name, turn in turns.items() if turn >= _FAR]))
