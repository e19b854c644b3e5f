"""Draws structured damage: coverages (where it is) and looks (how it is painted).

Coverages are (H, W) float32 in [0, 1], 1 = fully covered; a `Look` paints one onto a photo.
`unit` is the size, in pixels, of 1/256 of the photo's short side: lengths and widths scale with
it, so that damage looks the same at any size of the photo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.degrade.strokes import Stroke, branching, cells, draw, field, fractal, wander
from unfade.degrade.types import Image, Mask, extent

Rgb = NDArray[np.float32]


def paper(rng: np.random.Generator) -> Rgb:
    """The colour of bare paper: white, cream or gray; (3,) in [0, 1]."""
    warm = rng.uniform(0, 1) ** 1.5
    value = rng.uniform(0.72, 1.0)
    return np.asarray(value * np.array([1.0, 1 - 0.05 * warm, 1 - 0.22 * warm]), np.float32)


def any_hue(rng: np.random.Generator, least: float, most: float) -> Rgb:
    """A colour of any hue whose channels lie between two values; (3,) in [0, 1]."""
    hue = rng.uniform(0, 2 * math.pi)
    wave = 0.5 + 0.5 * np.cos(hue + np.array([0, 2, 4]) * math.pi / 3)
    low, high = np.sort(rng.uniform(least, most, 2))
    return np.asarray(low + (high - low) * wave, np.float32)


def stroke_width(rng: np.random.Generator, unit: float, largest: float = 0.02) -> float:
    """Log-uniform between half a pixel and `largest` of the short side, thin ones favoured."""
    top = max(0.8, largest * 256 * unit)
    return float(math.exp(rng.beta(1.0, 1.8) * math.log(top / 0.5)) * 0.5)


def blend(image: Image, colour: Rgb | Image, alpha: Mask) -> Image:
    """Lays a colour (3,) or picture over the image with coverage alpha (H, W)."""
    return np.asarray(image + alpha[..., None] * (colour - image), np.float32)


@dataclass(frozen=True)
class Look:
    """The appearance of damage.

    Attributes:
        colour: (3,) in [0, 1]; None for damage that only makes the photo lighter or darker.
        opacity: of the colour, 0..1; without a colour, the change of brightness, -1..1.
        softness: sigma of the blur of its edges, pixels.
        relief: 0..1, the strength of the dark rim that lifted emulsion throws.
        mottle: amplitude of the unevenness of the colour, [0, 1] units.
    """

    colour: Rgb | None
    opacity: float
    softness: float = 0.0
    relief: float = 0.0
    mottle: float = 0.0

    def paint(
        self, image: Image, coverage: Mask, rng: np.random.Generator, unit: float
    ) -> tuple[Image, Mask]:
        """Paints a coverage (H, W) onto a photo (H, W, 3).

        Returns:
            The photo and where it was changed, (H, W) in [0, 1].
        """
        h, w = extent(image)
        alpha = coverage
        if self.softness > 0.2:
            alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), self.softness), np.float32)
        reached = alpha
        if self.relief > 0:
            rim = _relief(alpha, rng, unit) * np.float32(self.relief)
            image = np.asarray(image * (1 - rim[..., None]), np.float32)
            reached = np.maximum(alpha, rim)
        if self.colour is None:
            gain = np.float32(self.opacity) * alpha[..., None]
            toward = np.float32(1 if self.opacity > 0 else 0)
            out = np.asarray(image + np.abs(gain) * (toward - image), np.float32)
        else:
            colour: Rgb | Image = self.colour
            if self.mottle > 0:
                uneven = np.float32(self.mottle) * fractal(rng, h, w, 8 * unit)[..., None]
                colour = np.asarray(colour * (1 + uneven), np.float32)
            out = blend(image, colour, alpha * np.float32(self.opacity))
        return np.clip(out, 0, 1), np.asarray(reached, np.float32)


def _relief(core: Mask, rng: np.random.Generator, unit: float) -> Mask:
    """The shadow beside a raised edge, (H, W) in [0, 1]."""
    reach = max(0.6, rng.uniform(0.5, 1.3) * unit)
    soft = np.asarray(cv2.GaussianBlur(core, (0, 0), reach), np.float32)
    angle = rng.uniform(0, 2 * math.pi)
    rim = _shifted(soft, reach * math.cos(angle), reach * math.sin(angle))
    return np.asarray(np.clip(rim * 1.6 - core, 0, 1), np.float32)


def _shifted(plane: Mask, dx: float, dy: float) -> Mask:
    h, w = extent(plane)
    moved = cv2.warpAffine(plane, np.array([[1, 0, dx], [0, 1, dy]], np.float32), (w, h))
    return np.asarray(moved, np.float32)


def broken(rng: np.random.Generator, alpha: Mask, cell: float, share: float) -> Mask:
    """Interrupts a coverage where a random field is low; `share` is about the part kept."""
    h, w = extent(alpha)
    gate = field(rng, h, w, cell) * 2.0 + (share - 0.5) * 6
    return np.asarray(alpha * np.clip(gate + 0.5, 0, 1), np.float32)


def scratches(h: int, w: int, rng: np.random.Generator, unit: float, count: int) -> Mask:
    """Long, nearly straight scratches, each with its own width and strength."""
    parallel = rng.uniform(0, math.pi) if rng.random() < 0.4 else None
    total = np.zeros((h, w), np.float32)
    for _ in range(count):
        angle = rng.uniform(0, 2 * math.pi) if parallel is None else parallel + rng.normal(0, 0.08)
        start = (rng.uniform(-0.1, 1.1) * w, rng.uniform(-0.1, 1.1) * h)
        length, wiggle = rng.uniform(15, 300) * unit, rng.uniform(0.0, 0.09)
        points = wander(rng, start, angle, length, 6 * unit, wiggle)
        widths = stroke_width(rng, unit, 0.012) * np.exp(rng.normal(0, 0.15, len(points)))
        alpha = draw([Stroke(points, widths)], h, w) * np.float32(rng.uniform(0.5, 1.0))
        if rng.random() < 0.5:
            alpha = broken(rng, alpha, 12 * unit, rng.uniform(0.4, 0.9))
        total = np.maximum(total, alpha)
    return total


def abrasion(h: int, w: int, rng: np.random.Generator, unit: float, count: int) -> Mask:
    """A rubbed patch: many fine, short, about parallel or curved scuffs."""
    cx, cy, reach = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(10, 60) * unit
    angle, spread = rng.uniform(0, math.pi), float(rng.choice([0.06, 0.3, 1.5]))
    bend = rng.uniform(-0.08, 0.08)
    strokes: list[Stroke] = []
    for _ in range(6 * count):
        start = (cx + rng.normal(0, reach), cy + rng.normal(0, reach))
        heading, length = angle + rng.normal(0, spread), rng.uniform(4, 40) * unit
        points = wander(rng, start, heading, length, max(1.5, 3 * unit), 0.03)
        points = points + bend * np.square(points - points[0]) / max(reach, 1)
        widths = np.full(len(points), stroke_width(rng, unit, 0.004))
        strokes.append(Stroke(points, widths))
    return broken(rng, draw(strokes, h, w), 6 * unit, rng.uniform(0.4, 0.95))


def rubbed(h: int, w: int, rng: np.random.Generator, unit: float) -> Mask:
    """Rubbed emulsion: streaks along one direction, in a patch with a soft outline."""
    turn = rng.uniform(0, 360)
    reach = math.hypot(h, w)
    side = math.ceil(reach)
    fine, ratio = rng.uniform(0.6, 2.5) * unit, rng.uniform(2, 12)
    grain = fractal(rng, side, max(4, round(side / ratio)), max(fine, 1.0))
    grain = np.asarray(cv2.resize(grain, (side, side), interpolation=cv2.INTER_LINEAR))
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), turn, 1.0)
    matrix[:, 2] += (w - side) / 2, (h - side) / 2
    streaks = cv2.warpAffine(grain, matrix, (w, h), borderMode=cv2.BORDER_REFLECT)
    y, x = np.mgrid[:h, :w].astype(np.float32)
    cx, cy, size = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(8, 60) * unit
    far = np.hypot((x - cx) * rng.uniform(0.5, 2.0), y - cy) / size
    patch = 1.6 - 2.2 * far + 0.7 * field(rng, h, w, 0.6 * size)
    edge = rng.uniform(1.0, 4.0)
    return np.asarray(np.clip((streaks + patch - 1.2) * edge, 0, 1), np.float32)


def worn_edges(h: int, w: int, rng: np.random.Generator, unit: float) -> Mask:
    """Emulsion chipped off along the borders of the print, least often towards its middle."""
    x, y = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    sides = np.stack([x, w - 1 - x, y, h - 1 - y])  # (4, h, w)
    worn = rng.random(4) < 0.6
    worn[rng.integers(4)] = True
    near = sides[worn].min(0)
    reach = rng.uniform(1.5, 20) * unit
    chips = fractal(rng, h, w, rng.uniform(2, 16) * unit)
    chips = chips + 0.6 * field(rng, h, w, rng.uniform(30, 120) * unit)
    level = rng.uniform(-0.3, 0.9) + 2.2 * near / reach
    return np.asarray(np.clip((chips - level) * rng.uniform(1.5, 8), 0, 1), np.float32)


def hairs(h: int, w: int, rng: np.random.Generator, unit: float, count: int) -> Mask:
    """Hairs and fibres: thin, smooth, curling lines of one width."""
    strokes: list[Stroke] = []
    for _ in range(count):
        start, angle = (rng.uniform(0, w), rng.uniform(0, h)), rng.uniform(0, 2 * math.pi)
        length, step = rng.uniform(8, 140) * unit, max(1.0, 2 * unit)
        n = max(3, int(length / step))
        turn = np.cumsum(rng.normal(0, 0.03, n)) + rng.normal(0, 0.05)
        heading = angle + np.cumsum(turn)
        steps = np.stack([np.cos(heading), np.sin(heading)], 1) * step
        points = np.concatenate([np.array([start]), np.array(start) + np.cumsum(steps, 0)])
        width = max(0.5, rng.uniform(0.35, 1.3) * unit)
        strokes.append(Stroke(points, np.full(len(points), width)))
    return draw(strokes, h, w)


def cracks(h: int, w: int, rng: np.random.Generator, unit: float, count: int) -> Mask:
    """Branching cracks with lost flakes at the joints."""
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
            rng,
            start,
            angle,
            rng.uniform(50, 330) * unit,
            rng.uniform(3, 9) * unit,
            stroke_width(rng, unit),
            rng.uniform(0.02, 0.14),
            int(rng.integers(1, 4)),
        )
    core = draw(strokes, h, w)
    if rng.random() < 0.7:
        core = broken(rng, core, rng.uniform(5, 30) * unit, rng.uniform(0.6, 0.95))
    if rng.random() < 0.35:
        near = np.asarray(cv2.GaussianBlur(core, (0, 0), 4 * unit), np.float32)
        flakes = np.clip((near * 3 + 0.35 * fractal(rng, h, w, 14 * unit) - 0.95) * 6, 0, 1)
        core = np.maximum(core, flakes.astype(np.float32))
    return core


def network(h: int, w: int, rng: np.random.Generator, unit: float) -> Mask:
    """Crazing: a network of cracks around polygons, over a part or all of the surface."""
    pitch = rng.uniform(8, 45) * unit
    lines = cells(rng, h, w, pitch, rng.uniform(0.1, 0.35) * pitch)
    width = stroke_width(rng, unit, 0.008)
    reach = max(0.5, 0.5 * width)
    core = np.asarray(cv2.GaussianBlur(lines, (0, 0), reach), np.float32)
    core = np.clip(core * np.float32(2.2 * reach) * np.float32(rng.uniform(0.7, 1.3)), 0, 1)
    core = broken(rng, core, rng.uniform(0.5, 2) * pitch, rng.uniform(0.5, 0.98))
    if rng.random() < 0.6:
        part = field(rng, h, w, rng.uniform(60, 160) * unit) * 3 + rng.uniform(-1, 2)
        core = core * np.clip(part, 0, 1)
    return np.asarray(core, np.float32)


def wrinkles(h: int, w: int, rng: np.random.Generator, unit: float, count: int) -> Mask:
    """Creased emulsion: short branching lines."""
    strokes: list[Stroke] = []
    for _ in range(count):
        start, angle = (rng.uniform(0, w), rng.uniform(0, h)), rng.uniform(0, 2 * math.pi)
        strokes += branching(
            rng,
            start,
            angle,
            rng.uniform(15, 90) * unit,
            3 * unit,
            rng.uniform(0.6, 1.8) * max(unit, 0.8),
            0.05,
            1,
        )
    return draw(strokes, h, w)


def emboss(image: Image, core: Mask, rng: np.random.Generator, unit: float) -> tuple[Image, Mask]:
    """Lights one side of a coverage's lines and shades the other, as raised emulsion does.

    Returns:
        The photo (H, W, 3) and where it was changed, (H, W) in [0, 1].
    """
    strength = np.float32(rng.uniform(0.1, 0.4))
    reach = max(0.7, rng.uniform(0.5, 1.5) * unit)
    angle = rng.uniform(0, 2 * math.pi)
    dx, dy = reach * math.cos(angle), reach * math.sin(angle)
    light, dark = _shifted(core, dx, dy), _shifted(core, -dx, -dy)
    out = np.clip(image + (strength * (light - dark))[..., None], 0, 1)
    return np.asarray(out, np.float32), np.minimum(light + dark, np.float32(1))


def fold(h: int, w: int, rng: np.random.Generator, unit: float) -> Mask:
    """The broken line of a crease across the photo."""
    angle = float(rng.choice([0.0, math.pi / 2])) + rng.normal(0, 0.12)
    if rng.random() < 0.3:
        angle = rng.uniform(0, math.pi)
    cx, cy = rng.uniform(0.1, 0.9) * w, rng.uniform(0.1, 0.9) * h
    reach = 0.75 * math.hypot(h, w)
    start = (cx - reach * math.cos(angle), cy - reach * math.sin(angle))
    points = wander(rng, start, angle, 2 * reach, 5 * unit, 0.012)
    width = max(0.7, rng.uniform(0.5, 2.5) * unit)
    line = draw([Stroke(points, width * np.exp(rng.normal(0, 0.35, len(points))))], h, w)
    return broken(rng, line, rng.uniform(4, 20) * unit, rng.uniform(0.5, 0.98))


def shade_around(image: Image, core: Mask, rng: np.random.Generator, unit: float) -> Image:
    """Darkens a broad band about a crease."""
    band = np.asarray(cv2.GaussianBlur(core, (0, 0), rng.uniform(3, 9) * unit), np.float32)
    shade = 1 - np.float32(rng.uniform(0, 0.9)) * np.clip(band, 0, 0.4)
    return np.asarray(image * shade[..., None], np.float32)


def dust(h: int, w: int, rng: np.random.Generator, unit: float, count: int) -> Mask:
    """Specks, each about as long as wide, spread evenly or in clusters."""
    strokes: list[Stroke] = []
    cluster = rng.random() < 0.4
    cx, cy, reach = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(8, 60) * unit
    largest = float(rng.choice([0.006, 0.012, 0.02]))
    for _ in range(count):
        start = (rng.uniform(0, w), rng.uniform(0, h))
        if cluster:
            start = (cx + rng.normal(0, reach), cy + rng.normal(0, reach))
        angle, length = rng.uniform(0, 2 * math.pi), rng.uniform(0.3, 3) * unit
        points = wander(rng, start, angle, length, max(0.7, 0.8 * unit), 0.6)
        strokes.append(Stroke(points, np.full(len(points), stroke_width(rng, unit, largest))))
    return draw(strokes, h, w)


def blots(h: int, w: int, rng: np.random.Generator, unit: float, count: int) -> Mask:
    """Irregular blots, from a speck to a sixth of the photo."""
    alpha = np.zeros((h, w), np.float32)
    for _ in range(count):
        r = float(np.exp(rng.uniform(math.log(1.2), math.log(22)))) * unit
        cx, cy = rng.uniform(0, w), rng.uniform(0, h)
        ax = r * rng.uniform(0.6, 1.6)
        n = int(np.clip(r * 3, 8, 90))
        theta = np.linspace(0, 2 * math.pi, n, endpoint=False)
        rough: NDArray[np.float64] = rng.standard_normal(n + 2)
        ripple = 1 + 0.28 * (0.5 * rough[:-2] + 0.7 * rough[1:-1] + 0.5 * rough[2:])
        x, y = cx + ax * ripple * np.cos(theta), cy + r * ripple * np.sin(theta)
        blot = np.zeros((h, w), np.uint8)
        polygon = np.rint(np.stack([x, y], 1) * 16).astype(np.int32)
        cv2.fillPoly(blot, [polygon[:, None]], 255, cv2.LINE_AA, 4)
        alpha = np.maximum(alpha, blot.astype(np.float32) / 255)
    return alpha


def flakes(h: int, w: int, rng: np.random.Generator, unit: float) -> Mask:
    """Flaked emulsion: islands of a fractal field, some of them in a part of the photo only."""
    height = fractal(rng, h, w, rng.uniform(5, 60) * unit)
    height = height + rng.uniform(0.3, 1.2) * field(rng, h, w, rng.uniform(60, 200) * unit)
    edge = rng.uniform(2, 25)
    level = float(np.quantile(height, 1 - rng.uniform(0.003, 0.12)))
    return np.asarray(np.clip((height - level) * edge, 0, 1), np.float32)


def scribble(h: int, w: int, rng: np.random.Generator, unit: float) -> Mask:
    """Ink or pencil: a few looping strokes of one pen."""
    width = max(0.8, rng.uniform(0.7, 2.2) * unit)
    strokes: list[Stroke] = []
    x, y = rng.uniform(0, w), rng.uniform(0, h)
    for _ in range(int(rng.integers(1, 5))):
        heading, length = rng.uniform(0, 2 * math.pi), rng.uniform(20, 120) * unit
        points = wander(rng, (x, y), heading, length, 2.5 * unit, 0.35)
        strokes.append(Stroke(points, np.full(len(points), width)))
        x, y = (float(v) for v in points[-1] + rng.normal(0, 8 * unit, 2))
    return draw(strokes, h, w)


def handwriting(h: int, w: int, rng: np.random.Generator, unit: float) -> Mask:
    """One or two lines written in a running hand."""
    size, pen = rng.uniform(2.5, 9) * unit, max(0.6, rng.uniform(0.35, 1.1) * unit)
    slope, slant = rng.normal(0, 0.15), rng.uniform(-0.2, 0.7)
    x, y = rng.uniform(-0.1, 0.8) * w, rng.uniform(0.05, 0.95) * h
    strokes: list[Stroke] = []
    for line in range(int(rng.integers(1, 3))):
        at = 0.0
        for _ in range(int(rng.integers(1, 5))):
            letters = int(rng.integers(2, 9))
            t = np.linspace(0, letters, 10 * letters)
            heights = rng.choice([0.5, 0.5, 0.6, 1.2, -0.9], letters + 1)
            tall = np.interp(t, np.arange(letters + 1), heights)
            loop = rng.uniform(0.15, 0.5)
            up = tall * size * (0.5 - 0.5 * np.cos(2 * math.pi * t))
            along = at + 0.8 * size * t + loop * size * np.sin(2 * math.pi * t) + slant * up
            down = line * 2.2 * size - up
            points = np.stack([x + along - slope * down, y + slope * along + down], 1)
            strokes.append(Stroke(points, pen * np.exp(rng.normal(0, 0.2, len(points)))))
            at += 0.8 * size * (letters + rng.uniform(0.8, 2))
    return draw(strokes, h, w)


def strip(h: int, w: int, rng: np.random.Generator, unit: float) -> Mask:
    """Adhesive tape or a label, or the mark that it left: a turned rectangle, its ends torn."""
    long, wide = rng.uniform(12, 150) * unit, rng.uniform(5, 24) * unit
    turn = float(rng.choice([0.0, math.pi / 2])) + rng.normal(0, 0.2)
    cx, cy = rng.uniform(0, w), rng.uniform(0, h)
    y, x = np.mgrid[:h, :w].astype(np.float32)
    c, s = math.cos(turn), math.sin(turn)
    along, across = np.abs(c * (x - cx) + s * (y - cy)), np.abs(c * (y - cy) - s * (x - cx))
    ragged = rng.uniform(0, 1.5) * unit * field(rng, h, w, 3 * unit)
    inside = np.minimum((long + ragged) / 2 - along, wide / 2 - across)
    alpha = np.clip(inside + 0.5, 0, 1)
    if rng.random() < 0.4:
        rim = np.exp(-0.5 * np.square(inside / (rng.uniform(0.7, 2) * unit)))
        alpha = np.maximum(alpha * rng.uniform(0.2, 0.7), rim * alpha)
    return np.asarray(alpha, np.float32)


def beyond_edge(h: int, w: int, rng: np.random.Generator, unit: float, shape: str) -> Mask:
    """Signed distance, in pixels, past a ragged border of the print; (h, w), > 0 is lost.

    Args:
        shape: "corner", "edge" (a strip along a side), "bite" (a notch in a side) or "sides" (a
            strip along all of them, with worn corners).
    """
    x, y = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    if rng.random() < 0.5:
        x = w - 1 - x
    if rng.random() < 0.5:
        y = h - 1 - y
    if shape == "corner":
        slope = rng.uniform(0.4, 2.0)
        reach = rng.uniform(6, 70) * unit
        inside = (slope * x + y) / math.hypot(slope, 1) - reach
    elif shape == "sides":
        across, down = np.minimum(x, w - 1 - x), np.minimum(y, h - 1 - y)
        worn = rng.uniform(1, 40) * unit  # radius of the corners
        corner = np.maximum(across, down) < worn
        rounded = worn - np.hypot(worn - across, worn - down)
        straight = np.minimum(across, down)
        inside = np.where(corner, rounded, straight) - rng.uniform(0, 12) * unit
    elif shape == "edge":
        inside = (x if rng.random() < 0.5 else y) - rng.uniform(1, 22) * unit
    else:
        along, depth, length = (x, y, w) if rng.random() < 0.5 else (y, x, h)
        centre, half = rng.uniform(0, length), rng.uniform(4, 35) * unit
        deep = rng.uniform(3, 35) * unit
        inside = depth - deep * (1 - np.square((along - centre) / half))
    rough = fractal(rng, h, w, rng.uniform(10, 40) * unit) * rng.uniform(0.1, 6) * unit
    return np.asarray(rough - inside, np.float32)


def torn(image: Image, rng: np.random.Generator, unit: float, shape: str) -> tuple[Image, Mask]:
    """A lost border: mostly a paper rim and, beyond it, what the print lies on.

    Returns:
        The photo (H, W, 3) and what was lost, (H, W) in [0, 1].
    """
    h, w = extent(image)
    past = beyond_edge(h, w, rng, unit, shape)
    gone = np.clip(past + 0.5, 0, 1)
    width = rng.uniform(0, 5) * unit if rng.random() < 0.6 else 0.0
    rim = np.clip(past + width + 0.5, 0, 1)
    value = rng.choice([1.0, 0.97, 0.9, 0.75, 0.08, 0.02, 0.3, 0.5])
    backing = np.float32(value) * np.array([1, 1, 1], np.float32)
    roll = rng.random()
    if roll < 0.4:
        backing = paper(rng) * np.float32(rng.uniform(0.5, 1.0))
    elif roll < 0.55:
        backing = any_hue(rng, 0.0, 0.6)
    out = blend(image, paper(rng), rim) if width else image
    out = blend(out, backing, gone)
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


def paper_texture(image: Image, rng: np.random.Generator, unit: float) -> Image:
    """The relief of the paper in the scanner's light: silk, linen or matte. Not in the mask."""
    h, w = extent(image)
    amount = np.float32(rng.uniform(0.01, 0.06))
    if rng.random() < 0.5:
        relief = field(rng, h, w, max(1.0, rng.uniform(0.8, 2.5) * unit))
    else:
        y, x = np.mgrid[:h, :w].astype(np.float32)
        k = 2 * math.pi / (rng.uniform(2.5, 7) * max(unit, 0.6))
        turn = rng.uniform(0, math.pi)
        c, s = math.cos(turn), math.sin(turn)
        relief = np.sin(k * (c * x + s * y)) + np.sin(k * (c * y - s * x))
    lit = image * (1 + amount * relief[..., None].astype(np.float32))
    return np.asarray(np.clip(lit, 0, 1), np.float32)
