"""Colours by word, and regions of a photo that are to have one."""

from __future__ import annotations

import re
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
_HEX = re.compile(r"#[0-9a-f]{6}")


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
    def text(self) -> str:
        """As `from_text` takes it."""
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
    plain = colour.strip().lower()
    code = WORDS.get(plain, plain)
    if not _HEX.fullmatch(code):
        expected = "#rrggbb or one of " + ", ".join(WORDS)
        raise UsageError(f"the colour {colour!r}", expected, "choose one of them")
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)
