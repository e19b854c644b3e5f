"""Makes prompts for training pictures from captions and from phrases about colours.

Captions name objects but seldom colours, and there are few photos: colour words alone would not
be learnt. Phrases such as "blue above, green below" say where a colour is, and are true for any
crop of the photo.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.degrade.types import Image, extent

COLOURS = (
    "black", "gray", "white", "red", "orange", "brown", "tan", "yellow", "green", "blue",
    "purple", "pink",
)  # fmt: skip
_CHROMATIC = 3  # COLOURS from here on have a hue
_MONOCHROME = ("a black and white photo", "gray and white", "monochrome")
_PLACES = {
    "top": ("{} top", "{} at the top", "{} above"),
    "bottom": ("{} bottom", "{} at the bottom", "{} below"),
    "left": ("{} on the left", "{} left"),
    "right": ("{} on the right", "{} right"),
    "middle": ("{} in the middle", "{} middle", "{} in front"),
}
_WHOLE = ("mostly {}", "{}", "all {}")
_SOME = ("some {}", "a little {}", "{}")
Names = NDArray[np.uint8]  # indices into COLOURS


def colour_map(image: Image, height: int, width: int) -> Names:
    """The name of each cell's mean colour, by hue, saturation and value.

    Args:
        image: (H, W, 3) float32, sRGB [0, 1].

    Returns:
        (height, width), indices into COLOURS.
    """
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    hsv = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)  # hue in degrees
    h, s, v = (np.asarray(hsv[..., i], np.float32) for i in range(3))
    warm, light = (h >= 10) & (h < 48), v >= 0.55
    hues = [
        (warm & (s > 0.6) & light, "orange"),
        (warm & light, "tan"),
        (warm, "brown"),
        ((h < 10) | (h >= 345), "red"),
        ((h < 70) & light, "yellow"),
        (h < 175, "green"),
        (h < 260, "blue"),
        ((h < 290) | ~light, "purple"),
    ]
    name = np.full(h.shape, COLOURS.index("pink"))
    for where, colour in reversed(hues):
        name = np.where(where, COLOURS.index(colour), name)
    pale = (name == COLOURS.index("red")) & (s < 0.5) & (v > 0.65)
    name = np.where(pale, COLOURS.index("pink"), name)
    gray = np.where(v < 0.2, 0, np.where(v > 0.85, 2, 1))
    hueless = (s < 0.15) | (v < 0.14) | (s * v < 0.08)
    return np.where(hueless, gray, name).astype(np.uint8)


def _shares(names: Names) -> NDArray[np.float64]:
    """(len(COLOURS),), the share of pixels of each colour."""
    return np.bincount(names.ravel(), minlength=len(COLOURS)) / names.size


def phrases(names: Names, rng: np.random.Generator) -> str:
    """Says where a picture has which colours, in words drawn at random.

    Args:
        names: (H, W), from `colour_map`.
    """
    height, width = extent(names)
    whole = _shares(names)
    if whole[_CHROMATIC:].sum() < 0.02:
        return str(rng.choice(_MONOCHROME))
    upper, left = -(-3 * height // 8), -(-3 * width // 8)
    rows, columns = slice(height // 4, -(-3 * height // 4)), slice(width // 4, -(-3 * width // 4))
    regions = {
        "top": names[:upper],
        "bottom": names[-upper:],
        "left": names[:, :left],
        "right": names[:, -left:],
        "middle": names[rows, columns],
    }
    words: list[str] = []
    main = int(whole.argmax())
    if whole[main] > 0.5:
        words.append(str(rng.choice(_WHOLE)).format(COLOURS[main]))
    for position, part in regions.items():
        shares = _shares(part)
        colour = int(shares.argmax())
        if shares[colour] > 0.4 and (whole[main] <= 0.5 or colour != main):
            words.append(str(rng.choice(_PLACES[position])).format(COLOURS[colour]))
    text = " ".join(words)
    for colour in np.flatnonzero(whole > 0.03):
        if colour >= _CHROMATIC and COLOURS[colour] not in text:
            words.append(str(rng.choice(_SOME)).format(COLOURS[colour]))
    words = words or [COLOURS[main]]
    chosen: list[int] = rng.permutation(len(words))[: rng.integers(1, 4)].tolist()
    return ", ".join(words[i] for i in sorted(chosen))


def describe(captions: Sequence[str], names: Names, rng: np.random.Generator) -> str:
    """A prompt for a training picture: one of its captions, its colours, or both.

    Args:
        captions: of the whole photo; may be empty.
        names: (H, W), from `colour_map`, of the part that the network sees.
    """
    colours = phrases(names, rng)
    if not captions:
        return colours
    caption = str(rng.choice(list(captions))).strip().rstrip(".").strip()
    roll = rng.random()
    if roll < 0.35:
        return caption
    return colours if roll < 0.6 else f"{caption}, {colours}"


def phrase_words() -> list[str]:
    """Everything that `phrases` may say, for a vocabulary."""
    forms = [form for forms in (*_PLACES.values(), _WHOLE, _SOME) for form in forms]
    return [*_MONOCHROME, *COLOURS, *(form.format("") for form in forms)]
