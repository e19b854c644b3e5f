"""Draws the geometry of structured damage: random walks, branching cracks, smooth fields."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.degrade.types import Mask

SUPERSAMPLE = 2
_SHIFT = 4


@dataclass(frozen=True)
class Stroke:
    """A polyline: points (N, 2) as x, y in pixels, and one width in pixels for each point."""

    points: NDArray[np.float64]
    widths: NDArray[np.float64]


def wander(
    rng: np.random.Generator,
    start: tuple[float, float],
    angle: float,
    length: float,
    step: float,
    wiggle: float,
    kink: float = 0.0,
) -> NDArray[np.float64]:
    """A persistent random walk.

    Args:
        start: x, y in pixels.
        angle: heading in radians.
        length, step: in pixels.
        wiggle: standard deviation of the turn at each step, radians.
        kink: chance of a sharp turn at each step.

    Returns:
        (N, 2) points in pixels.
    """
    n = max(2, int(length / step))
    turns = rng.normal(0, wiggle, n)
    if kink > 0:
        sharp = rng.random(n) < kink
        turns = turns + sharp * rng.choice([-1.0, 1.0], n) * rng.uniform(0.4, 1.2, n)
    heading = angle + np.cumsum(turns)
    steps = np.stack([np.cos(heading), np.sin(heading)], 1) * step
    return np.concatenate([np.array([start]), np.array(start) + np.cumsum(steps, 0)])


def branching(
    rng: np.random.Generator,
    start: tuple[float, float],
    angle: float,
    length: float,
    step: float,
    width: float,
    branch: float,
    depth: int,
) -> list[Stroke]:
    """A crack and its branches, thinner at every generation and towards the tips."""
    points = wander(rng, start, angle, length, step, 0.25, kink=0.12)
    taper = np.linspace(1.0, rng.uniform(0.3, 0.9), len(points))
    rough = np.exp(rng.normal(0, 0.25, len(points)))
    strokes = [Stroke(points, width * taper * rough)]
    if depth <= 0:
        return strokes
    for i in np.flatnonzero(rng.random(len(points)) < branch)[:12]:
        heading = math.atan2(*(points[i] - points[max(i - 1, 0)])[::-1])
        side = heading + rng.choice([-1.0, 1.0]) * rng.uniform(0.4, 1.6)
        x, y = (float(v) for v in points[i])
        strokes += branching(
            rng,
            (x, y),
            side,
            length * rng.uniform(0.15, 0.6),
            step,
            width * rng.uniform(0.45, 0.9),
            branch,
            depth - 1,
        )
    return strokes


def draw(strokes: list[Stroke], height: int, width: int) -> Mask:
    """Paints strokes, anti-aliased, down to half a pixel.

    Returns:
        (height, width) float32 coverage in [0, 1].
    """
    s = SUPERSAMPLE
    canvas = np.zeros((height * s, width * s), np.uint8)
    unit = s * (1 << _SHIFT)
    for stroke in strokes:
        fixed = np.rint(stroke.points * unit).astype(np.int32)
        thick = np.maximum(1, np.rint(stroke.widths * s)).astype(int)
        cuts = np.flatnonzero(np.diff(thick)) + 1
        for a, b in zip([0, *cuts], [*cuts, len(thick)], strict=True):
            run = fixed[a : b + 1]
            cv2.polylines(canvas, [run[:, None]], False, 255, int(thick[a]), cv2.LINE_AA, _SHIFT)
    small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / np.float32(255)


def field(rng: np.random.Generator, height: int, width: int, cell: float) -> Mask:
    """A smooth random field with features of about `cell` pixels.

    Returns:
        (height, width) float32, about zero mean and unit deviation.
    """
    cell = max(cell, 1.0)  # finer than a pixel shows no more, and costs memory
    gh, gw = max(2, round(height / cell) + 2), max(2, round(width / cell) + 2)
    grid = rng.standard_normal((gh, gw), dtype=np.float32)
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def fractal(rng: np.random.Generator, height: int, width: int, cell: float) -> Mask:
    """Three octaves of `field`, the coarsest with features of `cell` pixels."""
    total = field(rng, height, width, cell)
    for octave in (2, 4):
        total = total + field(rng, height, width, max(cell / octave, 2.0)) / octave
    return np.asarray(total / 1.15, np.float32)


def cells(rng: np.random.Generator, height: int, width: int, pitch: float, warp: float) -> Mask:
    """The borders between the cells of a warped Voronoi diagram, one pixel wide.

    Args:
        pitch: mean distance of the cells' centres, pixels.
        warp: amplitude of the warp, pixels.

    Returns:
        (height, width) float32 in {0, 1}.
    """
    centres = np.ones((height, width), np.uint8)
    count = max(3, round(height * width / pitch**2))
    centres[rng.integers(0, height, count), rng.integers(0, width, count)] = 0
    _, label = cv2.distanceTransformWithLabels(
        centres, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x = x + np.float32(warp) * fractal(rng, height, width, max(pitch, 2.0))
    y = y + np.float32(warp) * fractal(rng, height, width, max(pitch, 2.0))
    owner = cv2.remap(
        label.astype(np.float32), x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
    )
    out = np.zeros((height, width), np.float32)
    out[:, 1:] += owner[:, 1:] != owner[:, :-1]
    out[1:] += owner[1:] != owner[:-1]
    return np.minimum(out, np.float32(1))
