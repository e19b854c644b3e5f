"""Colour words and their sRGB values, and the regions of a photo that get a colour."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from unfade.errors import UsageError

Rgb = tuple[int, int, int]

#: As cloth, skin and plants have them rather than paint: only the hue and how strong it is count.
WORDS: dict[str, str] = {
    "red": "#b32432",
    "pink": "#dc8ba0",
    "orange": "#d67a33",
    "yellow": "#d8b840",
    "gold": "#b8923f",
    "brown": "#78502f",
    "skin": "#d6a488",
    "green": "#42793c",
    "olive": "#75743a",
    "turquoise": "#3b9690",
    "sky": "#86b2d6",
    "blue": "#345ba4",
    "navy": "#283660",
    "purple": "#6c438a",
    "gray": "#808080",
}
#: What else colours are called: the words that the colouriser's captions use.
FURTHER_WORDS: dict[str, str] = {
    "black": "#1d1d1f", "charcoal": "#3b3c3e", "silver": "#b4b6b9", "white": "#f1f1ef",
    "ivory": "#efe8d4", "cream": "#ece0c2", "beige": "#d2c2a2", "tan": "#c3a077",
    "khaki": "#a8996c", "camel": "#b88a54", "sand": "#d3bd92", "straw": "#d8c27c",
    "blonde": "#c8a86c", "peach": "#f0b999", "blush": "#e5b6b1", "chocolate": "#4f3323",
    "chestnut": "#6d3c2b", "auburn": "#7a3b26", "mahogany": "#5d2c23", "rust": "#a04a27",
    "copper": "#ac6c46", "bronze": "#8b6b3b", "brick": "#97462f", "scarlet": "#c72a21",
    "crimson": "#9d1c35", "ruby": "#a01d3e", "cherry": "#a41a30", "burgundy": "#6a2034",
    "wine": "#692139", "maroon": "#5b1f27", "coral": "#df715b", "salmon": "#e2927d",
    "apricot": "#ebb07b", "tangerine": "#e4862e", "pumpkin": "#cf6a22", "amber": "#d69a2d",
    "mustard": "#be9a34", "lemon": "#e5d85c", "lime": "#96b73d", "emerald": "#248050",
    "jade": "#408f6b", "mint": "#a5d2b5", "sage": "#9aa788", "moss": "#67733c",
    "forest": "#2d5435", "teal": "#206b6d", "aqua": "#5dbbbf", "cyan": "#40afc4",
    "azure": "#4b8fcf", "denim": "#4d6585", "cobalt": "#2b4c9a", "sapphire": "#20408b",
    "indigo": "#3b3a79", "periwinkle": "#8f97ce", "violet": "#7a509f", "lavender": "#b3a4d2",
    "lilac": "#bfa1ca", "mauve": "#a5809a", "plum": "#6a3660", "magenta": "#af3b83",
    "fuchsia": "#c1408e", "rose": "#c8657a",
}  # fmt: skip
#: All colour words that captions use; `WORDS` are those of the page.
NAMES: dict[str, str] = {**WORDS, **FURTHER_WORDS}
_HEX = re.compile(r"#[0-9a-f]{6}")
#: Oklab (Ottosson, 2020), rows: from linear sRGB to cones, and from their cube roots to L, a, b.
_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


@dataclass(frozen=True)
class ColourRegion:
    """A region of a photo and its colour. UsageError where there is no such colour.

    Attributes:
        mask: a picture of the photo's proportions, the region in white.
        colour: one of WORDS, or #rrggbb in sRGB.
    """

    mask: Path
    colour: str

    def __post_init__(self) -> None:
        _ = self.rgb

    @property
    def rgb(self) -> Rgb:
        """The colour in sRGB, 0..255."""
        return rgb_of(self.colour)

    @property
    def word(self) -> str:
        """The nearest of WORDS, for prompts."""
        return word_for(self.colour)

    @property
    def text(self) -> str:
        """MASK=COLOUR, see `from_text`."""
        return f"{self.mask}={self.colour}"

    @classmethod
    def from_text(cls, text: str) -> ColourRegion:
        """From MASK=COLOUR, such as dress.png=red.

        Raises:
            UsageError: no colour, no such one, or no such file.
        """
        name, equals, colour = text.rpartition("=")
        if not equals or not name:
            raise UsageError(f"the colour region {text!r}", "MASK=COLOUR", "try dress.png=red")
        path = Path(name)
        if not path.is_file():
            fix = "name a picture of the region"
            raise UsageError("no such file", "a mask of the region", fix, path=path)
        return cls(path, colour)


def rgb_of(colour: str) -> Rgb:
    """A word or #rrggbb as sRGB, 0..255. UsageError where it is neither."""
    normalised = colour.strip().lower()
    code = WORDS.get(normalised, normalised)
    if not _HEX.fullmatch(code):
        expected = "#rrggbb or one of " + ", ".join(WORDS)
        raise UsageError(f"the colour {colour!r}", expected, "choose one of them")
    return _channels(code)


def rgb_of_name(name: str) -> Rgb:
    """One of NAMES as sRGB, 0..255."""
    return _channels(NAMES[name])


def word_for(colour: str) -> str:
    """The one of WORDS that is nearest to a colour. UsageError as of `rgb_of`."""
    normalised = colour.strip().lower()
    if normalised in WORDS:
        return normalised
    target = _naming_oklab(rgb_of(colour))
    return min(WORDS, key=lambda word: math.dist(target, _naming_oklab(rgb_of(word))))


def with_words(prompt: str, regions: Iterable[ColourRegion]) -> str:
    """The prompt, followed by the colours of the regions that it does not mention."""
    mentioned = set(re.findall(r"\w+", prompt.lower()))
    words = dict.fromkeys(region.word for region in regions)
    return ", ".join([*filter(None, [prompt]), *(word for word in words if word not in mentioned)])


def _naming_oklab(rgb: Rgb) -> tuple[float, float, float]:
    """A modified Oklab of sRGB 0..255, whose distances find the nearest colour word.

    Hue has most weight and lightness less, and chroma saturates: pure blue is "blue", though its
    chroma is nearer to that of "purple".
    """
    shares = [value / 255 for value in rgb]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in shares]
    light, a, b = _times(_LAB, [v ** (1 / 3) for v in _times(_CONES, linear)])
    factor = 1 / (math.hypot(a, b) + 0.1)
    return 0.7 * light, factor * a, factor * b


def _channels(code: str) -> Rgb:
    """#rrggbb -> 0..255."""
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


def _times(rows: Sequence[Sequence[float]], values: Sequence[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, values, strict=True)) for row in rows]
