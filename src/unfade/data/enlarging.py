"""Makes training pairs for super-resolution: a small degraded photo and a larger clean one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unfade.data.pairs import crop, pick_photo
from unfade.data.sources import CleanPhoto
from unfade.degrade import kernels, ops
from unfade.degrade.reduce import reduced
from unfade.degrade.second_order import real_sr
from unfade.degrade.types import Image
from unfade.rng import generator


@dataclass(frozen=True)
class SmallOptions:
    """Settings of pairs for super-resolution.

    Attributes:
        size: side of the square clean crop in pixels, a multiple of 64.
        large: share of pairs from photos that need not be enlarged for their crop.
        simple: share that is made small in one round; the rest by the second-order recipe.
        plain: share of those of one round that are downsampled and nothing else.
    """

    size: int = 128
    large: float = 0.6
    simple: float = 0.5
    plain: float = 0.0


def downsampled(hq: Image, rng: np.random.Generator, scale: int) -> Image:
    """Downsamples by area or bicubic interpolation, with a kernel as wide as the scale.

    Args:
        hq: (H, W, 3) float32, sRGB [0, 1], both sides at least `scale` pixels.

    Returns:
        (H // scale, W // scale, 3) float32.
    """
    if rng.random() < 0.5:
        return ops.resize(hq, hq.shape[0] // scale, hq.shape[1] // scale, "area")
    return reduced(hq, scale)


def first_order(hq: Image, rng: np.random.Generator, scale: int) -> Image:
    """One round of blur, resampling, noise and JPEG (Real-ESRGAN, arXiv 2107.10833, Eq. 1).

    Milder than the second-order recipe: each of noise and JPEG is left out in a part of the pairs.

    Args:
        hq: (H, W, 3) float32, sRGB [0, 1], both sides at least `scale` pixels.

    Returns:
        (H // scale, W // scale, 3) float32.
    """
    h, w = hq.shape[:2]
    x = hq
    if rng.random() < 0.8:
        sigma = float(rng.uniform(0.2, 2.4))
        x = kernels.apply(x, kernels.gaussian(kernels.size_for(sigma), sigma, sigma))
    mode = str(rng.choice(["area", "bilinear", "bicubic"]))
    x = ops.resize(x, h // scale, w // scale, mode)
    if rng.random() < 0.8:
        sigma = float(np.exp(rng.uniform(math.log(1 / 255), math.log(20 / 255))))
        x = ops.gaussian_noise(x, sigma, bool(rng.random() < 0.3), rng)
    if rng.random() < 0.8:
        x = ops.jpeg(x, int(rng.integers(40, 97)))
    return x


def small_pair(
    photos: Sequence[CleanPhoto],
    seed: int,
    index: int,
    options: SmallOptions,
    scale: int,
    large: Sequence[int] = (),
) -> tuple[Image, Image]:
    """Sample `index` of a run with this seed.

    Args:
        large: indices of the photos that the share `options.large` shows (`pairs.large_photos`).

    Returns:
        lq (S / scale, S / scale, 3) and hq (S, S, 3), float32, sRGB [0, 1].
    """
    rng = generator(seed, "small", index)
    photo = pick_photo(seed, index, len(photos), large, options.large)
    hq = crop(photos[photo].decode(), rng, options.size)
    if rng.random() < options.simple:
        if options.plain > 0 and rng.random() < options.plain:
            return downsampled(hq, rng, scale), hq
        return first_order(hq, rng, scale), hq
    return np.asarray(real_sr(hq, rng, scale).lq, np.float32), hq
