"""Names colours, and gives a region of a photo a named colour without changing its lightness.

Colours are CIE Lab under D65: L in 0..100, a and b about -110..110.
"""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.colours import NAMES, rgb_of_name
from unfade.degrade.types import Image, Mask

Lab = NDArray[np.float32]
#: Hues that cloth of any lightness may have; the other names say how light the cloth is too.
HUES = ("red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink", "brown")
_DARK = 16.0  # L + 16 grows with the cube root of the light: chroma does so too in a shadow
_SPREAD = 16.0  # of L, between a region and the names that it is given
_HUE_SHARE = 0.12  # weight of a hue of another lightness
_LIGHTNESS_SHARE = 0.5  # weight of lightness where names are told apart
_APART = 20.0  # of L, from which a hue is called light or dark
_GRAY = 6.0  # chroma of a name without a hue, at most


def to_lab(rgb: Image) -> Lab:
    """(H, W, 3) sRGB in [0, 1] -> (H, W, 3) Lab."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2LAB), np.float32)


def to_rgb(lab: Lab) -> Image:
    """(H, W, 3) Lab -> (H, W, 3) sRGB, clipped to [0, 1]."""
    rgb = cv2.cvtColor(np.ascontiguousarray(lab, np.float32), cv2.COLOR_LAB2RGB)
    return np.clip(np.asarray(rgb, np.float32), 0, 1)


def in_gamut(lab: Lab) -> Lab:
    """Reduces the chroma of colours (N, 3) until they lie in sRGB's gamut."""

    def tried(share: NDArray[np.float32]) -> Lab:
        return np.concatenate([lab[:, :1], share[:, None] * lab[:, 1:]], 1)

    def fits(colours: Lab) -> NDArray[np.bool_]:
        back = to_lab(to_rgb(colours[None]))[0]
        return np.abs(back - colours).max(1) < 0.5

    low, high = np.zeros(len(lab), np.float32), np.ones(len(lab), np.float32)
    inside = fits(lab)
    for _ in range(7):
        share = np.asarray((low + high) / 2, np.float32)
        ok = fits(tried(share))
        low, high = np.where(ok, share, low), np.where(ok, high, share)
    return np.where(inside[:, None], lab, tried(low)).astype(np.float32)


@lru_cache(maxsize=1)
def _table() -> tuple[list[str], Lab]:
    """The names and their colours, (N, 3)."""
    names = list(NAMES)
    rgb = np.array([[rgb_of_name(name) for name in names]], np.float32) / np.float32(255)
    return names, to_lab(rgb)[0]


def colour_of(name: str) -> tuple[float, float, float]:
    """L, a and b of one of `unfade.colours.NAMES`."""
    names, colours = _table()
    light, a, b = (float(x) for x in colours[names.index(name)])
    return light, a, b


def name_of(colour: NDArray[np.floating]) -> str:
    """The name of the nearest colour (3,); lightness has half weight."""
    names, colours = _table()
    away = (colours - colour) * np.array([_LIGHTNESS_SHARE, 1, 1], np.float32)
    return names[int(np.square(away).sum(1).argmin())]


def draw_name(light: float, rng: np.random.Generator) -> str:
    """Draws a colour name for a region of mean L: a hue, or a colour of similar lightness."""
    names, colours = _table()
    weight = np.exp(-np.square((colours[:, 0] - light) / _SPREAD))
    weight += _HUE_SHARE * np.isin(names, HUES)
    return names[int(rng.choice(len(names), p=weight / weight.sum()))]


def everyday_name(name: str, light: float, rng: np.random.Generator) -> str:
    """An everyday variant of a colour name: "navy blue", "dark green", "grey".

    Args:
        light: mean L of the region; a hue that is much darker there is "dark" half the time.
    """
    difference = light - colour_of(name)[0]
    if name in HUES and abs(difference) > _APART and rng.random() < 0.5:
        return f"{'dark' if difference < 0 else rng.choice(['light', 'pale'])} {name}"
    if name in _ALSO and rng.random() < 0.3:
        return str(rng.choice(_ALSO[name]))
    return name


_ALSO = {
    "navy": ("navy blue", "dark blue"), "sky": ("sky blue", "light blue"), "gray": ("grey",),
    "crimson": ("deep red",), "burgundy": ("dark red", "wine red"), "forest": ("forest green",),
    "olive": ("olive green",), "emerald": ("emerald green",), "lime": ("lime green",),
    "mint": ("mint green",), "cobalt": ("royal blue",), "gold": ("golden",),
    "blonde": ("blond",), "scarlet": ("bright red",), "rose": ("hot pink",),
    "chocolate": ("dark brown",), "camel": ("light brown",), "blush": ("pale pink",),
    "cyan": ("bright blue",), "violet": ("bright purple",), "charcoal": ("dark gray",),
    "silver": ("light gray",),
}  # fmt: skip


def recoloured(lab: Lab, mask: Mask, name: str, rng: np.random.Generator) -> Lab:
    """Gives a region of a photo (H, W, 3) a named colour and keeps its lightness.

    Light on a surface scales X, Y and Z alike, so a and b go with L + 16: shadows on a red dress
    are a darker, less chromatic red. A little of the region's own variation is kept.

    Args:
        mask: (H, W) in [0, 1], the region.
    """
    inside = mask > 0
    if not inside.any():
        return lab
    light, a, b = colour_of(name)
    turn = math.radians(float(rng.normal(0, 4))) if math.hypot(a, b) > _GRAY else 0.0
    strength = float(rng.uniform(0.8, 1.15))
    c, s = strength * math.cos(turn), strength * math.sin(turn)
    named = np.array([c * a - s * b, s * a + c * b], np.float32)
    old = lab[inside]  # (N, 3)
    variation = 0.15 * (old[:, 1:] - old[:, 1:].mean(0))
    chroma = named * ((old[:, :1] + _DARK) / np.float32(light + _DARK)) + variation
    new = in_gamut(np.concatenate([old[:, :1], chroma], 1).astype(np.float32))
    out = lab.copy()
    out[inside] = old + mask[inside][:, None] * (new - old)
    return out
