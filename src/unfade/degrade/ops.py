"""Simulates defects of a whole photo: noise, film grain, JPEG, halftone, sharpening."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from unfade.degrade.types import Image, extent

_INTERPOLATION = {
    "area": cv2.INTER_AREA,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


def luma(image: Image) -> NDArray[np.float32]:
    """(H, W, 3) -> (H, W), Rec. 709 weights on sRGB values."""
    return image @ LUMA


def resize(image: Image, height: int, width: int, mode: str) -> Image:
    """Resamples to (height, width); mode is area, bilinear, bicubic or lanczos."""
    out = cv2.resize(image, (width, height), interpolation=_INTERPOLATION[mode])
    return np.clip(np.asarray(out, np.float32), 0, 1)


def gaussian_noise(image: Image, sigma: float, gray: bool, rng: np.random.Generator) -> Image:
    """Additive white Gaussian noise; sigma in [0, 1] units, one draw for all channels if gray."""
    shape = (*image.shape[:2], 1 if gray else image.shape[2])
    noise = rng.standard_normal(shape, dtype=np.float32)
    return np.clip(image + np.float32(sigma) * noise, 0, 1).astype(np.float32, copy=False)


def poisson_noise(image: Image, scale: float, gray: bool, rng: np.random.Generator) -> Image:
    """Shot noise with variance scale * intensity (Gaussian limit); scale in [0, 1] units."""
    base = luma(image)[..., None] if gray else image
    noise = rng.standard_normal(base.shape, dtype=np.float32)
    return np.clip(image + np.sqrt(np.maximum(base, 0) * np.float32(scale)) * noise, 0, 1)


def film_grain(image: Image, sigma: float, size: float, rng: np.random.Generator) -> Image:
    """Silver grain: correlated gray noise, strongest in the mid-tones.

    Args:
        sigma: standard deviation in [0, 1] units at mid-gray.
        size: correlation length of the grain in pixels.
    """
    h, w = extent(image)
    noise = rng.standard_normal((h, w), dtype=np.float32)
    if size > 0.3:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), size), np.float32)
        if noise.size > 1:  # one pixel has no deviation
            noise /= noise.std() + 1e-6
    y = luma(image)
    weight = 0.35 + 2.6 * y * (1 - y)
    grain = (np.float32(sigma) * weight * noise)[..., None]
    return np.clip(image + grain, 0, 1).astype(np.float32, copy=False)


def jpeg(image: Image, quality: int, subsample: bool = True) -> Image:
    """One round trip through JPEG at a quality of 1..100, 4:2:0 or 4:4:4."""
    factor = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if subsample else 0x111111
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor]
    _, code = cv2.imencode(".jpg", np.rint(image[..., ::-1] * 255).astype(np.uint8), flags)
    decoded = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    return decoded[..., ::-1].astype(np.float32) / np.float32(255)


def halftone(image: Image, pitch: float, angle: float, amount: float) -> Image:
    """A printed screen: a cosine threshold of `pitch` pixels at `angle` radians.

    Args:
        amount: 0 leaves the photo as it is, 1 shows full dots.
    """
    h, w = extent(image)
    y, x = np.mgrid[:h, :w].astype(np.float32)
    c, s = math.cos(angle), math.sin(angle)
    k = 2 * math.pi / pitch
    screen = 0.25 * (np.cos(k * (c * x + s * y)) + np.cos(k * (c * y - s * x))) + 0.5
    dots = np.clip((image - screen[..., None].astype(np.float32)) * 2.5 + 0.5, 0, 1)
    return np.asarray(image + np.float32(amount) * (dots - image), np.float32)


def unsharp_mask(image: Image, sigma: float, amount: float) -> Image:
    """Sharpens: adds `amount` times what a Gaussian of `sigma` pixels takes away."""
    soft = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)
    return np.asarray(np.clip(image + np.float32(amount) * (image - soft), 0, 1), np.float32)
