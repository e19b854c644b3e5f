"""Runs degradation recipes and mixtures by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from unfade.degrade.deterioration import deterioration
from unfade.degrade.joint import joint
from unfade.degrade.old_photo import old_photo
from unfade.degrade.second_order import real_sr
from unfade.degrade.severity import SEVERITIES, Severity
from unfade.degrade.types import Degraded, Image
from unfade.degrade.unseen import UNSEEN
from unfade.errors import UsageError

#: "deterioration" is for validation alone: no network is trained on it.
RECIPES = ("old-photo", "deterioration", "real-sr", "joint")

# Two kinds of damage at a time and nothing else, for tests of robustness. Training draws each of
# these kinds, and all together; those of `UNSEEN` it never draws.
MIXTURES = {
    "noise+blur": Severity("noise+blur", 1.6, 0.08, 98, 0.0, 0.0, 0.0, 1.0, True),
    "scratches+fading": Severity("scratches+fading", 0.0, 0.0, 98, 0.9, 2.0, 1.2, 0.0, True),
    "compression+noise": Severity("compression+noise", 0.0, 0.07, 20, 0.0, 0.0, 0.0, 1.0, True),
}


def severity(name: str) -> Severity:
    """A severity or mixture by name.

    Raises:
        UsageError: no such name.
    """
    severities = {**SEVERITIES, **MIXTURES}
    if name not in severities:
        names = ", ".join((*severities, *UNSEEN))
        raise UsageError(f"severity '{name}'", f"one of {names}", "choose one of them")
    return severities[name]


def _plain(name: str) -> Severity:
    if name in MIXTURES or name in UNSEEN:
        names = ", ".join(SEVERITIES)
        raise UsageError(f"severity '{name}' for deterioration", f"one of {names}", "choose one")
    return severity(name)


def _aged(hq: Image, rng: np.random.Generator, level: str) -> Degraded:
    if level in UNSEEN:
        return UNSEEN[level](hq, rng)
    return old_photo(hq, rng, severity(level))


def degrade(
    hq: Image,
    rng: np.random.Generator,
    recipe: str = "old-photo",
    *,
    level: str = "moderate",
    scale: int = 4,
    blur: float = 2.0,
    noise: float = 0.05,
) -> Degraded:
    """Degrades one photo by a named recipe.

    Args:
        hq: (H, W, 3) float32, sRGB [0, 1].
        recipe: one of `RECIPES`.
        level: a name of `SEVERITIES` or, for old-photo, of `MIXTURES` or `UNSEEN`; real-sr and
            joint have none.
        scale: for real-sr, 2 or 4; for joint 1, 2 or 4.
        blur, noise: of joint alone (`unfade.degrade.joint`).

    Raises:
        UsageError: an unknown name or scale, or a mixture for deterioration.
    """
    runs: dict[str, Callable[[], Degraded]] = {
        "old-photo": lambda: _aged(hq, rng, level),
        "deterioration": lambda: deterioration(hq, rng, _plain(level)),
        "real-sr": lambda: real_sr(hq, rng, scale),
        "joint": lambda: joint(hq, rng, blur=blur, scale=scale, noise=noise),
    }
    if recipe not in runs:
        raise UsageError(f"recipe '{recipe}'", f"one of {', '.join(RECIPES)}", "choose one of them")
    if recipe != "joint" and scale not in (2, 4):
        raise UsageError(f"scale {scale}", "2 or 4", "pass --scale 2 or --scale 4")
    return runs[recipe]()
