"""Changes of tone and cast: point operations that are the same over the whole photo."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from unfade.degrade.ops import luma
from unfade.degrade.types import Image, Params


@dataclass(frozen=True)
class Tone:
    """A global change of tone: y = floor + (ceiling - floor) (S x)^gamma, channel by channel.

    S moves a colour towards its luma; it acts first.

    Attributes:
        gamma: three exponents, the dyes' uneven ageing of the mid-tones.
        floor: three black levels in [0, 1] (faded shadows, yellowed paper).
        ceiling: three white levels in [0, 1].
        saturation: 1 keeps the colours, 0 is monochrome.
    """

    gamma: tuple[float, float, float] = (1.0, 1.0, 1.0)
    floor: tuple[float, float, float] = (0.0, 0.0, 0.0)
    ceiling: tuple[float, float, float] = (1.0, 1.0, 1.0)
    saturation: float = 1.0

    def apply(self, image: Image) -> Image:
        """(H, W, 3) in [0, 1] -> the same, faded."""
        x = image
        if self.saturation != 1.0:
            gray = luma(x)[..., None]
            x = gray + np.float32(self.saturation) * (x - gray)
        out = np.empty(x.shape, np.float32)
        for c in range(3):  # cv2.pow is several times faster than numpy's float power
            lo, hi = self.floor[c], self.ceiling[c]
            curve = cv2.pow(np.ascontiguousarray(np.maximum(x[..., c], 1e-4)), self.gamma[c])
            out[..., c] = np.float32(lo) + np.float32(hi - lo) * np.asarray(curve, np.float32)
        return np.clip(out, 0, 1)

    def params(self) -> Params:
        """The parameters, for `Degraded.params`."""
        return {
            "op": "tone",
            "gamma": list(self.gamma),
            "floor": list(self.floor),
            "ceiling": list(self.ceiling),
            "saturation": self.saturation,
        }


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    r, g, b = (round(float(v), 4) for v in values)
    return r, g, b


def contrast_loss(rng: np.random.Generator, amount: float) -> Tone:
    """Shadows lift and highlights sink alike in all channels; amount in [0, 1]."""
    floor = rng.uniform(0, 0.28) * amount * np.ones(3)
    ceiling = 1 - rng.uniform(0, 0.3) * amount * np.ones(3)
    gamma = np.exp(rng.normal(0, 0.2) * amount) * np.ones(3)
    return Tone(_triple(gamma), _triple(floor), _triple(ceiling), 1 - rng.uniform(0, 0.3) * amount)


def dye_fading(rng: np.random.Generator, amount: float) -> Tone:
    """The three dyes of a colour print fade unevenly; amount in [0, 1]."""
    floor = rng.uniform(0, 0.35, 3) * amount
    ceiling = 1 - rng.uniform(0, 0.3, 3) * amount
    gamma = np.exp(rng.normal(0, 0.25, 3) * amount)
    return Tone(_triple(gamma), _triple(floor), _triple(ceiling), 1 - rng.uniform(0, 0.5) * amount)


def yellowing(rng: np.random.Generator, amount: float) -> Tone:
    """Paper and varnish turn yellow: blue sinks most, red least; amount in [0, 1]."""
    k = rng.uniform(0.4, 1.0) * amount
    floor = np.array([0.12, 0.09, 0.04]) * rng.uniform(0, 1.5) * amount
    ceiling = 1 - k * np.array([0.06, 0.14, 0.42]) * rng.uniform(0.7, 1.3, 3)
    gamma = np.exp(np.array([-0.1, 0, 0.25]) * k * rng.uniform(0, 1.2))
    return Tone(_triple(gamma), _triple(floor), _triple(ceiling), 1 - rng.uniform(0, 0.35) * amount)


def monochrome(rng: np.random.Generator, amount: float, tint: float) -> Tone:
    """Silver print: no colour, faded, toned towards sepia by `tint` in [0, 1]."""
    lift = rng.uniform(0, 0.2) * amount
    warm = np.array([0.07, 0.0, -0.06]) * tint * rng.uniform(0.5, 1.3)
    floor = np.maximum(lift + warm, 0)
    top = np.array([0.02, 0.08, 0.24]) * tint * rng.uniform(0.4, 1.2)
    ceiling = 1 - rng.uniform(0, 0.25) * amount - top
    gamma = np.exp(rng.normal(0, 0.2) * amount + np.array([-0.15, 0, 0.15]) * tint)
    return Tone(_triple(gamma), _triple(floor), _triple(ceiling), 0.0)


def tinted(rng: np.random.Generator, amount: float) -> Tone:
    """A monochrome of any hue, faded, its shadows and lights tinted unlike; amount in [0, 1]."""
    hue, hue_low = rng.uniform(0, 2 * np.pi, 2)
    angles = np.array([0, 2, 4]) * np.pi / 3
    wave, low = 0.5 + 0.5 * np.cos(hue + angles), 0.5 + 0.5 * np.cos(hue_low + angles)
    floor = amount * (rng.uniform(0, 0.35) + rng.uniform(0, 0.2) * low)
    ceiling = 1 - amount * (rng.uniform(0, 0.35) + rng.uniform(0, 0.45) * (1 - wave))
    gamma = np.exp(rng.normal(0, 0.25, 3) * amount)
    return Tone(_triple(gamma), _triple(floor), _triple(np.maximum(ceiling, floor + 0.12)), 0.0)


def gray_on_gray(rng: np.random.Generator, amount: float) -> Tone:
    """Most of the contrast is gone, at any level of brightness; amount in [0, 1]."""
    span = 1 - amount * rng.uniform(0.3, 0.85)
    low = rng.uniform(0, 1 - span) * np.ones(3) + rng.normal(0, 0.02, 3)
    low = np.clip(low, 0, 1 - span)
    return Tone(
        _triple(np.exp(rng.normal(0, 0.2) * np.ones(3))), _triple(low), _triple(low + span),
        1 - rng.uniform(0, 0.6) * amount,
    )  # fmt: skip


def any_levels(rng: np.random.Generator) -> Tone:
    """Any black and white levels and exponents, mostly alike in the three channels.

    It stands for no process in particular, so that what is trained on it does not depend on how
    the named ones are drawn.
    """
    span = rng.uniform(0.2, 1.0)
    shared = rng.uniform(0, 1 - span)
    uneven = rng.choice([0.02, 0.06, 0.12])
    floor = np.clip(shared + rng.normal(0, uneven, 3), 0, 0.8)
    ceiling = np.clip(shared + span + rng.normal(0, uneven, 3), floor + 0.12, 1)
    gamma = np.exp(np.clip(rng.normal(0, 0.3) + rng.normal(0, uneven, 3), -0.8, 0.8))
    saturation = 0.0 if rng.random() < 0.3 else 1 - rng.uniform(0, 0.6) * rng.random()
    return Tone(_triple(gamma), _triple(floor), _triple(ceiling), saturation)


def draw_tone(rng: np.random.Generator, amount: float) -> Tone:
    """One global change of tone of the kinds that old prints show; amount in [0, 1]."""
    kind = rng.choice(
        ["none", "contrast", "dye", "yellow", "mono", "sepia", "tinted", "gray"],
        p=[0.18, 0.17, 0.17, 0.14, 0.06, 0.1, 0.1, 0.08],
    )
    strength = float(amount * rng.uniform(0.25, 1.0))
    if kind == "contrast":
        return contrast_loss(rng, strength)
    if kind == "dye":
        return dye_fading(rng, strength)
    if kind == "yellow":
        return yellowing(rng, strength)
    if kind == "mono":
        return monochrome(rng, strength, 0.0)
    if kind == "sepia":
        return monochrome(rng, strength, float(rng.uniform(0.3, 1.0)))
    if kind == "tinted":
        return tinted(rng, strength)
    if kind == "gray":
        return gray_on_gray(rng, strength)
    return Tone()
