"""Structured damage by the names conservators give it, one function a name.

Sources: Reilly, "Care and Identification of 19th-Century Photographic Prints"; Lavédrine,
"Photographs of the Past"; the Graphics Atlas of the Image Permanence Institute; the AIC wiki.
Every function takes the size (height, width), `unit` (pixels for 1/256 of the short side), a
generator and `much`, a factor on how much there is, and gives back a `Mark`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.degrade.deterioration_shapes import (
    Canvas,
    Rng,
    Size,
    between,
    blurred,
    chance,
    clouds,
    edge_distance,
    grid,
    jagged,
    mosaic,
    outline,
    patch,
    pick,
    ramp,
    ranging,
    walk,
)
from unfade.degrade.types import Image, Mask

Paint = Callable[[Image], Image]


def same(picture: Image) -> Image:
    """A paint function that changes nothing."""
    return picture


@dataclass(frozen=True)
class Mark:
    """One piece of damage that can be painted on any photo of its size.

    Attributes:
        kind: the name under which its mask is kept.
        cover: (h, w) in [0, 1], its coverage.
        paint: puts it on an (h, w, 3) photo.
        under: a smooth change that goes with it and is no damage to fill (a stain's inside).
        lost: whether it takes the photo's edge or a corner away.
        numbers: its random parameters, for the record.
    """

    kind: str
    cover: Mask
    paint: Paint
    under: Paint = same
    lost: bool = False
    numbers: dict[str, float] = field(default_factory=dict[str, float])


Draw = Callable[[Size, float, Rng, float], Mark]


def _paper(rng: Rng) -> NDArray[np.float32]:
    tone = between(rng, 0.62, 0.99)
    warm = between(rng, 0.0, 0.2)
    return np.array([tone, tone - 0.35 * warm, tone - warm], np.float32)


def _dark(rng: Rng) -> NDArray[np.float32]:
    tone = between(rng, 0.01, 0.28)
    warm = between(rng, -0.02, 0.08)
    return np.clip(np.array([tone + warm, tone, tone - warm], np.float32), 0, 1)


def over(cover: Mask, colour: NDArray[Any]) -> Paint:
    """Paint that hides what is below with one colour (or an (h, w, 3) picture)."""
    share = cover[..., None]

    def put(picture: Image) -> Image:
        return np.asarray(picture + share * (colour - picture), np.float32)

    return put


def shift(cover: Mask, step: NDArray[np.float32]) -> Paint:
    """Paint that makes what is below lighter or darker and lets it show."""
    share = cover[..., None]

    def put(picture: Image) -> Image:
        room = np.where(step > 0, 1.05 - picture, picture + 0.05)
        moved = picture + share * step * np.minimum(2 * room, 1)
        return np.asarray(np.clip(moved, 0, 1), np.float32)

    return put


def dye(cover: Mask, colour: NDArray[np.float32]) -> Paint:
    """Paint that filters the light as a stain does."""
    share = cover[..., None]

    def put(picture: Image) -> Image:
        return np.asarray(picture * (1 - share * (1 - colour)), np.float32)

    return put


def _chain(*paints: Paint) -> Paint:
    def put(picture: Image) -> Image:
        for paint in paints:
            picture = paint(picture)
        return picture

    return put


def _loss(cover: Mask, unit: float, rng: Rng, size: Size) -> Paint:
    """Paint for a broken image layer: paper, dark, one dye layer, or a fainter image."""
    way = pick(rng, {"paper": 4.0, "dark": 2.2, "shift": 3.2, "layer": 0.6})
    if way == "paper":
        grainy = 1 + 0.05 * clouds(size, rng, max(2.0, 3 * unit), 2)
        return over(cover * between(rng, 0.5, 1.0), _paper(rng) * grainy[..., None])
    if way == "dark":
        return over(cover * between(rng, 0.45, 1.0), _dark(rng))
    if way == "layer":
        level = between(rng, 0.08, 0.3) * (1 if chance(rng, 0.6) else -1)
        step = np.array([level + between(rng, -0.15, 0.15) for _ in range(3)], np.float32)
        return shift(cover, step)
    sign = 1.0 if chance(rng, 0.62) else -1.0
    tint = np.array([1.0, between(rng, 0.85, 1.05), between(rng, 0.7, 1.1)], np.float32)
    return shift(cover, np.asarray(sign * between(rng, 0.08, 0.4) * tint, np.float32))


def _relief(cover: Mask, unit: float, rng: Rng) -> Paint:
    """The lit and the shaded side of a raised or sunken edge."""
    reach = max(0.6, between(rng, 0.3, 0.9) * unit)
    turn = between(rng, 0, 2 * math.pi)
    soft = blurred(cover, 0.5 * reach)
    matrix = np.array([[1, 0, reach * math.cos(turn)], [0, 1, reach * math.sin(turn)]], np.float32)
    moved = cv2.warpAffine(
        soft, matrix, (cover.shape[1], cover.shape[0]), borderMode=cv2.BORDER_REPLICATE
    )
    side = (soft - np.asarray(moved, np.float32)) * between(rng, 0.08, 0.28)

    def put(picture: Image) -> Image:
        return np.asarray(np.clip(picture + side[..., None], 0, 1), np.float32)

    return put


def _soften(cover: Mask, unit: float, rng: Rng) -> Mask:
    return blurred(cover, unit * ranging(rng, 0.1, 0.9) if chance(rng, 0.5) else 0.0)


def _uneven(cover: Mask, unit: float, rng: Rng, gaps: float) -> Mask:
    """Takes parts of a line away or thins them; `gaps` 0 leaves it whole."""
    if gaps <= 0:
        return cover
    field = clouds((cover.shape[0], cover.shape[1]), rng, max(2.0, ranging(rng, 3, 25) * unit))
    return np.asarray(cover * ramp(field, -1.6 + gaps, -0.6 + gaps * 1.4), np.float32)


def _spot(rng: Rng, size: Size) -> tuple[float, float]:
    return between(rng, 0, size[1]), between(rng, 0, size[0])


def scratches(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """Long thin lines, alone or in bundles of one direction."""
    canvas = Canvas(size, unit)
    count = 1 + int(rng.poisson(3 * much))
    angle = between(rng, 0, math.pi) if chance(rng, 0.6) else math.pi / 2
    base = ranging(rng, 0.3, 1.3)
    for _ in range(count):
        length = ranging(rng, 25, 280) * unit
        lean = angle + rng.normal() * (0.05 if chance(rng, 0.7) else 0.8)
        path = walk(rng, _spot(rng, size), lean, length, ranging(rng, 0.01, 0.4), 24)
        path -= (path[-1] - path[0]) / 2
        width = base * ranging(rng, 0.6, 1.6) * unit
        taper = np.sin(np.linspace(0.25, math.pi - 0.1, 24)) ** 0.5
        canvas.stroke(path, width * taper, between(rng, 0.5, 1.0))
    cover = _uneven(canvas.alpha(), unit, rng, between(rng, -0.3, 1.0))
    cover = _soften(cover, unit, rng)
    return Mark("scratches", cover, _loss(cover, unit, rng, size), numbers={"count": count})


def fibres(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """Hairs and lint that lay on the negative, the print or the glass."""
    canvas = Canvas(size, unit)
    count = 1 + int(rng.poisson(3 * much))
    for _ in range(count):
        length = ranging(rng, 7, 70) * unit
        path = walk(rng, _spot(rng, size), between(rng, 0, 6.28), length, between(rng, 0.5, 4), 30)
        canvas.stroke(path, ranging(rng, 0.3, 0.9) * unit, between(rng, 0.6, 1.0))
    cover = _soften(canvas.alpha(), unit, rng)
    if chance(rng, 0.6):
        paint = over(cover * between(rng, 0.5, 0.95), _paper(rng))
    else:
        paint = over(cover * between(rng, 0.4, 0.9), _dark(rng))
    return Mark("hairs", cover, paint, numbers={"count": count})


def dust(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """Specks, pinholes and grit of uneven size, often thicker in one part."""
    canvas = Canvas(size, unit)
    count = int(ranging(rng, 25, 260) * much)
    middle = ranging(rng, 0.3, 0.8)
    centre, spread = _spot(rng, size), between(rng, 0.1, 0.5) * max(size)
    near = between(rng, 0, 0.8)
    round_ones = chance(rng, 0.3)
    for _ in range(count):
        at = _spot(rng, size)
        if chance(rng, near):
            at = (centre[0] + spread * rng.normal(), centre[1] + spread * rng.normal())
        radius = min(middle * math.exp(0.55 * rng.normal()), 4.0) * unit
        rough = 0.08 if round_ones else 0.45
        canvas.fill(outline(rng, at, max(radius, 0.35), rough, 10), between(rng, 0.5, 1.0))
    cover = _soften(canvas.alpha(), unit, rng)
    if chance(rng, 0.75):
        colour = _paper(rng) if chance(rng, 0.6) else _dark(rng)
        paint = over(cover * between(rng, 0.5, 1.0), colour)
    else:
        paint = _loss(cover, unit, rng, size)
    return Mark("specks", cover, paint, numbers={"count": count})


def flaking(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """Lost emulsion: ragged islands, from crumbs to large ones, with a raised edge."""
    canvas = Canvas(size, unit)
    count = 2 + int(rng.poisson(6 * much))
    centre, spread = _spot(rng, size), between(rng, 0.05, 0.4) * max(size)
    largest = ranging(rng, 3.0, 22) * min(much, 1.5) ** 0.5
    for _ in range(count):
        at = (centre[0] + spread * rng.normal(), centre[1] + spread * rng.normal())
        radius = largest * rng.random() ** 1.8 + 0.6
        points = outline(rng, at, radius * unit, between(rng, 0.2, 0.6), 40)
        canvas.fill(points)
        for _ in range(int(rng.poisson(2))):
            crumb = points[int(rng.integers(len(points)))] + rng.normal(size=2) * 2 * unit
            small = ranging(rng, 0.4, 1.6) * unit
            canvas.fill(outline(rng, (crumb[0], crumb[1]), small, 0.4, 10))
    cover = canvas.alpha()
    torn = clouds(size, rng, max(2.0, 2.5 * unit), 2)
    cover = np.asarray(cover * ramp(torn, -2.6, -1.2), np.float32)
    cover = _soften(cover, unit * 0.7, rng)
    paint = _chain(_loss(cover, unit, rng, size), _relief(cover, unit, rng))
    return Mark("blobs", cover, paint, numbers={"count": count})


def islands(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """Emulsion that came away in a part of the photo and left a map of ragged islands."""
    radius = ranging(rng, 12, 60) * unit * min(much, 1.6) ** 0.5
    near_edge = chance(rng, 0.6)
    at = (between(rng, 0, size[0]), between(rng, 0, size[1]))
    if near_edge:
        at = (
            (float(rng.choice([0, size[0]])), at[1])
            if chance(rng, 0.5)
            else (
                at[0],
                float(rng.choice([0, size[1]])),
            )
        )
    where = patch(size, rng, radius, at)
    field = clouds(size, rng, max(2.0, ranging(rng, 4, 20) * unit), 4, 0.6)
    level = between(rng, 0.2, 0.9)
    cover = np.asarray(ramp(field - 5.0 * (1 - where), level, level + 0.12), np.float32)
    cover = _soften(cover, unit * 0.7, rng)
    paint = _chain(_loss(cover, unit, rng, size), _relief(cover, unit, rng))
    return Mark("blobs", cover, paint, numbers={"radius": radius})


def breaks(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """Single cracks through the support that branch and shed crumbs of emulsion."""
    canvas = Canvas(size, unit)
    count = 1 + int(rng.poisson(0.8 * much))
    diagonal = math.hypot(*size)
    for _ in range(count):
        start = np.array(_spot(rng, size))
        if chance(rng, 0.6):
            side = int(rng.integers(2))
            start[side] = float(rng.choice([0, (size[1], size[0])[side]]))
        angle = between(rng, 0, 2 * math.pi)
        reach = ranging(rng, 0.15, 0.9) * diagonal
        end = start + reach * np.array([math.cos(angle), math.sin(angle)])
        rough = between(rng, 0.03, 0.12)
        path = jagged(rng, start, end, rough, 6)
        thick = ranging(rng, 0.4, 1.6) * unit
        widths = thick * np.exp(0.5 * np.repeat(rng.standard_normal(16), 4)[: len(path) - 1])
        canvas.stroke(path, widths)
        for _ in range(int(rng.poisson(1.5))):
            at = path[int(rng.integers(len(path)))]
            turn = angle + rng.normal() * 0.8
            twig = at + 0.25 * reach * rng.random() * np.array([math.cos(turn), math.sin(turn)])
            canvas.stroke(jagged(rng, at, twig, rough, 4), 0.6 * thick)
        for _ in range(int(rng.poisson(4))):
            at = path[int(rng.integers(len(path)))]
            canvas.fill(outline(rng, (at[0], at[1]), ranging(rng, 0.5, 2.5) * unit, 0.4, 12))
    cover = _soften(_uneven(canvas.alpha(), unit, rng, between(rng, -0.5, 0.4)), unit * 0.6, rng)
    paint = _chain(_loss(cover, unit, rng, size), _relief(cover, unit, rng))
    return Mark("cracks", cover, paint, numbers={"count": count})


def tears(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """Tears from the edge inwards: bare paper that tapers, a shadow along one side."""
    canvas = Canvas(size, unit)
    count = 1 + int(rng.poisson(0.5 * much))
    for _ in range(count):
        side, high = int(rng.integers(2)), int(rng.integers(2))
        start = np.array(_spot(rng, size))
        start[side] = high * (size[1], size[0])[side]
        angle = (0.0, math.pi / 2)[side] + math.pi * high + rng.normal() * 0.5
        reach = ranging(rng, 20, 130) * unit
        end = start + reach * np.array([math.cos(angle), math.sin(angle)])
        path = jagged(rng, start, end, between(rng, 0.03, 0.1), 6)
        shape = np.linspace(1, 0.1, len(path) - 1) * np.exp(
            0.35 * np.repeat(rng.standard_normal(16), 4)[: len(path) - 1]
        )
        canvas.stroke(path, ranging(rng, 1.0, 4.5) * unit * shape)
    cover = canvas.alpha()
    paint = over(cover * between(rng, 0.7, 1.0), _paper(rng))
    return Mark("cracks", cover, _chain(paint, _relief(cover, unit, rng)), numbers={"count": count})


def crazing(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """A net of fine cracks over the whole surface or a part: a brittle layer on a soft one."""
    cell = ranging(rng, 7, 60) * unit
    net = mosaic(size, rng, cell, ranging(rng, 0.4, 2.5), between(rng, 0.03, 0.13))
    width = ranging(rng, 0.25, 0.9) * unit * min(1.0, 0.6 + cell / (60 * unit))
    swell = width * np.exp(0.4 * clouds(size, rng, max(2.0, 0.6 * cell), 3))
    cover = np.clip(swell - net + 0.5, 0, 1) * min(1.0, 2.2 * width)
    kept = ramp(clouds(size, rng, max(2.0, 1.2 * cell)), *_window(rng, -2.6, 0.2, 0.5))
    cover = cover * kept
    if chance(rng, 0.65):
        cover = cover * patch(size, rng, ranging(rng, 30, 160) * unit * min(much, 1.6) ** 0.5)
    cover = _soften(np.asarray(cover, np.float32), unit * 0.6, rng)
    paint = _loss(cover, unit, rng, size)
    if chance(rng, 0.5):
        paint = _chain(paint, _relief(cover, unit, rng))
    return Mark("networks", cover, paint, numbers={"cell": cell, "width": width})


def _window(rng: Rng, low: float, high: float, wide: float) -> tuple[float, float]:
    start = between(rng, low, high)
    return start, start + wide


def creases(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """Folds across the photo and half-moon handling creases: a ridge of light and shade."""
    height, width = size
    canvas, lit = Canvas(size, unit), Canvas(size, unit)
    count = 1 + int(rng.poisson(0.7 * much))
    for _ in range(count):
        if chance(rng, 0.45):
            upright = chance(rng, 0.5)
            position = between(rng, 0.25, 0.75) if chance(rng, 0.5) else 0.5 + 0.02 * rng.normal()
            lean = 0.03 * rng.normal()
            ends = (
                np.array([[position - lean, -0.02], [position + lean, 1.02]])
                if upright
                else np.array([[-0.02, position - lean], [1.02, position + lean]])
            ) * np.array([width, height])
            path = jagged(rng, ends[0], ends[1], 0.003, 5)
        elif chance(rng, 0.5):
            corner = np.array([float(rng.choice([0, width])), float(rng.choice([0, height]))])
            inward = np.sign(np.array([width, height]) / 2 - corner)
            legs = inward * np.array([ranging(rng, 15, 90), ranging(rng, 15, 90)]) * unit
            path = jagged(rng, corner + legs * [1.0, 0.0], corner + legs * [0.0, 1.0], 0.02, 5)
        else:
            length = ranging(rng, 12, 90) * unit
            path = walk(rng, _spot(rng, size), between(rng, 0, 6.28), length, 0.7, 24)
        canvas.stroke(path, ranging(rng, 0.5, 1.6) * unit)
        lit.stroke(path, ranging(rng, 1.5, 5.0) * unit)
    core = _uneven(canvas.alpha(), unit, rng, between(rng, 0.0, 1.5))
    ridge = blurred(lit.alpha(), between(rng, 0.5, 1.6) * unit)
    cover = np.maximum(core, 0.6 * ridge)
    paint = _relief(ridge, 2.5 * unit, rng)
    if chance(rng, 0.8):
        paint = _chain(paint, _loss(core, unit, rng, size))
    else:
        step = between(rng, 0.06, 0.2) * (1 if chance(rng, 0.6) else -1)
        paint = _chain(paint, shift(ridge, np.full(3, step, np.float32)))
    return Mark("creases", cover, paint, numbers={"count": count})


def losses(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """Torn off corners and nibbled edges; what lay below shows."""
    height, width = size
    canvas = Canvas(size, unit)
    count = 1 + int(rng.poisson(0.8 * much))
    for _ in range(count):
        if chance(rng, 0.55):
            corner = np.array([float(rng.choice([0, width])), float(rng.choice([0, height]))])
            inward = np.sign(np.array([width, height]) / 2 - corner)
            legs = inward * np.array([ranging(rng, 8, 55), ranging(rng, 8, 55)]) * unit
            edge = jagged(rng, corner + legs * [1.0, -0.1], corner + legs * [-0.1, 1.0], 0.07, 5)
            canvas.fill(np.concatenate([edge, [corner - inward * 30 * unit]]))
        else:
            side, high = int(rng.integers(2)), int(rng.integers(2))
            at = np.array(_spot(rng, size))
            at[side] = high * (width, height)[side]
            flat = outline(rng, (0.0, 0.0), ranging(rng, 5, 24) * unit, 0.4, 30)
            flat[:, side] *= between(rng, 0.2, 0.7)
            canvas.fill(flat + at)
    cover = canvas.alpha()
    colour = _paper(rng) if chance(rng, 0.65) else _dark(rng)
    grainy = 1 + 0.03 * clouds(size, rng, max(2.0, 6 * unit), 2)
    paint = _chain(over(cover, colour * grainy[..., None]), _relief(cover, unit, rng))
    return Mark("borders", cover, paint, lost=True, numbers={"count": count})


def margins(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """The paper border, the mount or the scanner's bed, on one side or all round."""
    height, width = size
    rows, columns = grid(size)
    wobble = 0.12 * unit * clouds(size, rng, max(3.0, 12 * unit), 3)
    deckle = chance(rng, 0.2)
    if deckle:
        step = ranging(rng, 3, 7) * unit
        wave = np.sin(rows * 2 * math.pi / step) + np.sin(columns * 2 * math.pi / step)
        wobble = wobble + 0.4 * unit * wave
    breadth = ranging(rng, 0.8, 3.5) * unit
    gap = np.full(size, -1e6, np.float32)
    sides = rng.random(4) < (1.0 if chance(rng, 0.35) else 0.4)
    sides[int(rng.integers(4))] = True
    for on, away in zip(
        sides, (rows, height - 1 - rows, columns, width - 1 - columns), strict=True
    ):
        slope = 0.006 * rng.normal()
        if on:
            tilt = slope * (rows + columns - (height + width) / 2)
            gap = np.maximum(gap, breadth * between(rng, 0.6, 1.4) + tilt - away)
    if chance(rng, 0.2):
        # A mat or a print with round corners: distance outside a rounded box.
        bend = ranging(rng, 5, 28) * unit
        inner_y = np.abs(rows - (height - 1) / 2) - (height / 2 - breadth - bend)
        inner_x = np.abs(columns - (width - 1) / 2) - (width / 2 - breadth - bend)
        gap = np.hypot(np.maximum(inner_x, 0), np.maximum(inner_y, 0)) - bend
    cover = np.asarray(np.clip(gap + wobble + 0.5, 0, 1), np.float32)
    colour = _paper(rng) if chance(rng, 0.7) else _dark(rng)
    paint = over(cover, colour)
    if chance(rng, 0.5):
        paint = _chain(paint, _relief(cover, unit, rng))
    return Mark("borders", cover, paint, lost=True, numbers={"breadth": breadth})


def scuffs(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """Abrasion: patches of many fine scuffs side by side, straight or in arcs."""
    canvas = Canvas(size, unit)
    patches = 1 + int(rng.poisson(0.8 * much))
    total = 0
    for _ in range(patches):
        centre = np.array(_spot(rng, size))
        spread = ranging(rng, 6, 40) * unit
        angle, bow = between(rng, 0, math.pi), between(rng, -1.2, 1.2)
        count = int(ranging(rng, 25, 130) * min(much, 1.5) * (spread / unit / 20) ** 0.5) + 6
        length = ranging(rng, 4, 28) * unit
        for _ in range(count):
            at = centre + rng.standard_normal(2) * spread * np.array([1.0, 0.6]) * 0.6
            lean = angle + 0.12 * rng.normal() + bow * float((at - centre)[0]) / (3 * spread)
            run = length * ranging(rng, 0.4, 1.8)
            path = walk(rng, (at[0], at[1]), lean, run, 0.1 + 0.3 * abs(bow), 6)
            canvas.stroke(path, ranging(rng, 0.25, 1.0) * unit, between(rng, 0.35, 1.0))
        total += count
    cover = _soften(_uneven(canvas.alpha(), unit, rng, between(rng, -0.5, 0.6)), unit, rng)
    return Mark("abrasion", cover, _loss(cover, unit, rng, size), numbers={"count": total})


def rubbing(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """A rub mark: the image worn from the high points of the paper within a patch."""
    where = patch(size, rng, ranging(rng, 8, 38) * unit * min(much, 1.5) ** 0.5)
    if chance(rng, 0.4):
        reach = ranging(rng, 3, 22) * unit
        distance = edge_distance(size)
        where = ramp(-distance / reach + 0.5 * clouds(size, rng, 25 * unit), -0.8, -0.2)
    fine = clouds(size, rng, max(1.5, ranging(rng, 1.4, 5) * unit), 3, 0.7)
    level = between(rng, 0.1, 0.9)
    cover = np.asarray(ramp(fine - 5.0 * (1 - where), level, level + 0.5), np.float32)
    return Mark("abrasion", cover, _loss(cover, unit, rng, size), numbers={"level": level})


def foxing(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """Brown spots of varied size with a pale halo; only the spot itself is damage to fill."""
    canvas, halo = Canvas(size, unit), Canvas(size, unit)
    count = int(ranging(rng, 8, 90) * much) + 1
    centre, spread = _spot(rng, size), between(rng, 0.15, 0.6) * max(size)
    middle = ranging(rng, 0.9, 2.8)
    for _ in range(count):
        at = (centre[0] + spread * rng.normal(), centre[1] + spread * rng.normal())
        radius = min(middle * math.exp(0.6 * rng.normal()), 9.0) * unit
        deep = between(rng, 0.35, 1.0)
        halo.fill(outline(rng, at, radius * 2, 0.2, 16), 0.5 * deep)
        canvas.fill(outline(rng, at, radius, 0.3, 16), deep)
    soft = between(rng, 0.25, 1.0) * unit
    cover = blurred(canvas.alpha(), soft)
    brown = np.array(
        [between(rng, 0.5, 0.75), between(rng, 0.32, 0.5), between(rng, 0.12, 0.32)], np.float32
    )
    strength = between(rng, 0.5, 1.0)
    ring = blurred(halo.alpha(), 2.0 * unit) * 0.4 * strength
    return Mark(
        "stains", cover, dye(cover * strength, brown), dye(ring, brown), numbers={"count": count}
    )


def tide(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """A water stain: a faint inside, a dark rim where the water stopped."""
    rows, columns = grid(size)
    turn = between(rng, 0, 2 * math.pi)
    along = (rows - size[0] / 2) * math.sin(turn) + (columns - size[1] / 2) * math.cos(turn)
    if chance(rng, 0.4):
        row, column = between(rng, 0, size[0]), between(rng, 0, size[1])
        along = -np.hypot(rows - row, columns - column) + ranging(rng, 10, 70) * unit
    else:
        along = along - between(rng, 0.15, 0.45) * min(size)
    field = np.asarray(along / unit + ranging(rng, 3, 12) * clouds(size, rng, 45 * unit, 4, 0.45))
    width = ranging(rng, 0.9, 3.5)
    inner = np.where(field > 0, np.exp(-np.abs(field) / width), 0)
    cover = blurred(np.asarray(inner, np.float32), 0.35 * unit)
    if chance(rng, 0.35):
        again = field - between(rng, 6, 16)
        second = np.where(again > 0, np.exp(-np.abs(again) / width), 0) * 0.6
        cover = np.maximum(cover, blurred(np.asarray(second, np.float32), 0.35 * unit))
    tone = between(rng, 0.2, 0.7)
    brown = np.array([tone, tone * between(rng, 0.8, 0.95), tone * between(rng, 0.5, 0.85)])
    inside = dye(ramp(field, -0.5, 2.0) * between(rng, 0.0, 0.25), brown.astype(np.float32))
    cover = _uneven(cover, unit, rng, between(rng, -0.6, 0.3))
    rim = dye(cover * between(rng, 0.55, 1.0), brown.astype(np.float32))
    return Mark("stains", cover, rim, inside, numbers={"width": width * unit})


def fingerprint(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """Ridges a finger left in the emulsion or in grease."""
    rows, columns = grid(size)
    total = np.zeros(size, np.float32)
    count = 1 + int(rng.poisson(0.6 * much))
    pitch = max(2.6, ranging(rng, 1.5, 2.4) * unit)
    for _ in range(count):
        row, column = between(rng, 0, size[0]), between(rng, 0, size[1])
        turn = between(rng, 0, 2 * math.pi)
        y = (rows - row) * math.cos(turn) + (columns - column) * math.sin(turn)
        x = -(rows - row) * math.sin(turn) + (columns - column) * math.cos(turn)
        radius = between(rng, 13, 26) * unit
        far = np.hypot(x, np.where(y > 0, 0.35 * y, 1.1 * y)) + 1.5 * pitch * clouds(
            size, rng, radius
        )
        ridge = ramp(np.cos(far * 2 * math.pi / pitch), -0.2, 0.6)
        shape = ramp(-np.hypot(x / radius, y / (1.35 * radius)), -1.0, -0.75)
        total = np.maximum(total, ridge * shape)
    total *= ramp(clouds(size, rng, max(2.0, 8 * unit)), -1.5, 0.2)
    cover = np.asarray(total, np.float32)
    step = ranging(rng, 0.08, 0.4) * (1 if chance(rng, 0.4) else -1)
    tint = np.array([1.0, 0.97, between(rng, 0.8, 1.0)], np.float32) * step
    return Mark("stains", cover, shift(cover, tint.astype(np.float32)), numbers={"pitch": pitch})


def tape(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """Adhesive tape or its yellow residue; opaque tape is damage, else its edges and dirt are."""
    height, width = size
    canvas, rim = Canvas(size, unit), Canvas(size, unit)
    turn = between(rng, 0, math.pi) if chance(rng, 0.3) else float(rng.choice([0, math.pi / 2]))
    turn += 0.06 * rng.normal()
    long, broad = ranging(rng, 30, 150) * unit, ranging(rng, 11, 26) * unit
    at = np.array([between(rng, 0, width), between(rng, 0, height)])
    box = np.array([[-long, -broad], [long, -broad], [long, broad], [-long, broad]]) / 2
    spin = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    corners = np.concatenate([box, box[:1]]) @ spin + at
    paths = [
        jagged(rng, first, last, 0.004 if index % 2 == 0 else 0.04, 4)
        for index, (first, last) in enumerate(pairwise(corners))
    ]
    canvas.fill(np.concatenate(paths))
    for path in paths:
        rim.stroke(path, ranging(rng, 0.5, 1.5) * unit, between(rng, 0.2, 1.0))
    inside = canvas.alpha()
    hue = np.array([between(rng, 0.8, 0.97), between(rng, 0.65, 0.9), between(rng, 0.3, 0.7)])
    hue = hue.astype(np.float32)
    edges = _uneven(rim.alpha(), unit, rng, between(rng, -0.3, 0.6))
    if chance(rng, 0.3):
        cover = np.maximum(inside, edges)
        streak = 1 + 0.06 * clouds(size, rng, max(2.0, 9 * unit), 4, 0.7)
        paint = over(inside * between(rng, 0.6, 1.0), hue * streak[..., None])
        return Mark("stains", cover, _chain(paint, dye(edges, hue * 0.6)))
    dirt = ramp(clouds(size, rng, max(2.0, 5 * unit), 4, 0.7), 0.9, 1.6) * inside
    cover = np.maximum(edges, dirt * between(rng, 0, 1))
    under = dye(inside * between(rng, 0.25, 0.9), hue)
    return Mark("stains", cover, dye(cover, hue * between(rng, 0.35, 0.7)), under)


def drops(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """Splashes of ink, coffee or chemicals: dark or bleached drops with a rim."""
    canvas = Canvas(size, unit)
    count = 1 + int(rng.poisson(3 * much))
    centre, spread = _spot(rng, size), between(rng, 0.05, 0.3) * max(size)
    largest = ranging(rng, 3, 16) * unit
    for _ in range(count):
        at = (centre[0] + spread * rng.normal(), centre[1] + spread * rng.normal())
        canvas.fill(outline(rng, at, largest * rng.random() ** 2 + 0.7 * unit, 0.12, 28))
    solid = canvas.alpha()
    deep = np.clip(0.65 * blurred(solid, 0.4 * unit) + solid - blurred(solid, 2.0 * unit), 0, 1)
    cover = np.asarray(blurred(np.asarray(deep, np.float32), 0.3 * unit), np.float32)
    if chance(rng, 0.3):
        paint = shift(cover, np.array([0.4, 0.36, 0.22], np.float32) * between(rng, 0.4, 1))
    else:
        ink = pick(rng, {"ink": 1.0, "coffee": 1.5, "black": 1.0})
        tones = {"ink": (0.2, 0.22, 0.42), "coffee": (0.5, 0.36, 0.2), "black": (0.15, 0.13, 0.12)}
        colour = np.array(tones[ink], np.float32)
        paint = dye(cover * between(rng, 0.6, 1.0), colour)
    return Mark("stains", np.maximum(cover, 0.5 * solid), paint, numbers={"count": count})


def _script(canvas: Canvas, rng: Rng, at: Mask, tall: float, letters: int, pen: float) -> None:
    """Draws one word of joined loops that looks like handwriting."""
    t = np.linspace(0, 2 * math.pi * letters, letters * 14)
    rise = np.repeat(np.exp(0.45 * rng.standard_normal(letters)), 14)
    rise *= np.repeat(np.where(rng.random(letters) < 0.25, 1.9, 1.0), 14)
    drift = np.repeat(0.3 * rng.standard_normal(letters), 14)
    x = tall * (0.16 * t + (0.32 + 0.2 * drift) * np.cos(t) + 0.35 * drift)
    y = -tall * 0.5 * rise * (np.sin(t + drift) + 0.25 * np.sin(2 * t))
    turn = 0.12 * rng.normal()
    path = np.stack([x * math.cos(turn) - 0.3 * y, x * math.sin(turn) + y], 1) + at
    smooth = cv2.GaussianBlur(path, (1, 5), 0, borderType=cv2.BORDER_REPLICATE)
    press = pen * (0.7 + 0.5 * rng.random(len(path) - 1))
    canvas.stroke(np.asarray(smooth, np.float64), press)


def writing(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """Ink, ballpoint, crayon or pencil: words, numbers, crop marks."""
    height, width = size
    canvas = Canvas(size, unit)
    tall = ranging(rng, 7, 26) * unit
    pen = ranging(rng, 0.5, 1.8) * unit
    at = np.array([between(rng, 0.02, 0.7) * width, between(rng, 0.08, 0.95) * height])
    style = pick(rng, {"words": 3.0, "number": 1.2, "mark": 0.8})
    if style == "words":
        for _ in range(1 + int(rng.integers(1, 4))):
            letters = int(rng.integers(3, 9))
            _script(canvas, rng, at.astype(np.float32), tall * 0.6, letters, pen)
            at = at + np.array([tall * (letters + 1.5) * 0.62, 0.2 * tall * rng.normal()])
            if at[0] > 0.85 * width:
                at = np.array([between(rng, 0.02, 0.3) * width, at[1] + 1.8 * tall])
    elif style == "number":
        text = "".join(str(int(d)) for d in rng.integers(0, 10, int(rng.integers(2, 7))))
        _print(canvas, text, at, tall, pen, chance(rng, 0.5))
    else:
        for _ in range(1 + int(rng.integers(3))):
            start = at + rng.normal(size=2) * 8 * unit
            end = start + rng.normal(size=2) * ranging(rng, 10, 60) * unit
            canvas.stroke(jagged(rng, start, end, 0.02, 4), pen)
    cover = canvas.alpha()
    tool = pick(rng, {"ink": 2.5, "ballpoint": 2.0, "pencil": 1.5, "crayon": 0.7, "white": 1.0})
    colours = {
        "ink": (0.1, 0.09, 0.13),
        "ballpoint": (0.15, 0.2, 0.55),
        "pencil": (0.3, 0.3, 0.32),
        "crayon": (0.7, 0.15, 0.12),
        "white": (0.95, 0.94, 0.9),
    }
    if tool in ("pencil", "crayon"):
        cover = cover * ramp(clouds(size, rng, max(1.5, 1.2 * unit), 2), -1.3, 0.3)
    colour = np.array(colours[tool], np.float32)
    opaque = np.asarray(cover * between(rng, 0.5, 1.0), np.float32)
    return Mark("writing", np.asarray(cover, np.float32), over(opaque, colour))


def _print(
    canvas: Canvas, text: str, at: NDArray[np.float64], tall: float, pen: float, slim: bool
) -> None:
    font = cv2.FONT_HERSHEY_SIMPLEX if slim else cv2.FONT_HERSHEY_DUPLEX
    fine = canvas.fine
    origin = (round(float(at[0]) * fine), round(float(at[1]) * fine))
    broad = max(1, round(pen * fine))
    cv2.putText(canvas.pixels, text, origin, font, tall * fine / 22, 255, broad, cv2.LINE_AA)


def stamp(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """A rubber stamp, a processing date in the margin, or a blind stamp."""
    height, width = size
    canvas = Canvas(size, unit)
    at = np.array([between(rng, 0.05, 0.85) * width, between(rng, 0.1, 0.95) * height])
    pen = ranging(rng, 0.6, 1.3) * unit
    if chance(rng, 0.5):
        month = str(rng.choice(["JAN", "APR", "JUN", "AUG", "OCT", "DEC"]))
        text = f"{month} {int(rng.integers(40, 99))}"
        _print(canvas, text, at, between(rng, 8, 14) * unit, pen, True)
    else:
        radius = ranging(rng, 14, 36) * unit
        turn = np.linspace(0, 2 * math.pi, 60)
        flat = between(rng, 0.6, 1.0)
        for share in (1.0, 0.72):
            ring = np.stack([np.cos(turn), flat * np.sin(turn)], 1) * radius * share
            canvas.stroke(ring + at, pen)
        letters = "".join(str(c) for c in rng.choice(list("ABCDEFGHIKLMNOPRSTUVW"), 5))
        lower = at + np.array([-0.55 * radius, 0.15 * radius])
        _print(canvas, letters, lower, 0.34 * radius, pen, True)
    worn = ramp(clouds(size, rng, max(2.0, 4 * unit), 4, 0.8), -1.6, 0.4)
    cover = np.asarray(canvas.alpha() * worn, np.float32)
    tones = [(0.35, 0.18, 0.5), (0.6, 0.15, 0.15), (0.12, 0.12, 0.14), (0.15, 0.2, 0.5)]
    colour = np.array(tones[int(rng.integers(4))], np.float32)
    return Mark("writing", cover, dye(cover * between(rng, 0.5, 1.0), colour))


def grazing(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """Trails that silverfish and snails ate through the gelatin, with scalloped sides."""
    canvas = Canvas(size, unit)
    count = 1 + int(rng.poisson(1.5 * much))
    start = np.array(_spot(rng, size))
    for _ in range(count):
        at = start + rng.normal(size=2) * 15 * unit
        steps = 40
        path = walk(
            rng, (at[0], at[1]), between(rng, 0, 6.28), ranging(rng, 10, 70) * unit, 3.5, steps
        )
        width = ranging(rng, 0.9, 3.5) * unit
        canvas.stroke(path, width * np.exp(0.5 * rng.standard_normal(steps)))
        for index in rng.integers(0, steps, 8):
            spot = path[int(index)]
            canvas.fill(outline(rng, (spot[0], spot[1]), width * between(rng, 0.4, 1), 0.4, 10))
    cover = _soften(canvas.alpha(), unit * 0.5, rng)
    paint = _chain(_loss(cover, unit, rng, size), _relief(cover, unit, rng))
    return Mark("other", cover, paint, numbers={"count": count})


def retouching(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """Old spotting and overpainting that no longer matches in tone or colour."""
    canvas = Canvas(size, unit)
    count = 1 + int(rng.poisson(4 * much))
    centre = np.array(_spot(rng, size))
    for _ in range(count):
        at = centre + rng.normal(size=2) * 18 * unit
        if chance(rng, 0.5):
            canvas.fill(outline(rng, (at[0], at[1]), ranging(rng, 1.2, 8) * unit, 0.25, 18))
        else:
            path = walk(
                rng, (at[0], at[1]), between(rng, 0, 6.28), ranging(rng, 5, 30) * unit, 0.8, 12
            )
            canvas.stroke(path, ranging(rng, 0.8, 3.0) * unit, between(rng, 0.6, 1))
    cover = blurred(canvas.alpha(), between(rng, 0.2, 1.0) * unit)
    tint = np.array([between(rng, 0.8, 1.2), 1.0, between(rng, 0.75, 1.2)], np.float32)
    match, share = between(rng, -0.22, 0.22), between(rng, 0.5, 0.95)
    match += 0.06 * (1 if match > 0 else -1)

    def put(picture: Image) -> Image:
        near = blurred(picture, 3.0 * unit) * tint + match
        return over(cover * share, np.clip(near, 0, 1))(picture)

    return Mark("other", cover, put, numbers={"count": count})


def mould(size: Size, unit: float, rng: Rng, much: float) -> Mark:
    """Colonies of mould: clusters of threads and dots that grow from a few centres."""
    canvas = Canvas(size, unit)
    count = 1 + int(rng.poisson(2 * much))
    for _ in range(count):
        centre = np.array(_spot(rng, size))
        reach = ranging(rng, 5, 22) * unit
        for _ in range(int(rng.integers(8, 26))):
            path = walk(
                rng, (centre[0], centre[1]), between(rng, 0, 6.28), reach * rng.random(), 2.0, 8
            )
            canvas.stroke(path, ranging(rng, 0.25, 0.7) * unit, between(rng, 0.3, 1))
            tip = path[-1]
            canvas.fill(outline(rng, (tip[0], tip[1]), ranging(rng, 0.3, 0.9) * unit, 0.3, 8))
    cover = _soften(canvas.alpha(), unit, rng)
    return Mark("other", cover, _loss(cover, unit, rng, size), numbers={"count": count})


MARKS: dict[str, Draw] = {
    draw.__name__: draw
    for draw in (
        scratches,
        fibres,
        dust,
        flaking,
        islands,
        breaks,
        tears,
        crazing,
        creases,
        losses,
        margins,
        scuffs,
        rubbing,
        foxing,
        tide,
        fingerprint,
        tape,
        drops,
        writing,
        stamp,
        grazing,
        retouching,
        mould,
    )
}
