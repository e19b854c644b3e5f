"""Degrades clean photos by the name of a degradation."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from unfade.degrade import MIXTURES, SEVERITIES, UNSEEN, degrade, ops
from unfade.degrade.joint import joint
from unfade.degrade.types import Image
from unfade.errors import UsageError

COLOUR_TARGET = "-in-colour"
_PARTS = {
    "blur": re.compile(r"blur(\d+(?:\.\d+)?)"),
    "sr": re.compile(r"sr([24])"),
    "noise": re.compile(r"noise(\d+(?:\.\d+)?)"),
}
_REAL_SR = re.compile(r"real-sr([24])")


@dataclass(frozen=True)
class Joint:
    """The parameters of `unfade.degrade.joint`: delta, alpha and beta of Eq. 1."""

    blur: float = 0.0
    scale: int = 1
    noise: float = 0.0


def joint_of(degradation: str) -> Joint | None:
    """The parameters by a name such as "blur2", "sr4" or "blur2+sr4+noise0.05", else None."""
    values: dict[str, float] = {}
    kinds = [*_PARTS]
    for part in degradation.split("+"):
        found = next((kind for kind in kinds if _PARTS[kind].fullmatch(part)), None)
        if found is None:
            return None
        kinds = kinds[kinds.index(found) + 1 :]  # in the order of the equation, each once
        values[found] = float(part.removeprefix(found))
    return Joint(values.get("blur", 0.0), int(values.get("sr", 1)), values.get("noise", 0.0))


def scale_of(degradation: str) -> int:
    """The downsampling factor of a degradation."""
    real, known = _REAL_SR.fullmatch(degradation), joint_of(degradation)
    return int(real[1]) if real else known.scale if known else 1


def degraded(hq: Image, degradation: str, rng: np.random.Generator) -> tuple[Image, Image]:
    """Degrades a clean photo.

    Args:
        hq: (H, W, 3) float32, sRGB [0, 1]; the sides are multiples of 4.
        degradation: "clean", "gray", "blurN" (Gaussian, sigma N pixels in a crop of 512), "srN"
            (bicubic, N = 2 or 4), "noiseN" (Gaussian, standard deviation N in [0, 1]), two or all
            of these three in this order with "+" between them, "real-srN" (the second-order
            recipe), a severity of the recipe for old photos ("light", "moderate", "heavy"), or a
            mixture of damages; each with COLOUR_TARGET behind it keeps the clean photo in colour
            as the target.
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
    if degradation in (*SEVERITIES, *MIXTURES, *UNSEEN):
        degraded_photo = degrade(hq, rng, "old-photo", level=degradation)
        return degraded_photo.lq, degraded_photo.hq
    real, known = _REAL_SR.fullmatch(degradation), joint_of(degradation)
    if known is not None:
        return joint(hq, rng, blur=known.blur, scale=known.scale, noise=known.noise).lq, hq
    if real is None:
        got = f"degradation '{degradation}'"
        raise UsageError(got, "a known one", "see `unfade.bench.degradations`")
    return degrade(hq, rng, "real-sr", scale=int(real[1])).lq, hq
