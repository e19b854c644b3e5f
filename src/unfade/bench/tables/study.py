"""The comparisons of the study of conditional latent diffusion models (arXiv 2412.09324)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from unfade.bench.aggregate import Aggregate, OwnMeasure
from unfade.bench.cases import Case
from unfade.bench.degradations import blurred, scale_of
from unfade.bench.folders import inputs_of, reference_of
from unfade.bench.methods.autoencoder import CLEAN, Autoencoder, own_autoencoders
from unfade.bench.methods.base import Method
from unfade.bench.methods.classics import INTERPOLATIONS
from unfade.bench.methods.pictures import resized
from unfade.bench.plots import Line, Panel, Plot, curves, scatter
from unfade.bench.published import STUDY
from unfade.bench.scoring import Extra
from unfade.bench.tables.base import DIFFUSION, Setting, Table, make_case
from unfade.degrade.reduce import reduced
from unfade.degrade.types import Image
from unfade.errors import InputError
from unfade.eval.evaluation import read_rgb
from unfade.eval.measures import Measure, redegraded_measures
from unfade.eval.metrics import ssim

LEVELS = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0)
LIGHT, HEAVY = ("sr2", "blur1"), ("sr4", "blur20")
_METHODS = ("input", "lanczos", "opencv", "first-stage", "compact", DIFFUSION)
_BLUR = (
    "Blur N is Gaussian with a sigma of N pixels in a crop of 512, and in proportion in others; "
    "the study's own kernel was not at hand."
)


def _perception_distortion(setting: Setting) -> list[Case]:
    name = "perception-distortion"
    cases = [make_case(name, setting, one, "sr4") for one in setting.plans("DIV2K")]
    for one in setting.plans("GOPRO", "DIV2K"):
        real = one.dataset.name == "GOPRO"
        cases.append(make_case(name, setting, one, "real" if real else "blur5"))
        break
    return cases


def _blur_levels(setting: Setting) -> list[Case]:
    return [
        make_case("blur-levels", setting, plan, f"blur{level:g}", parameter="level", value=level,
                  label="blur")
        for plan in setting.plans("DIV2K")
        for level in setting.swept(LEVELS)
    ]  # fmt: skip


def _alignment(setting: Setting) -> list[Case]:
    return [
        make_case("alignment", setting, plan, degradation)
        for plan in setting.plans("DIV2K")
        for degradation in (*LIGHT, *HEAVY)
    ]


def damaged_again(image: Image, degradation: str) -> Image:
    """What "blurN" and "srN" make of a picture: (H, W, 3) -> (H / scale, W / scale, 3)."""
    scale = scale_of(degradation)
    if scale > 1:
        return reduced(image, scale)
    return blurred(image, float(degradation.removeprefix("blur")))


def _with_input(metric: str) -> Extra:
    """Eq. 15 of the study by one measure: the output, damaged as its input was, and the input."""

    def score(case: Case, name: str, path: Path) -> float:
        if case.degradation not in (*LIGHT, *HEAVY):
            raise InputError(case.degradation, "a damage that can be done again", "leave it out")
        again = damaged_again(read_rgb(path), case.degradation)
        return _measure(metric).score(again, read_rgb(inputs_of(case)[name]))

    return score


@functools.cache
def _measure(metric: str) -> Measure:
    return redegraded_measures([metric])[metric]


_WITH_INPUT = {
    "alignment-lq": OwnMeasure("Alignment with input", "higher", 4, _with_input("alignment-lq")),
    "ssim-lq": OwnMeasure("SSIM with input", "higher", 4, _with_input("ssim-lq")),
    "dinov2-lq": OwnMeasure(
        "DINOv2 distance to input", "lower", 4, _with_input("dinov2-lq"), weights="dinov2"
    ),
}


def retention(case: Case, name: str, path: Path) -> float:
    """gamma = (1 - beta) / alpha of one result.

    alpha is the share of the clean photo that the input still holds, its SSIM; beta the share
    that the result has lost, 1 - its SSIM. Above 1 the restoration has brought some back, below
    1 it has taken more away. A smaller input is enlarged as the method "input" does it: its own
    rate is 1.

    Raises:
        InputError: there is no clean photo, or the input has nothing in common with it.
    """
    reference = reference_of(case, name)
    if reference is None:
        raise InputError("no clean photo", "one", "leave the retention out", path=path)
    clean, lq = read_rgb(reference), read_rgb(inputs_of(case)[name])
    large = resized(lq, (clean.shape[0], clean.shape[1]), INTERPOLATIONS["input"])
    alpha = ssim(large, clean)
    if alpha <= 0:
        raise InputError(
            f"an SSIM of {alpha:.2f}", "more than 0", "leave this photo out", path=path
        )
    return ssim(read_rgb(path), clean) / alpha


def _retention(setting: Setting) -> list[Case]:
    return [
        make_case("retention", setting, plan, degradation)
        for plan in setting.plans("DIV2K")
        for degradation in (*LIGHT, *HEAVY, "moderate")
    ]


def _retention_plots(aggregate: Aggregate) -> list[Plot]:
    """gamma of each photo, sorted: one panel a damage."""
    panels: list[Panel] = []
    for group in aggregate.groups:
        lines: list[Line] = []
        for method in aggregate.methods(group.cases):
            values = sorted(aggregate.values(group.cases, method, "retention").values())
            lines.append(Line(method, [float(i) for i in range(1, len(values) + 1)], values))
        panels.append(Panel("photo, by its gamma", "gamma", lines, group.label))
    text = "The information retention rate of every photo, sorted, for each method"
    return [Plot("gamma", "Information retention rate of each photo", text, panels)]


def _autoencoder(setting: Setting) -> list[Case]:
    return [make_case("autoencoder", setting, plan, CLEAN) for plan in setting.plans("DIV2K")]


def _with_autoencoders(
    methods: Sequence[Method], cases: Sequence[Case], _work: Path
) -> list[Method]:
    """The autoencoders that were named, and those of the presets; nothing else keeps photos."""
    named: list[Method] = [method for method in methods if isinstance(method, Autoencoder)]
    return [*named, *own_autoencoders(methods, cases)]


TABLES = (
    Table(
        "perception-distortion", "Perception against distortion", f"{STUDY}, perception-distortion "
        "plots",
        "Enlarging (x4) and deblurring: distortion (PSNR) to the right is better, naturalness "
        "(NIQE) further down is. No method has both; which trade it makes is what is shown. "
        f"GOPRO's test set is used for deblurring where it is there. {_BLUR}",
        _perception_distortion, ("psnr", "ssim", "niqe", "alignment", "patch-fd"), _METHODS,
        plots=lambda aggregate: [
            *scatter(aggregate, "psnr-niqe", "psnr", "niqe", "NIQE against PSNR"),
            *scatter(aggregate, "psnr-patch", "psnr", "patch-fd", "Patch distance against PSNR"),
        ],
    ),
    Table(
        "blur-levels", "Levels of blur", f"{STUDY}, SSIM and NIQE over blur levels",
        f"The same photos, blurred ever more. {_BLUR}",
        _blur_levels,
        plots=lambda aggregate: curves(aggregate, "curves", "level", ("ssim", "niqe", "psnr")),
    ),
    Table(
        "alignment", "Alignment", f"{STUDY}, Tables 1 and 3",
        "Whether the output shows what the photo showed. Alignment and SSIM are with the clean "
        "photo (Eq. 13, 14): look there for light damage (sr2, blur1). Those with the input damage "
        "the output as its input was and compare it with the input (Eq. 15): look there for heavy "
        "(sr4, blur20), where many clean photos fit one input. With DINOv2's weights its distances "
        f"stand beside them, as the study has them. {_BLUR}",
        _alignment, ("alignment", "psnr", "ssim"), _METHODS, own=_WITH_INPUT,
    ),
    Table(
        "autoencoder", "The autoencoder's ceiling", f"{STUDY}, Table 2",
        "Clean photos, encoded and decoded again: what a latent diffusion model cannot exceed "
        "without help beside its latents. Autoencoders are those of the presets, and those that "
        "are named: --method vae=FOLDER (an AutoencoderKL in diffusers' layout).",
        _autoencoder, ("psnr", "ssim", "ms-ssim", "niqe", "spectrum", "alignment"), ("compact",),
        adapt=_with_autoencoders,
    ),
    Table(
        "retention", "Information retention", f"{STUDY}, information retention rate",
        "gamma = (1 - beta) / alpha of each photo: alpha the SSIM of the input with the clean "
        "photo, beta 1 less that of the result. 1 keeps what there was, more has brought some "
        "back, less has lost some. Alpha and beta are ours: the study's were not at hand.",
        _retention, ("ssim",), _METHODS,
        own={"retention": OwnMeasure("gamma", "higher", 3, retention)}, plots=_retention_plots,
    ),
)  # fmt: skip
