"""The measures by name: what each looks at, and which way is better."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from unfade.errors import UsageError
from unfade.eval.colour import chroma_error, colour_error, colourfulness
from unfade.eval.distances import Features, frechet_distance, kernel_distance
from unfade.eval.extractors import Source
from unfade.eval.gmsd import gmsd
from unfade.eval.images import Image, Protocol
from unfade.eval.metrics import psnr, ssim
from unfade.eval.msssim import ms_ssim
from unfade.eval.niqe import NiqeModel, load_niqe, niqe
from unfade.eval.spectrum import spectrum_distance
from unfade.eval.weights import WEIGHTS, require
from unfade.pipeline.alignment import alignment
from unfade.pipeline.content import content_features

Better = Literal["higher", "lower", "neither"]
_ARROWS: dict[Better, str] = {"higher": " ↑", "lower": " ↓", "neither": ""}


def titled(title: str, better: Better) -> str:
    """The title with an arrow towards what is better."""
    return title + _ARROWS[better]


@dataclass(frozen=True)
class Measure:
    """One value for each image."""

    title: str
    better: Better
    digits: int  # after the point, in tables
    score: Callable[[Image, Image], float]  # of image and reference, (H, W, 3) [0, 1] each


@dataclass(frozen=True)
class SetMeasure:
    """One value for all images together, from features of their patches or of each of them."""

    title: str
    better: Better
    digits: int
    distance: Callable[[Features, Features], float]  # of the results' and the references' features
    source: Source = "patch"


SET_MEASURES = {
    "patch-fd": SetMeasure("Patch Fréchet", "lower", 3, frechet_distance),
    "patch-kd": SetMeasure("Patch kernel", "lower", 4, kernel_distance),
    "fid": SetMeasure("FID", "lower", 2, frechet_distance, "inception"),
    "kid": SetMeasure("KID", "lower", 5, kernel_distance, "inception"),
}
#: Of features that come from elsewhere.
GIVEN_MEASURES = {
    "features-fd": SetMeasure("Features Fréchet", "lower", 4, frechet_distance),
    "features-kd": SetMeasure("Features kernel", "lower", 5, kernel_distance),
}
#: Of a result that was damaged as the input was, and the input.
REDONE = ("alignment-lq", "ssim-lq", "dinov2-lq")
#: What needs no download, in the order of tables.
NAMES = (
    "psnr", "ssim", "ms-ssim", "alignment", "gmsd", "ciede2000", "chroma", "spectrum", "niqe",
    "colourfulness", "patch-fd", "patch-kd",
)  # fmt: skip
_WEIGHTED = ("lpips", "dinov2", "clip-iqa", "musiq", "fid", "kid")
#: Everything, in the order of tables.
ALL_NAMES = (*NAMES[:-2], *REDONE, *_WEIGHTED[:-2], *SET_MEASURES)


def measures(
    names: Iterable[str], protocol: Protocol, model: NiqeModel | None = None
) -> dict[str, Measure]:
    """Those of the named measures that score one image, in the order of tables.

    Args:
        names: from ALL_NAMES; those in REDONE are left to `redone_measures`.
        protocol: the space that PSNR, SSIM and MS-SSIM are measured in; GMSD, NIQE and the spectrum
            look at luma, the others at colours, whatever it says.
        model: NIQE's clean photos; None is the model that is shipped.

    Raises:
        UsageError: a metric that needs a package that is not installed.
        WeightsError: a metric without its weights.
    """

    def viewed(metric: Callable[[Image, Image], float]) -> Callable[[Image, Image], float]:
        return lambda image, target: metric(protocol.view(image), protocol.view(target))

    known: dict[str, Callable[[], Measure]] = {
        "psnr": lambda: Measure("PSNR (dB)", "higher", 2, viewed(psnr)),
        "ssim": lambda: Measure("SSIM", "higher", 4, viewed(ssim)),
        "ms-ssim": lambda: Measure("MS-SSIM", "higher", 4, viewed(ms_ssim)),
        "alignment": lambda: Measure("Alignment", "higher", 4, _content_alignment),
        "gmsd": lambda: Measure("GMSD", "lower", 4, gmsd),
        "ciede2000": lambda: Measure("CIEDE2000", "lower", 2, colour_error),
        "chroma": lambda: Measure("Chroma error", "lower", 2, chroma_error),
        "spectrum": lambda: Measure("Spectrum (dB)", "lower", 2, spectrum_distance),
        "niqe": lambda: _niqe(model),
        "colourfulness": lambda: Measure(
            "Colourfulness", "neither", 2, lambda image, _: colourfulness(image)
        ),
        "lpips": _lpips,
        "dinov2": _dinov2,
        "clip-iqa": _clip_iqa,
        "musiq": _musiq,
    }
    wanted = set(names)
    return {name: known[name]() for name in ALL_NAMES if name in wanted and name in known}


def redone_measures(names: Iterable[str]) -> dict[str, Measure]:
    """Those of the named measures that compare a result, damaged again, with the input.

    Raises:
        WeightsError: a metric without its weights.
    """
    known: dict[str, Callable[[], Measure]] = {
        "alignment-lq": lambda: Measure("Alignment with input", "higher", 4, _content_alignment),
        "ssim-lq": lambda: Measure("SSIM with input", "higher", 4, ssim),
        "dinov2-lq": lambda: replace(_dinov2(), title="DINOv2 distance to input"),
    }
    wanted = set(names)
    return {name: known[name]() for name in REDONE if name in wanted}


def chosen(names: Iterable[str]) -> list[str]:
    """The names, checked and each once, in the order of tables.

    Raises:
        UsageError: another name.
        WeightsError: a metric without its weights.
    """
    wanted = set(names)
    unknown = sorted(wanted - set(ALL_NAMES))
    if unknown or not wanted:
        got = f"metric '{unknown[0]}'" if unknown else "no metric"
        raise UsageError(got, f"some of {','.join(ALL_NAMES)}", "name those")
    for weights in WEIGHTS:
        if wanted & set(weights.metrics):
            require(weights.name)
    return [name for name in ALL_NAMES if name in wanted]


def _content_alignment(image: Image, target: Image) -> float:
    return alignment(image, target, content_features)


def _niqe(model: NiqeModel | None) -> Measure:
    clean = model or load_niqe()
    return Measure("NIQE", "lower", 3, lambda image, _: niqe(image, clean))


def _lpips() -> Measure:
    from unfade.eval.lpips import load_lpips, lpips

    network = load_lpips()
    return Measure("LPIPS", "lower", 4, lambda image, target: lpips(image, target, network))


def _dinov2() -> Measure:
    from unfade.eval.dinov2 import dinov2_distance, load_dinov2

    network = load_dinov2()
    return Measure(
        "DINOv2 distance", "lower", 4, lambda image, target: dinov2_distance(image, target, network)
    )


def _clip_iqa() -> Measure:
    from unfade.eval.clip_iqa import clip_iqa, load_clip_iqa

    clip = load_clip_iqa()
    return Measure("CLIP-IQA", "higher", 4, lambda image, _: clip_iqa(image, clip))


def _musiq() -> Measure:
    from unfade.eval.musiq import load_musiq

    score = load_musiq()
    return Measure("MUSIQ", "higher", 2, lambda image, _: score(image))
