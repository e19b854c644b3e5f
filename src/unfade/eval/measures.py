"""The measures by name: what each looks at, and which way is better."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from unfade.errors import UsageError
from unfade.eval.colour import chroma_error, colour_error, colourfulness
from unfade.eval.distances import Features, frechet_distance, kernel_distance
from unfade.eval.gmsd import gmsd
from unfade.eval.images import Image, Protocol
from unfade.eval.metrics import psnr, ssim
from unfade.eval.msssim import ms_ssim
from unfade.eval.niqe import NiqeModel, load_niqe, niqe
from unfade.eval.spectrum import spectrum_distance

Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True)
class Measure:
    """One value for each image."""

    title: str
    better: Better
    digits: int  # after the point, in tables
    score: Callable[[Image, Image], float]  # of image and reference, (H, W, 3) [0, 1] each


@dataclass(frozen=True)
class SetMeasure:
    """One value for all images together, from the statistics of their patches."""

    title: str
    better: Better
    digits: int
    distance: Callable[[Features, Features], float]  # of the results' and the references' features


SET_MEASURES = {
    "patch-fd": SetMeasure("Patch Fréchet", "lower", 3, frechet_distance),
    "patch-kd": SetMeasure("Patch kernel", "lower", 4, kernel_distance),
}


def measures(
    names: Iterable[str], protocol: Protocol, model: NiqeModel | None = None
) -> dict[str, Measure]:
    """Those of the named measures that score one image, in the order of tables.

    Args:
        names: from NAMES.
        protocol: the space that PSNR, SSIM and MS-SSIM are measured in; GMSD, NIQE and the spectrum
            look at luma, the others at colours, whatever it says.
        model: NIQE's clean photos; None is the model that is shipped.
    """

    def viewed(metric: Callable[[Image, Image], float]) -> Callable[[Image, Image], float]:
        return lambda image, target: metric(protocol.view(image), protocol.view(target))

    known = {
        "psnr": Measure("PSNR (dB)", "higher", 2, viewed(psnr)),
        "ssim": Measure("SSIM", "higher", 4, viewed(ssim)),
        "ms-ssim": Measure("MS-SSIM", "higher", 4, viewed(ms_ssim)),
        "gmsd": Measure("GMSD", "lower", 4, gmsd),
        "ciede2000": Measure("CIEDE2000", "lower", 2, colour_error),
        "chroma": Measure("Chroma error", "lower", 2, chroma_error),
        "spectrum": Measure("Spectrum (dB)", "lower", 2, spectrum_distance),
        "colourfulness": Measure(
            "Colourfulness", "neither", 2, lambda image, _: colourfulness(image)
        ),
    }
    wanted = set(names)
    if "niqe" in wanted:
        clean = model or load_niqe()
        known["niqe"] = Measure("NIQE", "lower", 3, lambda image, _: niqe(image, clean))
    return {name: known[name] for name in NAMES if name in wanted and name not in SET_MEASURES}


NAMES = (
    "psnr", "ssim", "ms-ssim", "gmsd", "ciede2000", "chroma", "spectrum", "niqe", "colourfulness",
    *SET_MEASURES,
)  # fmt: skip


def chosen(names: Iterable[str]) -> list[str]:
    """The names, checked and each once, in the order of tables. UsageError for another one."""
    wanted = set(names)
    unknown = sorted(wanted - set(NAMES))
    if unknown or not wanted:
        got = f"metric '{unknown[0]}'" if unknown else "no metric"
        raise UsageError(got, f"some of {','.join(NAMES)}", "name those")
    return [name for name in NAMES if name in wanted]
