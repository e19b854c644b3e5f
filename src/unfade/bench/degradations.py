"""Degrades clean photos by the name of a degradation."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from unfade.degrade import MIXTURES, SEVERITIES, degrade, kernels, ops
from unfade.degrade.reduce import reduced
from unfade.degrade.types import Image
from unfade.errors import UsageError

BLUR_SIDE = 512  # pixels; the crop for which the level of a blur is its sigma in pixels
COLOUR_TARGET = "-in-colour"
_BLUR = re.compile(r"blur(\d+(?:\.\d+)?)")
_SCALED = re.compile(r"(sr|real-sr)([24])")


def scale_of(degradation: str) -> int:
    """The downsampling factor of a degradation."""
    scaled = _SCALED.fullmatch(degradation)
    return int(scaled[2]) if scaled else 1


def degraded(hq: Image, degradation: str, rng: np.random.Generator) -> tuple[Image, Image]:
    """Degrades a clean photo.

    Args:
        hq: (H, W, 3) float32, sRGB [0, 1]; the sides are multiples of 4.
        degradation: "clean", "gray", "blurN" (Gaussian, sigma N pixels in a crop of 512), "srN"
            (bicubic, N = 2 or 4), "real-srN" (the second-order recipe), a severity of the recipe
            for old photos ("light", "moderate", "heavy"), or a mixture of its damages; each with
            COLOUR_TARGET behind it keeps the clean photo in colour as the target.
        rng: the only source of randomness.

    Returns:
        The degraded photo, (H / scale, W / scale, 3) or, gray, (H, W, 1), and what a restorer can
        be asked for: `hq`, in gray where the recipe took all colour.

    Raises:
        UsageError: no such degradation.
    """
    if degradation.endswith(COLOUR_TARGET):
        return degraded(hq, degradation.removesuffix(COLOUR_TARGET), rng)[0], hq
    plain: dict[str, Callable[[], Image]] = {
        "clean": lambda: hq,
        "gray": lambda: ops.luma(hq)[..., None],
    }
    if degradation in plain:
        return plain[degradation](), hq
    if degradation in SEVERITIES or degradation in MIXTURES:
        degraded_photo = degrade(hq, rng, "old-photo", level=degradation)
        return degraded_photo.lq, degraded_photo.hq
    scaled, blur = _SCALED.fullmatch(degradation), _BLUR.fullmatch(degradation)
    if blur:
        return blurred(hq, float(blur[1])), hq
    if not scaled:
        got = f"degradation '{degradation}'"
        raise UsageError(got, "a known one", "see `unfade.bench.degradations`")
    if scaled[1] == "sr":
        return reduced(hq, int(scaled[2])), hq
    return degrade(hq, rng, "real-sr", scale=int(scaled[2])).lq, hq


def blurred(image: Image, level: float) -> Image:
    """Gaussian blur whose sigma is `level` / 512 of the short side."""
    sigma = level * min(image.shape[:2]) / BLUR_SIDE
    if sigma < 0.05:
        return image
    return kernels.apply(image, kernels.gaussian(kernels.size_for(sigma), sigma, sigma))
