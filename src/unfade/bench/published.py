"""What the papers printed, as far as it is at hand. Nothing here was measured with unfade.

A figure is entered with its source only; one that could not be looked up is missing, and the
tables then say "not at hand". Who has the papers gives more in a file (`unfade.bench.printed`).
"""

from __future__ import annotations

from dataclasses import dataclass

IIDE = "arXiv 2505.18674"
STUDY = "arXiv 2412.09324"
STABLESR = "arXiv 2305.07015"


@dataclass(frozen=True)
class Printed:
    """One figure as it was printed."""

    value: float
    source: str


@dataclass(frozen=True)
class PaperTable:
    """The rows of a paper's table that belong to one set of photos.

    Attributes:
        dataset: how the name of the set begins; "" where the paper's is not known.
        metrics: of the columns that unfade can measure too.
        systems: names as printed, in order; the paper's own last.
        figures: (system, metric) -> what was printed.
        degradation: what was done to the photos, as `Case.degradation` has it; "" for any.
    """

    source: str
    dataset: str
    metrics: tuple[str, ...]
    systems: tuple[str, ...]
    figures: dict[tuple[str, str], tuple[Printed, ...]]
    degradation: str = ""


_METRICS = ("psnr", "ssim", "lpips", "fid", "clip-iqa", "musiq")
_OURS = ("w/o IIDE", "IIDE")
_ENLARGERS = ("SwinIR", "Real-ESRGAN", "CDFormer", "SinSR", "DiffIR", "StableSR")

OLD_PHOTO = PaperTable(
    f"{IIDE}, Table I",
    "DIV2K",
    _METRICS,
    ("Bringing Old Photos Back to Life", "DeOldify", "Bringing Old Photos + DeOldify", *_OURS),
    {},
)
SUPER_RESOLUTION = PaperTable(
    f"{IIDE}, Table II",
    "DIV2K",
    _METRICS,
    (*_ENLARGERS, *_OURS),
    {
        ("StableSR", "psnr"): (
            Printed(32.08, f"{IIDE}, Table II"),
            Printed(23.26, f"{STABLESR}, the system's own paper, on the same set"),
        ),
    },
)
REALSR = PaperTable(f"{IIDE}, Table III", "RealSR", _METRICS, (*_ENLARGERS, *_OURS), {})
DREALSR = PaperTable(f"{IIDE}, Table III", "DRealSR", _METRICS, (*_ENLARGERS, *_OURS), {})
COLOUR = PaperTable(f"{IIDE}, Table IV", "", _METRICS, ("L-CoDe", "UniColor", *_OURS), {})
