"""Structured damage: what tears, cracks, dirt and hands leave on a print.

Every function paints on a copy and returns (image, coverage): (H, W, 3) and (H, W) float32,
both in [0, 1]. `unit` is the size, in pixels, of 1/256 of the photo's short side: it scales
lengths and widths, so that damage looks alike at any size of the photo.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.degrade.strokes import Stroke, branching, draw, field, fractal, wander
from unfade.degrade.types import Image, Mask, extent

Rgb = NDArray[np.float32]


def paper(rng: np.random.Generator) -> Rgb:
    """The colour of bare paper: white, cream or gray; (3,) in [0, 1]."""
    warm = rng.uniform(0, 1) ** 1.5
    value = rng.uniform(0.72, 1.0)
    return np.asarray(value * np.array([1.0, 1 - 0.05 * warm, 1 - 0.22 * warm]), np.float32)


def stroke_width(rng: np.random.Generator, unit: float, largest: float = 0.02) -> float:
    """Log-uniform between half a pixel and `largest` of the short side, thin ones favoured."""
    top = max(0.8, largest * 256 * unit)
    return float(math.exp(rng.beta(1.0, 1.8) * math.log(top / 0.5)) * 0.5)


def blend(image: Image, colour: Rgb | Image, alpha: Mask) -> Image:
    """Lays a colour (3,) or picture over the image with coverage alpha (H, W)."""
    return np.asarray(image + alpha[..., None] * (colour - image), np.float32)


def _broken(rng: np.random.Generator, alpha: Mask, cell: float, share: float) -> Mask:
    """Interrupts a coverage where a random field is low; `share` is about the part kept."""
    h, w = extent(alpha)
    gate = field(rng, h, w, cell) * 2.0 + (share - 0.5) * 6
    return np.asarray(alpha * np.clip(gate + 0.5, 0, 1), np.float32)


def scratches(
    image: Image, rng: np.random.Generator, unit: float, count: int, dark: bool
) -> tuple[Image, Mask]:
    """Long, nearly straight scratches, each with its own width and strength."""
    h, w = extent(image)
    colour = rng.uniform(0.0, 0.15) * np.ones(3, np.float32) if dark else paper(rng)
    parallel = rng.uniform(0, math.pi) if rng.random() < 0.4 else None
    total = np.zeros((h, w), np.float32)
    for _ in range(count):
        angle = rng.uniform(0, 2 * math.pi) if parallel is None else parallel + rng.normal(0, 0.08)
        start = (rng.uniform(-0.1, 1.1) * w, rng.uniform(-0.1, 1.1) * h)
        points = wander(
            rng, start, angle, rng.uniform(15, 300) * unit, 6 * unit, rng.uniform(0.0, 0.09)
        )
        width = stroke_width(rng, unit, 0.012)
        widths = width * np.exp(rng.normal(0, 0.15, len(points)))
        alpha = draw([Stroke(points, widths)], h, w) * np.float32(rng.uniform(0.45, 1.0))
        if rng.random() < 0.5:
            alpha = _broken(rng, alpha, 12 * unit, rng.uniform(0.4, 0.9))
        total = np.maximum(total, alpha)
    return blend(image, colour, total), np.asarray(total, np.float32)


def _relief(image: Image, core: Mask, rng: np.random.Generator, unit: float) -> tuple[Image, Mask]:
    """The dark rim that lifted emulsion throws beside a crack."""
    reach = max(0.6, rng.uniform(0.5, 1.3) * unit)
    soft = np.asarray(cv2.GaussianBlur(core, (0, 0), reach), np.float32)
    angle = rng.uniform(0, 2 * math.pi)
    shift = np.array([[1, 0, reach * math.cos(angle)], [0, 1, reach * math.sin(angle)]], np.float32)
    h, w = extent(core)
    rim = np.asarray(cv2.warpAffine(soft, shift, (w, h)), np.float32)
    rim = np.clip(rim * 1.6 - core, 0, 1) * np.float32(rng.uniform(0.25, 0.8))
    return np.asarray(image * (1 - rim[..., None]), np.float32), np.asarray(rim, np.float32)


def cracks(image: Image, rng: np.random.Generator, unit: float, count: int) -> tuple[Image, Mask]:
    """Branching cracks: light cores that show paper, dark rims, lost flakes at the joints."""
    h, w = extent(image)
    strokes: list[Stroke] = []
    for _ in range(count):
        if rng.random() < 0.6:
            side = rng.integers(4)
            along = rng.uniform(0, 1)
            edges = [(along * w, 0.0), (along * w, float(h)), (0.0, along * h), (w, along * h)]
            start = edges[side]
            inward = [math.pi / 2, -math.pi / 2, 0.0, math.pi][side]
            angle = inward + rng.normal(0, 0.6)
        else:
            start, angle = (rng.uniform(0, w), rng.uniform(0, h)), rng.uniform(0, 2 * math.pi)
        strokes += branching(
            rng, start, angle, rng.uniform(50, 330) * unit, rng.uniform(3, 9) * unit,
            stroke_width(rng, unit), rng.uniform(0.02, 0.14), int(rng.integers(1, 4)),
        )  # fmt: skip
    core = draw(strokes, h, w)
    if rng.random() < 0.7:
        core = _broken(rng, core, rng.uniform(5, 30) * unit, rng.uniform(0.6, 0.95))
    if rng.random() < 0.35:  # flakes: emulsion lost around the widest places
        near = np.asarray(cv2.GaussianBlur(core, (0, 0), 4 * unit), np.float32)
        flakes = np.clip((near * 3 + 0.35 * fractal(rng, h, w, 14 * unit) - 0.95) * 6, 0, 1)
        core = np.maximum(core, flakes.astype(np.float32))
    core = core * np.float32(rng.uniform(0.6, 1.0))
    rim = np.zeros_like(core)
    if rng.random() < 0.75:
        image, rim = _relief(image, core, rng, unit)
    shade = paper(rng) * (1 + 0.06 * fractal(rng, h, w, 8 * unit)[..., None])
    out = np.clip(blend(image, np.asarray(shade, np.float32), core), 0, 1)
    return out, np.maximum(core, rim)


def _shifted(plane: Mask, dx: float, dy: float) -> Mask:
    h, w = extent(plane)
    moved = cv2.warpAffine(plane, np.array([[1, 0, dx], [0, 1, dy]]), (w, h))
    return np.asarray(moved, np.float32)


def wrinkles(image: Image, rng: np.random.Generator, unit: float, count: int) -> tuple[Image, Mask]:
    """Creased emulsion: pairs of a light and a dark side, no paper showing."""
    h, w = extent(image)
    strokes: list[Stroke] = []
    for _ in range(count):
        start, angle = (rng.uniform(0, w), rng.uniform(0, h)), rng.uniform(0, 2 * math.pi)
        strokes += branching(
            rng, start, angle, rng.uniform(15, 90) * unit, 3 * unit,
            rng.uniform(0.6, 1.8) * max(unit, 0.8), 0.05, 1,
        )  # fmt: skip
    core = draw(strokes, h, w)
    strength = np.float32(rng.uniform(0.12, 0.4))
    reach = max(0.7, 0.8 * unit)
    angle = rng.uniform(0, 2 * math.pi)
    dx, dy = reach * math.cos(angle), reach * math.sin(angle)
    light, dark = _shifted(core, dx, dy), _shifted(core, -dx, -dy)
    out = np.clip(image + (strength * (light - dark))[..., None], 0, 1)
    return np.asarray(out, np.float32), np.minimum(light + dark, np.float32(1))


def fold(image: Image, rng: np.random.Generator, unit: float) -> tuple[Image, Mask]:
    """A crease across the photo: a broken light line in a band of shade."""
    h, w = extent(image)
    angle = rng.choice([0.0, math.pi / 2]) + rng.normal(0, 0.12)
    if rng.random() < 0.3:
        angle = rng.uniform(0, math.pi)
    centre = np.array([rng.uniform(0.1, 0.9) * w, rng.uniform(0.1, 0.9) * h])
    reach = 0.75 * math.hypot(h, w)
    x, y = (float(v) for v in centre - reach * np.array([math.cos(angle), math.sin(angle)]))
    points = wander(rng, (x, y), angle, 2 * reach, 5 * unit, 0.012)
    width = max(0.7, rng.uniform(0.5, 2.5) * unit)
    line = draw([Stroke(points, width * np.exp(rng.normal(0, 0.35, len(points))))], h, w)
    line = _broken(rng, line, rng.uniform(4, 20) * unit, rng.uniform(0.5, 0.95))
    line = line * np.float32(rng.uniform(0.5, 1.0))
    band = np.asarray(cv2.GaussianBlur(line, (0, 0), rng.uniform(3, 9) * unit), np.float32)
    shade = 1 - np.float32(rng.uniform(0, 0.9)) * np.clip(band, 0, 0.4)
    shaded = np.asarray(image * shade[..., None], np.float32)
    return blend(shaded, paper(rng), line), np.asarray(line, np.float32)


def dust(
    image: Image, rng: np.random.Generator, unit: float, count: int, dark: bool
) -> tuple[Image, Mask]:
    """Specks and short hairs."""
    h, w = extent(image)
    strokes: list[Stroke] = []
    for _ in range(count):
        start, angle = (rng.uniform(0, w), rng.uniform(0, h)), rng.uniform(0, 2 * math.pi)
        hair = rng.random() < 0.3
        length = rng.uniform(6, 26) * unit if hair else rng.uniform(0.5, 3) * unit
        points = wander(rng, start, angle, length, max(1.0, 1.5 * unit), 0.25 if hair else 0.6)
        width = rng.uniform(0.6, 1.1) if hair else stroke_width(rng, unit, 0.01) * 1.5
        strokes.append(Stroke(points, np.full(len(points), width)))
    alpha = draw(strokes, h, w) * np.float32(rng.uniform(0.6, 1.0))
    colour = rng.uniform(0.0, 0.2) * np.ones(3, np.float32) if dark else paper(rng)
    return blend(image, colour, alpha), alpha


def spots(
    image: Image, rng: np.random.Generator, unit: float, count: int, dark: bool
) -> tuple[Image, Mask]:
    """Irregular blots where the emulsion is gone or foxed."""
    h, w = extent(image)
    alpha = np.zeros((h, w), np.float32)
    for _ in range(count):
        r = float(np.exp(rng.uniform(math.log(1.2), math.log(9)))) * unit
        cx, cy = rng.uniform(0, w), rng.uniform(0, h)
        ax = r * rng.uniform(0.6, 1.6)
        n = max(8, int(r * 3))
        theta = np.linspace(0, 2 * math.pi, n, endpoint=False)
        rough: NDArray[np.float64] = rng.standard_normal(n + 2)
        ripple = 1 + 0.28 * (0.5 * rough[:-2] + 0.7 * rough[1:-1] + 0.5 * rough[2:])
        x, y = cx + ax * ripple * np.cos(theta), cy + r * ripple * np.sin(theta)
        blot = np.zeros((h, w), np.uint8)
        polygon = np.rint(np.stack([x, y], 1) * 16).astype(np.int32)
        cv2.fillPoly(blot, [polygon[:, None]], 255, cv2.LINE_AA, 4)
        alpha = np.maximum(alpha, blot.astype(np.float32) / 255)
    if rng.random() < 0.5:
        soft = rng.uniform(0.4, 1.2) * unit
        alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), soft), np.float32)
    alpha = alpha * np.float32(rng.uniform(0.6, 1.0))
    colour = np.asarray([0.25, 0.16, 0.08], np.float32) if dark else paper(rng)
    return blend(image, colour, alpha), alpha


def scribble(image: Image, rng: np.random.Generator, unit: float) -> tuple[Image, Mask]:
    """Ink or pencil: a few looping strokes of one pen."""
    h, w = extent(image)
    width = max(0.8, rng.uniform(0.7, 2.2) * unit)
    strokes: list[Stroke] = []
    x, y = rng.uniform(0, w), rng.uniform(0, h)
    for _ in range(int(rng.integers(1, 5))):
        points = wander(
            rng, (x, y), rng.uniform(0, 2 * math.pi), rng.uniform(20, 120) * unit, 2.5 * unit, 0.35
        )
        strokes.append(Stroke(points, np.full(len(points), width)))
        x, y = (float(v) for v in points[-1] + rng.normal(0, 8 * unit, 2))
    alpha = draw(strokes, h, w) * np.float32(rng.uniform(0.6, 0.95))
    inks = np.array([[0.05, 0.06, 0.25], [0.08, 0.08, 0.08], [0.45, 0.08, 0.08], [0.3, 0.3, 0.3]])
    return blend(image, inks[rng.integers(len(inks))].astype(np.float32), alpha), alpha


def _beyond(rng: np.random.Generator, h: int, w: int, unit: float, corner: bool) -> Mask:
    """Signed distance, in pixels, past a ragged edge or corner; (h, w), > 0 is lost."""
    y, x = np.mgrid[:h, :w].astype(np.float32)
    if rng.random() < 0.5:
        x = w - 1 - x
    if rng.random() < 0.5:
        y = h - 1 - y
    if corner:
        slope = rng.uniform(0.4, 2.0)
        reach = rng.uniform(8, 60) * unit
        inside = (slope * x + y) / math.hypot(slope, 1) - reach
    else:
        inside = (x if rng.random() < 0.5 else y) - rng.uniform(1, 16) * unit
    rough = fractal(rng, h, w, rng.uniform(10, 40) * unit) * rng.uniform(1, 6) * unit
    return np.asarray(rough - inside, np.float32)


def torn(image: Image, rng: np.random.Generator, unit: float, corner: bool) -> tuple[Image, Mask]:
    """A torn edge or corner: a paper rim, and beyond it what the print lies on."""
    h, w = extent(image)
    past = _beyond(rng, h, w, unit, corner)
    gone = np.clip(past + 0.5, 0, 1)
    rim = np.clip(past + rng.uniform(0.5, 5) * unit + 0.5, 0, 1)
    value = rng.choice([1.0, 0.97, 0.9, 0.08, 0.02, 0.5])
    backing = np.float32(value) * np.array([1, 1, 1], np.float32)
    if rng.random() < 0.3:
        backing = paper(rng) * np.float32(rng.uniform(0.5, 1.0))
    out = blend(blend(image, paper(rng), rim), backing, gone)
    return out, np.asarray(rim, np.float32)


def stain(image: Image, rng: np.random.Generator, unit: float) -> Image:
    """A tide-marked stain: a tinted patch with a darker outline. Not part of the mask."""
    h, w = extent(image)
    y, x = np.mgrid[:h, :w].astype(np.float32)
    cx, cy, r = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(15, 80) * unit
    d = r - np.hypot(x - cx, (y - cy) * rng.uniform(0.6, 1.6))
    d = d + fractal(rng, h, w, 30 * unit) * 0.18 * r
    soft = 2.5 * unit
    inside = 1 / (1 + np.exp(-np.clip(d / soft, -30, 30)))
    edge = np.exp(-0.5 * (d / (1.5 * soft)) ** 2)
    tint = np.asarray([0.04, 0.16, 0.38], np.float32) * rng.uniform(0.25, 0.9)
    loss = (0.6 * inside + 0.5 * edge).astype(np.float32)[..., None] * tint
    return np.asarray(image * (1 - loss), np.float32)


def vignette(image: Image, rng: np.random.Generator, amount: float) -> Image:
    """Darkens (or, with a negative amount, fades) the photo towards its corners."""
    h, w = extent(image)
    y, x = np.mgrid[:h, :w].astype(np.float32)
    cx, cy = w * rng.uniform(0.4, 0.6), h * rng.uniform(0.4, 0.6)
    d = ((x - cx) / w) ** 2 + ((y - cy) / h) ** 2
    if amount >= 0:
        shade = (1 - np.float32(amount) * 1.8 * d)[..., None].clip(0, 1)
        return np.asarray(image * shade, np.float32)
    lift = np.clip(-np.float32(amount) * 1.6 * d, 0, 1)[..., None]
    return np.asarray(image + lift * (np.float32(0.9) - image), np.float32)
