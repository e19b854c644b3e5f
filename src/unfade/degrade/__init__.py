"""Degrades clean photos and returns exact damage masks.

Images are (H, W, 3) float32 arrays, sRGB, [0, 1]; masks are (H, W) float32, 1 = damaged.
Every function is pure: its randomness comes from a `numpy.random.Generator`; parameters are
recorded in `Degraded.params`.
"""

from unfade.degrade.deterioration import deterioration
from unfade.degrade.joint import joint
from unfade.degrade.old_photo import old_photo
from unfade.degrade.recipes import MIXTURES, RECIPES, degrade
from unfade.degrade.second_order import real_sr
from unfade.degrade.severity import SEVERITIES, Severity
from unfade.degrade.types import Degraded
from unfade.degrade.unseen import UNSEEN

__all__ = [
    "MIXTURES",
    "RECIPES",
    "SEVERITIES",
    "UNSEEN",
    "Degraded",
    "Severity",
    "degrade",
    "deterioration",
    "joint",
    "old_photo",
    "real_sr",
]
