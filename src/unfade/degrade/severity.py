"""Defines named severities: how much of each kind of damage a recipe draws."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Severity:
    """Upper limits and chances from which `old_photo` draws.

    Attributes:
        blur: largest Gaussian sigma, in pixels of a photo with a short side of 256.
        noise: largest standard deviation of noise or grain, [0, 1] units.
        jpeg: lowest JPEG quality; from 98 on there is no JPEG.
        fade: largest amount of tone change, [0, 1].
        damage: mean number of kinds of structured damage.
        amount: factor on the count of each kind.
        clean: chance that a photo gets no structured damage.
        only: draw what has a limit above zero, and always that; nothing else (no resampling,
            halftone, stain, vignette or scanner).
    """

    name: str
    blur: float
    noise: float
    jpeg: int
    fade: float
    damage: float
    amount: float
    clean: float
    only: bool = False


LIGHT = Severity("light", 0.5, 0.02, 75, 0.4, 1.0, 0.5, 0.4)
MODERATE = Severity("moderate", 1.0, 0.05, 45, 0.8, 1.8, 1.0, 0.12)
HEAVY = Severity("heavy", 1.8, 0.09, 25, 1.0, 3.0, 1.8, 0.0)
SEVERITIES = {s.name: s for s in (LIGHT, MODERATE, HEAVY)}
