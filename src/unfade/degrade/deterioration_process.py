"""Simulates changes of a whole photo: printing, fading, and photographing or scanning the print.

Every function draws its numbers once and gives back a `Step`, so that the same change, noise
and all, can be made to several versions of one photo.
Sources: Lavédrine, "Photographs of the Past"; Wilhelm, "The Permanence and Care of Color
Photographs"; Reilly, "Care and Identification of 19th-Century Photographic Prints".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.degrade.deterioration_shapes import (
    Rng,
    Size,
    between,
    blurred,
    chance,
    clouds,
    edge_distance,
    grid,
    patch,
    ramp,
    ranging,
    resized,
)
from unfade.degrade.types import Image, Mask

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True)
class Step:
    """One change to a whole (h, w, 3) photo in [0, 1].

    Attributes:
        name: its name in the record.
        run: makes the change; the same input always gives the same output.
        tone: whether it is a change of tone alike everywhere.
        numbers: its random parameters.
    """

    name: str
    run: Callable[[Image], Image]
    tone: bool = False
    numbers: dict[str, float] = field(default_factory=dict[str, float])


def luma(picture: Image) -> Mask:
    """(h, w) Rec.709 luma of an sRGB photo."""
    return np.asarray(picture @ LUMA, np.float32)


def gray(picture: Image) -> Image:
    """Rec.709 luma in all three channels."""
    return np.repeat(luma(picture)[..., None], 3, axis=2)


def _clip(picture: NDArray[Any]) -> Image:
    return np.asarray(np.clip(picture, 0.0, 1.0), np.float32)


def _vector(*numbers: float) -> NDArray[np.float32]:
    return np.array(numbers, np.float32)


# How it was made.


def emulsion(rng: Rng, old: bool) -> Step:
    """Takes the colour: a plate blind to red (`old`), or a panchromatic film."""
    red = between(rng, 0.02, 0.2) if old else between(rng, 0.18, 0.34)
    blue = between(rng, 0.25, 0.55) if old else between(rng, 0.08, 0.22)
    weights = _vector(red, 1 - red - blue, blue)

    def run(picture: Image) -> Image:
        return np.repeat((picture @ weights)[..., None], 3, axis=2)

    return Step("emulsion", run, True, {"red": red, "blue": blue})


def lens(size: Size, unit: float, rng: Rng, amount: float) -> Step:
    """Softness of an old lens, more in the corners, and the glow of light behind the film."""
    sigma = between(rng, 0.1, 0.35 + 0.8 * amount) * unit
    glow = between(rng, 0.0, 0.35) if chance(rng, 0.35) else 0.0
    rows, columns = grid(size)
    off = np.hypot(rows / size[0] - 0.5, columns / size[1] - 0.5)
    corner = ramp(off, 0.25, 0.75)[..., None] * between(rng, 0, 0.9)

    def run(picture: Image) -> Image:
        soft = blurred(picture, sigma)
        soft = soft + corner * (blurred(picture, 2.2 * sigma + 0.4 * unit) - soft)
        if glow:
            bright = blurred(np.asarray(np.maximum(soft - 0.6, 0), np.float32), 7 * unit)
            soft = soft + glow * bright * (1 - soft)
        return _clip(soft)

    return Step("lens", run, numbers={"sigma": sigma, "glow": glow})


def grain(size: Size, unit: float, rng: Rng, amount: float, mono: bool) -> Step:
    """Grain of film or paper, strongest in the middle tones."""
    strength = ranging(rng, 0.006, 0.012 + 0.075 * amount)
    coarse = ranging(rng, 0.2, 0.9) * unit
    noise = rng.standard_normal((*size, 1 if mono else 3)).astype(np.float32)
    soft = blurred(noise, coarse).reshape(*size, -1)
    soft = soft / max(float(soft.std()), 1e-6)
    if not mono:
        soft = 0.6 * soft + 0.55 * soft.mean(axis=2, keepdims=True)

    def run(picture: Image) -> Image:
        weight = 0.35 + 2.6 * picture * (1 - picture)
        return _clip(picture + strength * weight * soft)

    return Step("grain", run, numbers={"strength": strength, "coarse": coarse})


def halftone(size: Size, unit: float, rng: Rng, mono: bool) -> Step:
    """A printer's screen of dots, one angle an ink."""
    pitch = max(2.3, ranging(rng, 1.3, 3.0) * unit)
    share = between(rng, 0.25, 0.75)
    rows, columns = grid(size)
    angles = [math.pi / 4] * 3 if mono else [0.26, 1.31, math.pi / 4]
    screens: list[Mask] = []
    for angle in angles:
        u = (columns * math.cos(angle) + rows * math.sin(angle)) * 2 * math.pi / pitch
        v = (rows * math.cos(angle) - columns * math.sin(angle)) * 2 * math.pi / pitch
        screens.append(np.asarray(0.5 + 0.25 * (np.cos(u) + np.cos(v)), np.float32))
    screen = np.stack(screens, axis=2)

    def run(picture: Image) -> Image:
        dots = np.clip((picture - screen) * 3.0 + 0.5, 0, 1)
        return _clip(picture + share * (dots - picture))

    return Step("halftone", run, numbers={"pitch": pitch, "share": share})


def paper(size: Size, unit: float, rng: Rng) -> Step:
    """The relief of silk, linen or honeycomb paper as the light shows it."""
    pitch = max(2.5, ranging(rng, 1.6, 4.5) * unit)
    strength = between(rng, 0.015, 0.06)
    rows, columns = grid(size)
    turn = between(rng, -0.2, 0.2)
    x = (columns * math.cos(turn) + rows * math.sin(turn)) * 2 * math.pi / pitch
    y = (rows * math.cos(turn) - columns * math.sin(turn)) * 2 * math.pi / pitch
    if chance(rng, 0.5):
        relief = np.sin(x) * np.cos(y)
    else:
        relief = 0.6 * np.sin(x) + 0.4 * np.sin(0.5 * x + 0.87 * y)
    relief = relief * (0.7 + 0.3 * clouds(size, rng, 30 * unit))
    texture = np.asarray(strength * relief, np.float32)[..., None]

    def run(picture: Image) -> Image:
        return _clip(picture + texture * (0.35 + 0.65 * (1 - picture)))

    return Step("paper", run, numbers={"pitch": pitch, "strength": strength})


def contrast(rng: Rng, amount: float) -> Step:
    """The curve of the print: hard or soft, light or dark, with limited range."""
    steep = between(rng, -0.5, 0.9) * amount
    bright = math.exp(0.45 * amount * rng.normal())
    black, white = between(rng, 0, 0.12) * amount, 1 - between(rng, 0, 0.08) * amount

    def run(picture: Image) -> Image:
        bent = np.maximum(picture, 1e-4) ** bright
        curve = bent * bent * (3 - 2 * bent)
        bent = bent + steep * (curve - bent)
        return _clip(black + (white - black) * np.clip(bent, 0, 1))

    return Step("contrast", run, True, {"steep": steep, "bright": bright})


# How it faded.


def _density(picture: Image) -> NDArray[np.float32]:
    return -np.log10(np.maximum(picture, 0.0) ** 2.2 + 0.004)


def _tint(name: str, dark: NDArray[np.float32], light: NDArray[np.float32], bend: float) -> Step:
    def run(picture: Image) -> Image:
        share = np.maximum(luma(picture), 1e-4)[..., None] ** bend
        return _clip(dark + share * (light - dark))

    return Step(name, run, True, {"bend": bend})


def silver(rng: Rng, fade: float) -> Step:
    """A silver gelatin print: neutral, toned, sulphided to yellow-brown, or gray on gray."""
    way = int(rng.choice(5, p=[0.3, 0.2, 0.25, 0.2, 0.05]))
    low = between(rng, 0.0, 0.06) + 0.38 * fade * between(rng, 0.3, 1)
    high = 1 - between(rng, 0.0, 0.08) - 0.3 * fade * between(rng, 0.1, 1)
    warm = between(rng, 0, 0.1) * fade
    if way == 0:
        dark, light = _vector(low, low, low), _vector(high, high - 0.3 * warm, high - warm)
    elif way == 1:
        hue = between(rng, 0.04, 0.16)
        dark = _vector(low + 0.5 * hue, low, low - 0.5 * hue)
        light = _vector(high, high - 0.4 * hue, high - 1.3 * hue)
    elif way == 2:
        hue = between(rng, 0.1, 0.32)
        dark = _vector(low + 0.6 * hue, low + 0.15 * hue, low - 0.4 * hue)
        light = _vector(high, high - 0.35 * hue, high - hue)
    elif way == 3:
        mid, half = (low + high) / 2, (high - low) * (0.5 - 0.22 * fade)
        dark = _vector(mid - half, mid - half, mid - half + 0.02)
        light = _vector(mid + half, mid + half, mid + half - warm)
    else:
        hue = between(rng, 0.02, 0.05)
        dark = _vector(low + 0.3 * hue, low, low + hue)
        light = _vector(high, high - 0.3 * hue, high)
    return _tint("silver", dark, light, ranging(rng, 0.75, 1.25))


def albumen(rng: Rng, fade: float) -> Step:
    """Albumen: purple-brown shadows, yellow lights, details of the lights gone."""
    low = between(rng, 0.08, 0.2) + 0.2 * fade
    high = between(rng, 0.85, 0.97)
    yellow = between(rng, 0.1, 0.26) + 0.12 * fade
    dark = _vector(low + 0.1, low * 0.75, low * 0.68)
    light = _vector(high, high - 0.3 * yellow, high - 1.1 * yellow)
    return _tint("albumen", dark, light, 1 / (1 + 0.9 * fade * between(rng, 0.4, 1)))


def collodion(rng: Rng, fade: float) -> Step:
    """Tintype or ambrotype: dark, low whites of a creamy gray."""
    high = between(rng, 0.5, 0.85) - 0.12 * fade
    warm = between(rng, 0.0, 0.14)
    low = between(rng, 0.01, 0.1)
    dark = _vector(low + 0.2 * warm, low, low * 0.9)
    return _tint("collodion", dark, _vector(high, high - 0.3 * warm, high - warm), 1.15)


def cyanotype(rng: Rng, fade: float) -> Step:
    """Prussian blue on paper, which light fades."""
    low, high = 0.04 + 0.3 * fade, between(rng, 0.85, 0.97)
    dark = _vector(low * 0.7, low + between(rng, 0.08, 0.2), low + between(rng, 0.26, 0.42))
    return _tint("cyanotype", dark, _vector(high - 0.06, high, high - 0.03), 1.0)


def chromogenic(rng: Rng, fade: float) -> Step:
    """Dyes of a colour print fade at their own rates and leave a stain in the lights."""
    weak = int(rng.choice(3, p=[0.5, 0.25, 0.25]))
    keep = [1 - fade * between(rng, 0.05, 0.4) for _ in range(3)]
    keep[weak] = 1 - fade * between(rng, 0.3, 0.55 if weak == 1 else 0.75)
    if chance(rng, 0.25):
        other = (weak + int(rng.integers(1, 3))) % 3
        keep[other] = 1 - fade * between(rng, 0.3, 0.6)
    yellow = fade * between(rng, 0, 0.22)
    stain = _vector(0.1 * yellow, 0.35 * yellow, yellow)
    share = _vector(*keep)
    haze = between(rng, 0, 0.12) * fade

    def run(picture: Image) -> Image:
        seen = 10.0 ** -(_density(picture) * share + stain)
        out = np.maximum(seen, 0.0) ** (1 / 2.2)
        return _clip(haze + (1 - haze) * out)

    numbers = {"cyan": keep[0], "magenta": keep[1], "yellow": keep[2], "stain": yellow}
    return Step("chromogenic", run, True, numbers)


def saturation(rng: Rng, fade: float) -> Step:
    """Colours paler or, with some films, stronger than in life."""
    factor = 1 - fade * between(rng, 0.1, 0.6) if chance(rng, 0.75) else between(rng, 1.0, 1.3)

    def run(picture: Image) -> Image:
        flat = gray(picture)
        return _clip(flat + factor * (picture - flat))

    return Step("saturation", run, True, {"factor": factor})


def edge_fading(size: Size, unit: float, rng: Rng, fade: float) -> Step:
    """Air from the edges faded and yellowed the photo there first."""
    reach = ranging(rng, 12, 60) * unit
    away = edge_distance(size) / reach + 0.4 * clouds(size, rng, 50 * unit)
    share = ((1 - ramp(away, 0.0, 1.0)) * fade * between(rng, 0.2, 0.6))[..., None]
    pale = _vector(between(rng, 0.7, 0.9), between(rng, 0.62, 0.8), between(rng, 0.45, 0.7))

    def run(picture: Image) -> Image:
        return _clip(picture + share * (0.6 * pale + 0.4 * luma(picture)[..., None] - picture))

    return Step("edge fading", run)


# What the surface does to the light.


def mirroring(size: Size, unit: float, rng: Rng) -> Step:
    """Silver mirroring: a bluish metallic sheen on the dark parts near the edges."""
    reach = ranging(rng, 10, 50) * unit
    away = edge_distance(size) / reach + 0.5 * clouds(size, rng, 30 * unit, 4)
    share = (1 - ramp(away, 0.0, 1.1)) * between(rng, 0.25, 0.7)
    sheen = _vector(0.56, 0.61, 0.7) * between(rng, 0.8, 1.15)

    def run(picture: Image) -> Image:
        dark = ramp(-luma(picture), -0.6, -0.1) * share
        return _clip(picture + dark[..., None] * (sheen - picture))

    return Step("silver mirroring", run)


def ferrotyping(size: Size, unit: float, rng: Rng) -> Step:
    """Glossy patches where the print stuck to glass: deeper blacks, a little more contrast."""
    field_ = clouds(size, rng, ranging(rng, 20, 70) * unit, 3)
    share = (ramp(field_, 0.5, 1.0) * between(rng, 0.15, 0.45))[..., None]

    def run(picture: Image) -> Image:
        return _clip(picture + share * (1.25 * (picture - 0.5) + 0.44 - picture))

    return Step("ferrotyping", run)


def cockling(size: Size, unit: float, rng: Rng) -> Step:
    """Waves of a print that does not lie flat, seen as waves of light."""
    period = ranging(rng, 30, 110) * unit
    wave = clouds(size, rng, period, 2) * between(rng, 0.015, 0.06)
    gain = (1 + wave)[..., None]
    return Step("cockling", lambda picture: _clip(picture * gain), numbers={"period": period})


def uneven_light(size: Size, rng: Rng, amount: float) -> Step:
    """Light that falls off to one side or to the corners."""
    rows, columns = grid(size)
    turn = between(rng, 0, 2 * math.pi)
    y, x = rows / size[0] - 0.5, columns / size[1] - 0.5
    slope = (math.sin(turn) * y + math.cos(turn) * x) * between(rng, 0, 0.35) * amount
    corner = (x * x + y * y) * between(rng, -0.1, 0.9) * amount
    gain = np.asarray(1 + slope - corner, np.float32)[..., None]
    return Step("uneven light", lambda picture: _clip(picture * gain))


def glare(size: Size, unit: float, rng: Rng) -> Step:
    """A lamp or a window mirrored in a glossy print."""
    where = patch(size, rng, ranging(rng, 18, 80) * unit)
    share = blurred(where, ranging(rng, 5, 20) * unit)[..., None] * between(rng, 0.1, 0.45)
    colour = _vector(0.97, between(rng, 0.93, 0.98), between(rng, 0.88, 1.0))
    return Step("glare", lambda picture: _clip(picture + share * (colour - picture)))


def white_balance(rng: Rng, amount: float) -> Step:
    """The cast of the light or of the scanner's lamp."""
    gain = np.exp(rng.normal(size=3) * 0.06 * amount).astype(np.float32)
    return Step("white balance", lambda picture: _clip(picture * gain), True)


# How it reached us.


def focus(unit: float, rng: Rng, amount: float) -> Step:
    """The blur of the scanner or of the camera that copied the print."""
    sigma = between(rng, 0.05, 0.25 + 0.7 * amount) * unit
    if chance(rng, 0.2):
        long, turn = max(3, round(2 * (1 + 2 * amount) * unit) | 1), between(rng, 0, math.pi)
        kernel = np.zeros((long, long), np.float32)
        middle = long // 2
        reach = np.array([math.cos(turn), math.sin(turn)]) * middle
        ends = [(round(middle + s * reach[0]), round(middle + s * reach[1])) for s in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA)
        kernel = (kernel + np.rot90(kernel, 2)) / max(float(2 * kernel.sum()), 1e-6)

        def shaken(picture: Image) -> Image:
            return np.asarray(cv2.filter2D(picture, -1, kernel), np.float32)

        return Step("camera shake", shaken, numbers={"length": long})
    return Step("focus", lambda picture: blurred(picture, sigma), numbers={"sigma": sigma})


def sensor(size: Size, unit: float, rng: Rng, amount: float) -> Step:
    """Noise of the scanner or camera: of every pixel, and of colour in patches."""
    strength = ranging(rng, 0.003, 0.006 + 0.045 * amount)
    noise = rng.standard_normal((*size, 3)).astype(np.float32)
    shared = rng.standard_normal((*size, 1)).astype(np.float32)
    noise = 0.5 * noise + 0.8 * shared
    if chance(rng, 0.3):
        mottle = np.stack([clouds(size, rng, max(2.0, 4 * unit), 2) for _ in range(3)], axis=2)
        noise += 0.7 * (mottle - mottle.mean(axis=2, keepdims=True))

    def run(picture: Image) -> Image:
        return _clip(picture + strength * (0.5 + np.sqrt(picture)) * noise)

    return Step("sensor", run, numbers={"strength": strength})


def resample(size: Size, unit: float, rng: Rng, amount: float) -> Step:
    """Kept at a smaller size for a while and enlarged again."""
    factor = ranging(rng, 0.85 - 0.5 * amount, 0.9)
    low = (max(16, round(size[0] * factor)), max(16, round(size[1] * factor)))
    down = int(rng.choice([cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
    up = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4]))

    def run(picture: Image) -> Image:
        return _clip(resized(resized(picture, low, down), size, up))

    return Step("resample", run, numbers={"factor": factor})


def jpeg(rng: Rng, lowest: float) -> Step:
    """JPEG compression, with or without full colour resolution."""
    quality = int(between(rng, lowest, 96))
    full = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    half = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        int(full if chance(rng, 0.3) else half),
    ]

    def run(picture: Image) -> Image:
        levels = np.round(np.clip(picture[..., ::-1], 0, 1) * 255).astype(np.uint8)
        _, coded = cv2.imencode(".jpg", np.ascontiguousarray(levels), options)
        back = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))
        return np.asarray(back[..., ::-1].astype(np.float32) / 255.0, np.float32)

    return Step("jpeg", run, numbers={"quality": quality})


def sharpen(unit: float, rng: Rng) -> Step:
    """An unsharp mask with halos."""
    sigma, amount = ranging(rng, 0.4, 1.6) * unit, between(rng, 0.3, 1.5)

    def run(picture: Image) -> Image:
        return _clip(picture + amount * (picture - blurred(picture, sigma)))

    return Step("sharpen", run, numbers={"sigma": sigma, "amount": amount})
