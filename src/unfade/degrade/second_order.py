"""The second-order recipe for super-resolution (Real-ESRGAN, arXiv 2107.10833, 3)."""

from __future__ import annotations

import math

import numpy as np

from unfade.degrade import kernels, ops
from unfade.degrade.types import Degraded, Image, Params, extent

_MODES = ["area", "bilinear", "bicubic"]


def _blurred(
    x: Image, rng: np.random.Generator, largest: float, sinc_chance: float
) -> tuple[Image, Params]:
    size = int(rng.choice([7, 9, 11, 13, 15, 17, 19, 21]))
    if rng.random() < sinc_chance:
        cutoff = float(rng.uniform(math.pi / 3 if size < 13 else math.pi / 5, math.pi))
        note: Params = {"op": "sinc", "size": size, "cutoff": cutoff}
        return kernels.apply(x, kernels.sinc(size, cutoff)), note
    kind = str(
        rng.choice(
            ["iso", "aniso", "gen_iso", "gen_aniso", "plateau_iso", "plateau_aniso"],
            p=[0.45, 0.25, 0.12, 0.03, 0.12, 0.03],
        )
    )
    sx = float(rng.uniform(0.2, largest))
    iso = kind in ("iso", "gen_iso", "plateau_iso")
    sy, theta = (sx, 0.0) if iso else (float(rng.uniform(0.2, largest)), rng.uniform(0, math.pi))
    note = {"op": "blur", "kind": kind, "size": size}
    note |= {"sigma_x": sx, "sigma_y": sy, "theta": theta}
    if kind.startswith("gen"):
        beta = float(rng.uniform(0.5, 4))
        kernel = kernels.generalised_gaussian(size, sx, sy, theta, beta)
    elif kind.startswith("plateau"):
        beta = float(rng.uniform(1, 2))
        kernel = kernels.plateau(size, sx, sy, theta, beta)
    else:
        return kernels.apply(x, kernels.gaussian(size, sx, sy, theta)), note
    return kernels.apply(x, kernel), {**note, "beta": beta}


def _resized(x: Image, rng: np.random.Generator, h: float, w: float) -> Image:
    return ops.resize(x, max(1, round(h)), max(1, round(w)), str(rng.choice(_MODES)))


def _noisy(x: Image, rng: np.random.Generator, sigma: float, scale: float) -> tuple[Image, Params]:
    gray = bool(rng.random() < 0.4)
    if rng.random() < 0.5:
        s = float(rng.uniform(1 / 255, sigma))
        return ops.gaussian_noise(x, s, gray, rng), {"op": "gaussian", "sigma": s}
    s = float(rng.uniform(0.05, scale))  # a factor on the noise of 256 levels of light
    return ops.poisson_noise(x, s * s / 256, gray, rng), {"op": "poisson", "scale": s}


def _factor(rng: np.random.Generator, up: float, down: float, low: float, high: float) -> float:
    kind = rng.choice(3, p=[up, down, 1 - up - down])
    return float([rng.uniform(1, high), rng.uniform(low, 1), 1.0][kind])


def real_sr(hq: Image, rng: np.random.Generator, scale: int = 4) -> Degraded:
    """Two rounds of blur, resampling, noise and JPEG, then the final sinc.

    Args:
        hq: (H, W, 3) float32, sRGB [0, 1], both sides at least `scale` pixels.
        scale: 2 or 4.

    Returns:
        A pair whose `lq` is (H // scale, W // scale, 3).
    """
    h, w = extent(hq)
    x, blur = _blurred(hq, rng, 3.0, 0.1)
    params = [blur]
    first = _factor(rng, 0.2, 0.7, 0.15, 1.5)
    x = _resized(x, rng, h * first, w * first)
    x, noise = _noisy(np.clip(x, 0, 1), rng, 30 / 255, 3.0)
    quality = int(rng.integers(30, 96))
    params.append({"op": "resize", "factor": first})
    params.append(noise)
    params.append({"op": "jpeg", "quality": quality})
    x = ops.jpeg(x, quality)
    if rng.random() < 0.8:
        x, blur = _blurred(x, rng, 1.5, 0.1)
        params.append(blur)
    second = _factor(rng, 0.3, 0.4, 0.3, 1.2) / scale
    x = _resized(x, rng, h * second, w * second)
    x, noise = _noisy(np.clip(x, 0, 1), rng, 25 / 255, 2.5)
    params.append({"op": "resize", "factor": second})
    params.append(noise)
    quality = int(rng.integers(30, 96))
    sinc = bool(rng.random() < 0.8)
    order = bool(rng.random() < 0.5)
    size = (max(1, h // scale), max(1, w // scale))
    length, cutoff = int(rng.choice([7, 9, 11, 13, 15])), float(rng.uniform(math.pi / 3, math.pi))
    last = kernels.sinc(length, cutoff)
    if order:
        x = ops.jpeg(np.clip(_resized(x, rng, *size), 0, 1), quality)
        x = kernels.apply(x, last) if sinc else x
    else:
        x = kernels.apply(_resized(x, rng, *size), last) if sinc else _resized(x, rng, *size)
        x = ops.jpeg(np.clip(x, 0, 1), quality)
    ringing: Params = {"op": "sinc", "size": length, "cutoff": cutoff}
    params.append({"op": "jpeg", "quality": quality})
    if sinc:
        params.insert(len(params) if order else len(params) - 1, ringing)
    empty = np.zeros(x.shape[:2], np.float32)
    return Degraded(np.clip(x, 0, 1), hq, hq, empty, empty, params)
