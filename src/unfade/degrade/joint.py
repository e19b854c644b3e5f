"""The joint family of Eq. 1 of the study on latent diffusion (arXiv 2412.09324)."""

from __future__ import annotations

import numpy as np

from unfade.degrade import kernels, ops
from unfade.degrade.reduce import reduced
from unfade.degrade.types import Degraded, Image, Params, extent
from unfade.errors import UsageError

BLUR_SIDE = 512  # pixels; the short side for which the level of a blur is its sigma in pixels
SCALES = (1, 2, 4)


def blurred(image: Image, level: float) -> Image:
    """Gaussian blur whose sigma is `level` / 512 of the short side."""
    sigma = level * min(image.shape[:2]) / BLUR_SIDE
    if sigma < 0.05:
        return image
    return kernels.apply(image, kernels.gaussian(kernels.size_for(sigma), sigma, sigma))


def joint(
    hq: Image,
    rng: np.random.Generator,
    *,
    blur: float = 0.0,
    scale: int = 1,
    noise: float = 0.0,
) -> Degraded:
    """I_y = D(I_x; delta) downsampled by alpha + beta N, Eq. 1 of arXiv 2412.09324.

    The study names none of its kernels. D is a Gaussian blur here, the downsampling bicubic, and N
    white Gaussian noise in each channel.

    Args:
        hq: (H, W, 3) float32, sRGB [0, 1].
        blur: delta, 0 or more: sigma in pixels for a short side of 512, in proportion for others.
        scale: alpha, 1, 2 or 4.
        noise: beta, 0..1: standard deviation of the noise.

    Returns:
        A pair whose `lq` is (H // scale, W // scale, 3).

    Raises:
        UsageError: a value out of range.
    """
    if blur < 0:
        raise UsageError(f"blur {blur:g}", "0 or more", "try 2")
    if scale not in SCALES:
        raise UsageError(f"scale {scale}", "1, 2 or 4", "choose one of them")
    if not 0 <= noise <= 1:
        raise UsageError(f"noise {noise:g}", "0 to 1", "try 0.05")
    image = blurred(hq, blur)
    if scale > 1:
        image = reduced(image, scale)
    if noise > 0:
        image = ops.gaussian_noise(image, noise, False, rng)
    empty = np.zeros(extent(image), np.float32)
    params: Params = {"op": "joint", "blur": blur, "scale": scale, "noise": noise}
    return Degraded(image, hq, hq, empty, empty, [params])
