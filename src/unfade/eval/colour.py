"""Computes colour metrics: colourfulness, CIEDE2000, chroma error."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from unfade.eval.images import Image, Plane, require_same_size
from unfade.pipeline.colour import to_lab

_FAR = 25.0**7
_PIXELS_AT_ONCE = 1 << 18


def colourfulness(image: Image) -> float:
    """Colourfulness M(3) of Hasler and Suesstrunk (2003), section 7; 0 for gray, about 100 at most.

    Args:
        image: (H, W, 3) sRGB [0, 1].
    """
    red, green, blue = np.moveaxis(255 * image.astype(np.float64), 2, 0)  # (H, W) each
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))


def colour_error(image: Image, target: Image) -> float:
    """Mean over pixels of the colour difference CIEDE2000; about 1 can just be seen.

    Args:
        image, target: (H, W, 3) sRGB [0, 1].
    """
    strips = _lab_strips(image, target)
    return sum(float(ciede2000(*strip).sum()) for strip in strips) / image[..., 0].size


def chroma_error(image: Image, target: Image) -> float:
    """Mean over pixels of the distance in Lab's a and b alone: lightness does not count.

    Args:
        image, target: (H, W, 3) sRGB [0, 1].
    """
    total = 0.0
    for first, second in _lab_strips(image, target):
        a, b = np.moveaxis(first - second, 2, 0)[1:]  # (h, W) each
        total += float(np.hypot(a, b).sum())
    return total / image[..., 0].size


def lab(image: Image) -> Plane:
    """(H, W, 3) sRGB [0, 1] -> (H, W, 3) CIE Lab under D65."""
    pixels = np.ascontiguousarray(image)
    tensor = torch.tensor(pixels, dtype=torch.float64).permute(2, 0, 1)[None]  # (1, 3, H, W)
    array: Plane = to_lab(tensor)[0].permute(1, 2, 0).numpy()
    return array


def _lab_strips(image: Image, target: Image) -> Iterator[tuple[Plane, Plane]]:
    """Both in Lab, rows by rows: (h, W, 3) each. InputError if the sizes differ."""
    require_same_size(image, target)
    rows = max(1, _PIXELS_AT_ONCE // image.shape[1])
    for top in range(0, image.shape[0], rows):
        yield lab(image[top : top + rows]), lab(target[top : top + rows])


def ciede2000(first: Plane, second: Plane) -> Plane:
    """CIEDE2000 as Sharma, Wu and Dalal (2005) state it, Eq. 2 to 22, with kL = kC = kH = 1.

    Args:
        first, second: (..., 3) CIE Lab.

    Returns:
        (...) differences, >= 0.
    """
    lightness1, a1, b1 = np.moveaxis(first, -1, 0)
    lightness2, a2, b2 = np.moveaxis(second, -1, 0)
    chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * np.sqrt(chroma**7 / (chroma**7 + _FAR))  # 1 + G
    chroma1, hue1 = _polar(a1 * stretch, b1)
    chroma2, hue2 = _polar(a2 * stretch, b2)
    gray = chroma1 * chroma2 == 0

    turn = hue2 - hue1  # degrees, in [-180, 180] once the shorter way is taken
    turn = np.where(np.abs(turn) > 180, turn - np.copysign(360, turn), turn)
    turn = np.where(gray, 0, turn)
    d_hue = 2 * np.sqrt(chroma1 * chroma2) * np.sin(np.radians(turn / 2))
    d_lightness, d_chroma = lightness2 - lightness1, chroma2 - chroma1
    hue = np.where(gray, hue1 + hue2, _mean_hue(hue1, hue2))
    return _weighted(
        d_lightness, d_chroma, d_hue, (lightness1 + lightness2) / 2, (chroma1 + chroma2) / 2, hue
    )


def _weighted(
    d_lightness: Plane, d_chroma: Plane, d_hue: Plane, lightness: Plane, chroma: Plane, hue: Plane
) -> Plane:
    """Eq. 15 to 22 from the differences and the means; hue in degrees."""
    t = (
        1
        - 0.17 * _cos(hue - 30)
        + 0.24 * _cos(2 * hue)
        + 0.32 * _cos(3 * hue + 6)
        - 0.20 * _cos(4 * hue - 63)
    )
    away = np.square(lightness - 50)
    scale_l = 1 + 0.015 * away / np.sqrt(20 + away)
    scale_c, scale_h = 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
    rotation = 60 * np.exp(-np.square((hue - 275) / 25))  # degrees, 2 delta theta
    strength = 2 * np.sqrt(chroma**7 / (chroma**7 + _FAR))
    x, y, z = d_lightness / scale_l, d_chroma / scale_c, d_hue / scale_h
    square = x * x + y * y + z * z - np.sin(np.radians(rotation)) * strength * y * z
    return np.sqrt(np.maximum(square, 0))


def _polar(a: Plane, b: Plane) -> tuple[Plane, NDArray[np.float64]]:
    """Chroma, and hue in [0, 360) degrees."""
    return np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360


def _mean_hue(first: Plane, second: Plane) -> Plane:
    """The middle of the shorter arc between two hues, degrees (Eq. 14)."""
    total = first + second
    far = np.abs(first - second) > 180
    return np.where(far, np.where(total < 360, total + 360, total - 360), total) / 2


def _cos(degrees: Plane) -> Plane:
    return np.cos(np.radians(degrees))
