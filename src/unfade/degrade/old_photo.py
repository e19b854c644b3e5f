"""The old-photo recipe: lens, grain, fading, dirt and cracks, then the scanner."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.degrade import damage as dm
from unfade.degrade import kernels, ops, tone
from unfade.degrade.severity import MODERATE, Severity
from unfade.degrade.types import Degraded, Image, Mask, Params, Value, extent

# Kinds of structured damage and how often each is drawn. Dark damage stays rare: a detector
# that sees much of it flags lips, brows and spectacle frames.
_KINDS = {
    "scratches": 0.27,
    "cracks": 0.25,
    "wrinkles": 0.07,
    "fold": 0.1,
    "dust": 0.13,
    "spots": 0.09,
    "torn": 0.06,
    "scribble": 0.03,
}
_DARK = 0.07


@dataclass
class _Print:
    """A photo on its way through the recipe."""

    image: Image
    mask: Mask
    lost: Mask
    params: list[Params] = field(default_factory=list[Params])

    def note(self, op: str, **values: Value) -> None:
        self.params.append({"op": op, **values})


def draw_tone(rng: np.random.Generator, amount: float) -> tone.Tone:
    """One global change of tone of the kinds that old prints show; amount in [0, 1]."""
    kind = rng.choice(
        ["none", "contrast", "dye", "yellow", "mono", "sepia"], p=[0.2, 0.24, 0.2, 0.2, 0.06, 0.1]
    )
    strength = float(amount * rng.uniform(0.25, 1.0))
    if kind == "contrast":
        return tone.contrast_loss(rng, strength)
    if kind == "dye":
        return tone.dye_fading(rng, strength)
    if kind == "yellow":
        return tone.yellowing(rng, strength)
    if kind == "mono":
        return tone.monochrome(rng, strength, 0.0)
    if kind == "sepia":
        return tone.monochrome(rng, strength, float(rng.uniform(0.3, 1.0)))
    return tone.Tone()


def _changed_tone(rng: np.random.Generator, severity: Severity) -> tone.Tone:
    change = draw_tone(rng, severity.fade)
    while severity.only and severity.fade > 0 and change == tone.Tone():
        change = draw_tone(rng, severity.fade)
    return change if severity.fade > 0 else tone.Tone()


def _happens(rng: np.random.Generator, chance: float, limit: float, severity: Severity) -> bool:
    """Whether a kind of degradation with this limit is drawn."""
    roll = rng.random()
    return limit > 0 and (severity.only or roll < chance)


def _lens(p: _Print, rng: np.random.Generator, severity: Severity, unit: float) -> None:
    if _happens(rng, 0.65, severity.blur, severity):
        sx = rng.uniform(0.25, 1.0) * severity.blur * unit
        sy = sx * (1.0 if rng.random() < 0.6 else rng.uniform(0.5, 1.5))
        theta = rng.uniform(0, math.pi)
        if max(sx, sy) > 0.25:
            size = min(kernels.size_for(max(sx, sy)), max(41, 2 * round(6.5 * unit) + 1))
            p.image = kernels.apply(p.image, kernels.gaussian(size, sx, sy, theta))
            p.note("blur", sigma_x=sx, sigma_y=sy, theta=theta)
    if rng.random() < 0.25 and severity.blur > 0 and not severity.only:
        h, w = extent(p.image)
        factor = rng.uniform(1 / (1 + 0.8 * severity.blur), 1.0)
        down, up = rng.choice(["area", "bilinear", "bicubic"], 2)
        small = ops.resize(p.image, max(1, round(h * factor)), max(1, round(w * factor)), down)
        p.image = ops.resize(small, h, w, up if up != "area" else "bicubic")
        p.note("resample", factor=factor, down=str(down), up=str(up))


def _grain(p: _Print, rng: np.random.Generator, severity: Severity, unit: float) -> float:
    """Adds one kind of noise or none; returns its standard deviation."""
    skipped = rng.random() < 0.2 and not severity.only
    if skipped or severity.noise <= 0:
        return 0.0
    kind = rng.choice(["gaussian", "poisson", "grain"], p=[0.3, 0.2, 0.5])
    sigma = float(severity.noise * rng.uniform(0.1, 1.0))
    gray = bool(rng.random() < 0.5)
    if kind == "gaussian":
        p.image = ops.gaussian_noise(p.image, sigma, gray, rng)
    elif kind == "poisson":
        p.image = ops.poisson_noise(p.image, 2 * sigma * sigma, gray, rng)
    else:
        size = float(rng.uniform(0.2, 0.9) * max(1.0, unit))
        p.image = ops.film_grain(p.image, sigma, size, rng)
        p.note("grain_size", size=size)
    p.note(str(kind), sigma=sigma, gray=int(gray))
    return sigma


def _one_damage(
    kind: str, image: Image, rng: np.random.Generator, unit: float, amount: float
) -> tuple[Image, Mask, int]:
    dark = bool(rng.random() < _DARK)

    def many(low: int, high: int) -> int:
        return max(1, round(amount * rng.uniform(low, high)))

    n = 1
    if kind == "scratches":
        n = many(1, 7)
        out = dm.scratches(image, rng, unit, n, dark)
    elif kind == "cracks":
        n = many(1, 4)
        out = dm.cracks(image, rng, unit, n)
    elif kind == "wrinkles":
        n = many(3, 20)
        out = dm.wrinkles(image, rng, unit, n)
    elif kind == "fold":
        out = dm.fold(image, rng, unit)
    elif kind == "dust":
        n = many(4, 45)
        out = dm.dust(image, rng, unit, n, dark)
    elif kind == "spots":
        n = many(1, 6)
        out = dm.spots(image, rng, unit, n, dark)
    elif kind == "torn":
        out = dm.torn(image, rng, unit, corner=bool(rng.random() < 0.6))
    else:
        out = dm.scribble(image, rng, unit)
    return *out, n


def _visible(before: Image, after: Image, sigma: float) -> NDArray[np.uint8]:
    """Where a change shows: above the grain (standard deviation sigma) and the local texture."""
    r, g, b = cv2.split(cv2.absdiff(after, before))
    change = np.maximum(np.maximum(r, g), b)
    gray = cv2.cvtColor(before, cv2.COLOR_RGB2GRAY)
    mean, power = cv2.blur(gray, (7, 7)), cv2.blur(gray * gray, (7, 7))
    texture = cv2.sqrt(np.maximum(power - mean * mean, 0))
    threshold = np.maximum(0.5 * texture, np.float32(max(0.055, 1.8 * sigma)))
    return (change > threshold).astype(np.uint8)


def _wear(
    p: _Print, rng: np.random.Generator, severity: Severity, unit: float, sigma: float
) -> None:
    """Structured damage. The mask keeps what shows: damage fainter than the grain is none."""
    if rng.random() < severity.clean:
        return
    names = list(_KINDS)
    h, w = extent(p.image)
    amount = severity.amount * min(1.5, max(0.3, h * w / (256 * unit) ** 2))
    count = 1 + min(int(rng.poisson(max(severity.damage - 1, 0.05))), 5)
    for kind in rng.choice(names, count, p=np.array(list(_KINDS.values())) / sum(_KINDS.values())):
        before = p.image
        p.image, cover, n = _one_damage(str(kind), before, rng, unit, amount)
        shows = _visible(before, p.image, sigma) & (cover > 0.12).astype(np.uint8)
        closed = cv2.morphologyEx(shows, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
        shown = np.asarray(closed, np.float32)
        p.mask = np.maximum(p.mask, shown)
        if kind == "torn":
            p.lost = np.maximum(p.lost, np.asarray(cover > 0.5, np.float32))
            p.mask = np.maximum(p.mask, p.lost)
        p.note(str(kind), count=n)


def _dirt(p: _Print, rng: np.random.Generator, severity: Severity, unit: float) -> None:
    if rng.random() < 0.12 * severity.fade and not severity.only:
        p.image = dm.stain(p.image, rng, unit)
        p.note("stain")


def _scanner(p: _Print, rng: np.random.Generator, severity: Severity) -> None:
    if rng.random() < 0.5 and not severity.only:
        sigma = float(rng.uniform(0.3, 0.7))
        p.image = kernels.apply(p.image, kernels.gaussian(5, sigma, sigma))
        p.note("scan_blur", sigma=sigma)
    if rng.random() < 0.5 and not severity.only:
        sigma = float(rng.uniform(0.0, 0.25) * severity.noise)
        p.image = ops.gaussian_noise(p.image, sigma, False, rng)
        p.note("scan_noise", sigma=sigma)
    if _happens(rng, 0.7, 98 - severity.jpeg, severity):
        quality = int(rng.integers(severity.jpeg, 98))
        p.image = ops.jpeg(p.image, quality, subsample=bool(rng.random() < 0.6))
        p.note("jpeg", quality=quality)


def old_photo(
    hq: Image,
    rng: np.random.Generator,
    severity: Severity = MODERATE,
    *,
    unit: float | None = None,
) -> Degraded:
    """Ages a clean photo.

    Args:
        hq: (H, W, 3) float32, sRGB [0, 1].
        rng: the only source of randomness.
        severity: how much of everything.
        unit: pixels for 1/256 of the photo's short side; a crop of a larger photo passes
            the whole photo's. By default that of `hq`.

    Returns:
        The pair, all of its parts the size of `hq`. `hq` comes back gray where the recipe
        took all colour: mending does not invent it.
    """
    h, w = extent(hq)
    scale = min(h, w) / 256 if unit is None else unit
    empty = np.zeros((h, w), np.float32)
    p = _Print(hq, empty, empty)
    change = _changed_tone(rng, severity)
    target = hq
    if change.saturation == 0:
        target = np.repeat(ops.luma(hq)[..., None], 3, 2)
    toned = change.apply(hq)
    _lens(p, rng, severity, scale)
    if rng.random() < 0.02 and not severity.only:
        pitch, angle = float(rng.uniform(2.2, 5) * max(scale, 1)), float(rng.uniform(0.2, 1.4))
        p.image = ops.halftone(p.image, pitch, angle, float(rng.uniform(0.2, 0.6)))
        p.note("halftone", pitch=pitch, angle=angle)
    sigma = _grain(p, rng, severity, scale)
    p.image = change.apply(p.image)
    p.params.append(change.params())
    if rng.random() < 0.2 and not severity.only:
        amount, state = float(rng.uniform(-0.35, 0.6) * severity.fade), rng.integers(1 << 31)
        p.image = dm.vignette(p.image, np.random.default_rng(state), amount)
        toned = dm.vignette(toned, np.random.default_rng(state), amount)
        p.note("vignette", amount=amount)
    _dirt(p, rng, severity, scale)
    _wear(p, rng, severity, scale, sigma)
    _scanner(p, rng, severity)
    return Degraded(np.clip(p.image, 0, 1), target, toned, p.mask, p.lost, p.params)
