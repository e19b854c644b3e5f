"""Draws the lines, outlines and random fields that `deterioration` composes damage from."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.degrade.types import Image, Mask

Size = tuple[int, int]
Points = NDArray[np.float64]
Rng = np.random.Generator


def between(rng: Rng, low: float, high: float) -> float:
    """A number drawn evenly from [low, high)."""
    return float(rng.uniform(low, high))


def ranging(rng: Rng, low: float, high: float) -> float:
    """A number drawn evenly in the logarithm from [low, high), both above 0."""
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))


def chance(rng: Rng, share: float) -> bool:
    """True in `share` of the draws."""
    return bool(rng.random() < share)


def pick(rng: Rng, weights: dict[str, float]) -> str:
    """One of the keys, in proportion to its weight."""
    names = list(weights)
    shares = np.array([weights[name] for name in names], np.float64)
    return names[int(rng.choice(len(names), p=shares / shares.sum()))]


def resized(picture: NDArray[Any], size: Size, how: int = cv2.INTER_LINEAR) -> Image:
    """`picture` at (height, width) `size`, centres kept in place; float32."""
    shaped = cv2.resize(picture.astype(np.float32), (size[1], size[0]), interpolation=how)
    return np.asarray(shaped, np.float32)


def blurred(picture: NDArray[Any], sigma: float) -> Image:
    """Gaussian blur with `sigma` in pixels; a wide one is done at a smaller size."""
    source = np.asarray(picture, np.float32)
    if sigma < 0.15:
        return source
    height, width = source.shape[:2]
    step = int(sigma // 4)
    if step >= 2 and min(height, width) >= 4 * step:
        small = resized(source, (height // step, width // step), cv2.INTER_AREA)
        return resized(blurred(small, sigma / step), (height, width))
    return np.asarray(
        cv2.GaussianBlur(source, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101), np.float32
    )


def clouds(size: Size, rng: Rng, period: float, octaves: int = 3, rough: float = 0.5) -> Mask:
    """(h, w) noise of mean about 0 and deviation about 1, coarsest detail `period` pixels."""
    field = np.zeros(size, np.float32)
    weight, total = 1.0, 0.0
    for _ in range(octaves):
        step = max(period, 1.0)
        rows = max(2, math.ceil(size[0] / step) + 2)
        columns = max(2, math.ceil(size[1] / step) + 2)
        grid = rng.standard_normal((rows, columns)).astype(np.float32)
        if step <= 1.0:
            field += weight * grid[: size[0], : size[1]]
        else:
            field += weight * resized(grid, size, cv2.INTER_CUBIC) * 1.35
        total += weight * weight
        weight *= rough
        period /= 2.0
    return np.asarray(field / math.sqrt(total), np.float32)


def ramp(field: NDArray[Any], low: float, high: float) -> Mask:
    """0 where `field` is below `low`, 1 above `high`, smooth between them."""
    t = np.clip((field - low) / max(high - low, 1e-6), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float32)


def grid(size: Size) -> tuple[Mask, Mask]:
    """Row and column of every pixel, (h, w) float32 each."""
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    return np.asarray(rows, np.float32), np.asarray(columns, np.float32)


def edge_distance(size: Size) -> Mask:
    """Distance of every pixel to the nearest edge of the photo, in pixels."""
    rows = np.minimum(np.arange(size[0]), np.arange(size[0])[::-1])
    columns = np.minimum(np.arange(size[1]), np.arange(size[1])[::-1])
    return np.minimum(rows[:, None], columns[None, :]).astype(np.float32)


def patch(size: Size, rng: Rng, radius: float, at: tuple[float, float] | None = None) -> Mask:
    """A soft, uneven, turned ellipse of about `radius` pixels, 1 inside; at row and column."""
    rows, columns = grid(size)
    row, column = at or (between(rng, 0, size[0]), between(rng, 0, size[1]))
    turn, flat = between(rng, 0, math.pi), between(rng, 0.4, 1.0)
    along = (columns - column) * math.cos(turn) + (rows - row) * math.sin(turn)
    across = -(columns - column) * math.sin(turn) + (rows - row) * math.cos(turn)
    far = np.hypot(along / radius, across / (radius * flat))
    return ramp(-far + 0.25 * clouds(size, rng, max(radius * 0.7, 2.0)), -1.1, -0.6)


class Canvas:
    """A surface for strokes and outlines thinner than a pixel, read back as coverage."""

    def __init__(self, size: Size, unit: float) -> None:
        self.size = size
        self.fine = 3 if unit < 1.5 else 2 if unit < 3.0 else 1
        self.pixels = np.zeros((size[0] * self.fine, size[1] * self.fine), np.uint8)

    def _fixed(self, points: Points) -> NDArray[np.int32]:
        placed = (points + 0.5) * self.fine - 0.5
        return np.clip(np.round(placed * 16), -(2**22), 2**22).astype(np.int32)

    def stroke(self, points: Points, width: float | NDArray[Any], strength: float = 1.0) -> None:
        """Draws a line through (n, 2) points of column and row, one width or one a segment."""
        path = self._fixed(points)
        widths = np.broadcast_to(np.asarray(width, np.float64), (len(points) - 1,)) * self.fine
        if np.ptp(widths) == 0:
            self._line(path, float(widths[0]), strength)
            return
        for index, thick in enumerate(widths):
            self._line(path[index : index + 2], float(thick), strength)

    def _line(self, path: NDArray[np.int32], thick: float, strength: float) -> None:
        level = round(255 * strength * min(1.0, max(thick, 0.15)))
        broad = max(1, round(thick))
        cv2.polylines(self.pixels, [path], False, level, broad, cv2.LINE_AA, 4)

    def fill(self, points: Points, strength: float = 1.0) -> None:
        """Fills the outline of (n, 2) points of column and row."""
        level = round(255 * strength)
        cv2.fillPoly(self.pixels, [self._fixed(points)], level, cv2.LINE_AA, 4)

    def alpha(self) -> Mask:
        """(h, w) coverage in [0, 1]."""
        small = resized(self.pixels, self.size, cv2.INTER_AREA) if self.fine > 1 else self.pixels
        return np.asarray(small.astype(np.float32) / 255.0, np.float32)


def walk(
    rng: Rng, start: tuple[float, float], angle: float, length: float, wobble: float, count: int
) -> Points:
    """A path of `count` steps that sets out at `angle` and bends by `wobble` radians in all."""
    bend = np.cumsum(rng.standard_normal(count)) / math.sqrt(count)
    lean = between(rng, -1, 1) * np.linspace(0, 1, count)
    heading = angle + wobble * (bend + lean)
    steps = np.stack([np.cos(heading), np.sin(heading)], 1) * (length / count)
    return np.concatenate([np.zeros((1, 2)), np.cumsum(steps, 0)]) + np.asarray(start)


def jagged(rng: Rng, start: Points, end: Points, rough: float, levels: int) -> Points:
    """A broken line from `start` to `end` whose breaks are `rough` times the span wide."""
    points = np.stack([start, end])
    span = float(np.linalg.norm(end - start))
    throw = rough * span
    for _ in range(levels):
        middle = (points[1:] + points[:-1]) / 2
        middle += rng.standard_normal(middle.shape) * throw
        merged = np.empty((len(points) + len(middle), 2))
        merged[::2], merged[1::2] = points, middle
        points = merged
        throw *= between(rng, 0.42, 0.58)
    return points


def outline(
    rng: Rng, centre: tuple[float, float], radius: float, rough: float, corners: int
) -> Points:
    """A ragged closed outline about `centre` (column, row)."""
    turn = np.linspace(0, 2 * math.pi, corners, endpoint=False)
    swell = np.zeros(corners)
    for order in range(1, min(9, corners // 2)):
        phase = between(rng, 0, 2 * math.pi)
        swell += rough * rng.standard_normal() * np.cos(order * turn + phase) / order**0.7
    swell += 0.25 * rough * rng.standard_normal(corners)
    reach = radius * np.exp(np.clip(swell, -1.2, 0.8))
    stretch, lean = between(rng, 0.5, 1.0), between(rng, 0, math.pi)
    x, y = reach * np.cos(turn), reach * np.sin(turn) * stretch
    return np.stack(
        [
            centre[0] + x * math.cos(lean) - y * math.sin(lean),
            centre[1] + x * math.sin(lean) + y * math.cos(lean),
        ],
        1,
    )


def mosaic(size: Size, rng: Rng, cell: float, stretch: float, bent: float) -> Mask:
    """Distance in pixels to the nearest seam of a net of polygons about `cell` pixels wide.

    Args:
        size: height and width.
        rng: where and how.
        cell: mean width of a polygon, in pixels.
        stretch: above 1 the polygons are wide, below 1 they are high.
        bent: how far seams leave the straight line, in cells.
    """
    height, width = size
    fine = 2 if max(size) < 1200 else 1
    tall, wide = max(2, round(height * fine * stretch**0.5)), round(width * fine / stretch**0.5)
    step = max(cell * fine, 3.0)
    count = max(3, int(tall * wide / step**2))
    seeds = np.full((tall, max(wide, 2)), 255, np.uint8)
    rows, columns = rng.integers(0, tall, count), rng.integers(0, max(wide, 2), count)
    seeds[rows, columns] = 0
    _, labels = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    y, x = grid((height * fine, width * fine))
    shift = bent * step
    y = y * (tall / (height * fine)) + shift * clouds((height * fine, width * fine), rng, step)
    x = x * (wide / (width * fine)) + shift * clouds((height * fine, width * fine), rng, step)
    bent_labels = np.asarray(
        cv2.remap(labels.astype(np.float32), x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT)
    )
    seam = np.zeros(bent_labels.shape, bool)
    seam[:, 1:] |= bent_labels[:, 1:] != bent_labels[:, :-1]
    seam[1:] |= bent_labels[1:] != bent_labels[:-1]
    away = cv2.distanceTransform((~seam).astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(resized(np.asarray(away), size, cv2.INTER_AREA) / fine, np.float32)
