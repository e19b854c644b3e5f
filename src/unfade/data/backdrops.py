"""Puts labelled people before the plain backdrop of a photographer's studio.

Old portraits are mostly taken there, and the photos of people that have labels in the streets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.data.recolour import Lab, in_gamut, recoloured
from unfade.degrade.strokes import field
from unfade.degrade.types import Image, Mask, extent

#: The class of all that is no person.
BACKGROUND = "null"
_CLOSEST = 0.3  # side of the closest crop, as a share of the person's height
_SMALLEST = 64  # pixels, the side of the closest crop
_SHARE = (0.12, 0.92)  # limits of the person's share of a crop
_LIGHT, _DARK = (35.0, 92.0), (6.0, 45.0)  # L of light and of dark backdrops
_DARK_SHARE = 0.6  # share of dark backdrops
#: Colours of backdrops without a prompt, and how often each is drawn.
_COLOURS = {"gray": 0.62, "brown": 0.18, "tan": 0.06, "beige": 0.06, "navy": 0.04, "olive": 0.04}
_FAINT = (0.1, 0.7)  # chroma of these, as a share of the named colour's


def studio_crop(
    labels: NDArray[np.uint8], names: Mapping[int, str], rng: np.random.Generator
) -> tuple[slice, slice] | None:
    """Rows and columns of a square with a person, from the head to the whole figure.

    None if the labels show no person.

    Args:
        labels: (H, W), gray levels.
        names: gray level -> the name of the class.
    """
    height, width = extent(labels)
    rows, columns = np.nonzero(_person(labels, names))
    if rows.size == 0:
        return None
    top, tall = int(rows.min()), int(np.ptp(rows)) + 1
    closest = min(height, width, max(_SMALLEST, round(_CLOSEST * tall)))
    side = round(math.exp(rng.uniform(math.log(closest), math.log(min(height, width)))))
    y = round(top - side * rng.uniform(0.02, 0.25))
    y = min(max(0, y), height - side)
    near = columns[(rows >= y) & (rows < y + side)]
    middle = float(np.median(near)) + side * float(rng.normal(0, 0.08))
    x = min(max(0, round(middle - side / 2)), width - side)
    return slice(y, y + side), slice(x, x + side)


def person_mask(labels: NDArray[np.uint8], names: Mapping[int, str]) -> Mask | None:
    """The person in a crop, (H, W) in [0, 1], with soft edges.

    None if the person covers too much or too little of it.
    """
    person = _person(labels, names)
    if not _SHARE[0] <= person.mean() <= _SHARE[1]:
        return None
    return np.asarray(cv2.GaussianBlur(person.astype(np.float32), (0, 0), 0.8), np.float32)


def before_backdrop(
    lab: Lab, person: Mask, rng: np.random.Generator, colour: str | None = None
) -> Lab:
    """A person before a backdrop of smooth light and one colour.

    Args:
        lab: (H, W, 3), the photo.
        person: (H, W) in [0, 1].
        colour: one of `unfade.colours.NAMES`; None draws a faint one, mostly gray.
    """
    light = _backdrop_light(extent(lab), rng)
    scene = np.zeros_like(lab)
    scene[..., 0] = light
    faint = 1.0
    if colour is None:
        names = list(_COLOURS)
        colour = names[int(rng.choice(len(names), p=np.array(list(_COLOURS.values()))))]
        faint = float(rng.uniform(*_FAINT))
    scene = recoloured(scene, np.ones(extent(lab), np.float32), colour, rng)
    scene[..., 1:] *= np.float32(faint)
    mixed = scene + person[..., None] * (lab - scene)
    flat = in_gamut(mixed.reshape(-1, 3).astype(np.float32))
    return flat.reshape(lab.shape)


def _person(labels: NDArray[np.uint8], names: Mapping[int, str]) -> NDArray[np.bool_]:
    background = [level for level, name in names.items() if name == BACKGROUND]
    return ~np.isin(labels, background)


def _backdrop_light(size: tuple[int, int], rng: np.random.Generator) -> Image:
    """L of a backdrop, (H, W): a slope, a halo or dark corners, and the mottling of paint."""
    height, width = size
    low, high = _DARK if rng.random() < _DARK_SHARE else _LIGHT
    light = np.full(size, float(rng.uniform(low, high)), np.float32)
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None]
    turn = float(rng.uniform(0, 2 * math.pi))
    light += np.float32(rng.normal(0, 8)) * (math.cos(turn) * x + math.sin(turn) * y)
    far = np.hypot(x - rng.normal(0, 0.3), y - rng.normal(-0.2, 0.3))
    light -= np.float32(rng.normal(6, 8)) * np.square(far)
    if rng.random() < 0.5:
        grain = float(rng.uniform(6, 40))
        light += np.float32(rng.uniform(0.5, 5)) * field(rng, height, width, grain)
    return np.clip(light, 1, 98).astype(np.float32)
