"""Lists the metrics by name, with their functions and directions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
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
Score = Callable[[Image, Image], float]
_ARROWS: dict[Better, str] = {"higher": " ↑", "lower": " ↓", "neither": ""}


@dataclass(frozen=True)
class Description:
    """The title, direction and digits of a metric in tables.

    Attributes:
        title: name in column heads.
        better: which way is better.
        digits: after the point.
    """

    title: str
    better: Better
    digits: int

    @property
    def heading(self) -> str:
        """The title with an arrow towards what is better."""
        return self.title + _ARROWS[self.better]


@dataclass(frozen=True)
class Measure(Description):
    """A metric of one image: of image and reference, (H, W, 3) [0, 1] each."""

    score: Callable[[Image, Image], float]


@dataclass(frozen=True)
class SetMeasure(Description):
    """A metric of all images together: a distance of results' and references' features."""

    distance: Callable[[Features, Features], float]
    source: Source = "patch"


SET_MEASURES = {
    "patch-fd": SetMeasure("Patch Fréchet", "lower", 3, frechet_distance),
    "patch-kd": SetMeasure("Patch kernel", "lower", 4, kernel_distance),
    "fid": SetMeasure("FID", "lower", 2, frechet_distance, "inception"),
    "kid": SetMeasure("KID", "lower", 5, kernel_distance, "inception"),
}
#: Of features that come from elsewhere.
FEATURE_FILE_MEASURES = {
    "features-fd": SetMeasure("Features Fréchet", "lower", 4, frechet_distance),
    "features-kd": SetMeasure("Features kernel", "lower", 5, kernel_distance),
}
#: How tables show the metrics of one image, in the order of tables.
DESCRIPTIONS = {
    "psnr": Description("PSNR (dB)", "higher", 2),
    "ssim": Description("SSIM", "higher", 4),
    "ms-ssim": Description("MS-SSIM", "higher", 4),
    "alignment": Description("Alignment", "higher", 4),
    "gmsd": Description("GMSD", "lower", 4),
    "ciede2000": Description("CIEDE2000", "lower", 2),
    "chroma": Description("Chroma error", "lower", 2),
    "spectrum": Description("Spectrum (dB)", "lower", 2),
    "niqe": Description("NIQE", "lower", 3),
    "colourfulness": Description("Colourfulness", "neither", 2),
    "alignment-lq": Description("Alignment, degraded again", "higher", 4),
    "ssim-lq": Description("SSIM, degraded again", "higher", 4),
    "dinov2-lq": Description("DINOv2 distance, degraded again", "lower", 4),
    "lpips": Description("LPIPS", "lower", 4),
    "dinov2": Description("DINOv2 distance", "lower", 4),
    "clip-iqa": Description("CLIP-IQA", "higher", 4),
    "musiq": Description("MUSIQ", "higher", 2),
}
#: Metrics of a result that is degraded as the input was, and the input.
REDEGRADED = ("alignment-lq", "ssim-lq", "dinov2-lq")
_WEIGHTED = tuple(name for weights in WEIGHTS for name in weights.metrics)
#: Every metric, in the order of tables.
ALL_NAMES = (*DESCRIPTIONS, *SET_MEASURES)
#: Metrics that need no download, in the order of tables.
NAMES = tuple(name for name in ALL_NAMES if name not in (*REDEGRADED, *_WEIGHTED))


def measures(
    names: Iterable[str], protocol: Protocol, model: NiqeModel | None = None
) -> dict[str, Measure]:
    """The named measures that score one image, in the order of tables.

    Args:
        names: from ALL_NAMES; those in REDEGRADED are left to `redegraded_measures`, those in
            SET_MEASURES to the caller.
        protocol: the space that PSNR, SSIM and MS-SSIM are measured in; GMSD, NIQE and the spectrum
            look at luma, the others at colours, whatever it says. The device of networks, and
            NIQE's clean photos.
        model: NIQE's clean photos in place of the protocol's.

    Raises:
        UsageError: a metric that needs a package that is not installed.
        WeightsError: a metric without its weights.
    """

    def in_protocol_space(metric: Score) -> Score:
        return lambda image, target: metric(protocol.view(image), protocol.view(target))

    scores: dict[str, Callable[[], Score]] = {
        "psnr": lambda: in_protocol_space(psnr),
        "ssim": lambda: in_protocol_space(ssim),
        "ms-ssim": lambda: in_protocol_space(ms_ssim),
        "alignment": lambda: _content_alignment,
        "gmsd": lambda: gmsd,
        "ciede2000": lambda: colour_error,
        "chroma": lambda: chroma_error,
        "spectrum": lambda: spectrum_distance,
        "niqe": lambda: _niqe(model, protocol.niqe_model),
        "colourfulness": lambda: lambda image, _: colourfulness(image),
        "lpips": lambda: _lpips(protocol.device),
        "dinov2": lambda: _dinov2(protocol.device),
        "clip-iqa": lambda: _clip_iqa(protocol.device),
        "musiq": lambda: _musiq(protocol.device),
    }
    return _build([name for name in names if name not in (*REDEGRADED, *SET_MEASURES)], scores)


def redegraded_measures(names: Iterable[str], device: str = "cpu") -> dict[str, Measure]:
    """The named measures that compare a result, degraded again, with the input.

    Args:
        device: where networks run.

    Raises:
        WeightsError: a metric without its weights.
    """
    scores: dict[str, Callable[[], Score]] = {
        "alignment-lq": lambda: _content_alignment,
        "ssim-lq": lambda: ssim,
        "dinov2-lq": lambda: _dinov2(device),
    }
    return _build([name for name in names if name in REDEGRADED], scores)


def _build(names: Iterable[str], scores: Mapping[str, Callable[[], Score]]) -> dict[str, Measure]:
    """The named measures in the order of tables; their networks are loaded now.

    Raises:
        ValueError: a name without a function in `scores`, or without a description.
    """
    requested = set(names)
    for name in sorted(requested):
        if name not in scores or name not in DESCRIPTIONS:
            raise ValueError(f"metric '{name}' must be in DESCRIPTIONS and have a function")
    return {
        name: Measure(description.title, description.better, description.digits, scores[name]())
        for name, description in DESCRIPTIONS.items()
        if name in requested
    }


def checked_names(names: Iterable[str]) -> list[str]:
    """The names, checked and each once, in the order of tables.

    Raises:
        UsageError: another name.
        WeightsError: a metric without its weights.
    """
    requested = set(names)
    unknown = sorted(requested - set(ALL_NAMES))
    if unknown or not requested:
        got = f"metric '{unknown[0]}'" if unknown else "no metric"
        raise UsageError(got, f"some of {','.join(ALL_NAMES)}", "name those")
    for weights in WEIGHTS:
        if requested & set(weights.metrics):
            require(weights.name)
    return [name for name in ALL_NAMES if name in requested]


def _content_alignment(image: Image, target: Image) -> float:
    return alignment(image, target, content_features)


def _niqe(model: NiqeModel | None, file: str | None) -> Score:
    clean = model or (load_niqe() if file is None else load_niqe(Path(file)))
    return lambda image, _: niqe(image, clean)


def _lpips(device: str) -> Score:
    from unfade.eval.lpips import load_lpips, lpips

    network = load_lpips().to(device)
    return lambda image, target: lpips(image, target, network)


def _dinov2(device: str) -> Score:
    from unfade.eval.dinov2 import dinov2_distance, load_dinov2

    network = load_dinov2()
    network.network.to(device)
    return lambda image, target: dinov2_distance(image, target, network)


def _clip_iqa(device: str) -> Score:
    from unfade.eval.clip_iqa import clip_iqa, load_clip_iqa

    clip = load_clip_iqa()
    clip.encoder.to(device)
    return lambda image, _: clip_iqa(image, clip)


def _musiq(device: str) -> Score:
    from unfade.eval.musiq import load_musiq

    score = load_musiq(device)
    return lambda image, _: score(image)
