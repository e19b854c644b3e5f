"""Tables of the study of conditional latent diffusion models (arXiv 2412.09324)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from unfade.bench.aggregate import TableMeasure
from unfade.bench.case_files import inputs_of
from unfade.bench.cases import Case
from unfade.bench.degradations import joint_of, scale_of
from unfade.bench.methods.autoencoder import CLEAN, own_autoencoders
from unfade.bench.methods.base import Method
from unfade.bench.methods.classics import INTERPOLATIONS
from unfade.bench.methods.in_process import resized
from unfade.bench.paper_values import STUDY, papers_of
from unfade.bench.plots import curves, scatter
from unfade.bench.scoring import ExtraMeasure
from unfade.bench.tables.base import DIFFUSION, Setting, Table, make_case
from unfade.degrade.joint import blurred
from unfade.degrade.reduce import reduced
from unfade.degrade.types import Image
from unfade.errors import InputError, UsageError
from unfade.eval.evaluation import read_rgb
from unfade.eval.measures import Measure, redegraded_measures
from unfade.pipeline.alignment import alignment
from unfade.pipeline.content import content_features

LEVELS = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0)
LIGHT, HEAVY = ("sr2", "blur1"), ("sr4", "blur20")
_METHODS = ("input", "lanczos", "opencv", "first-stage", "compact", DIFFUSION)
_BLUR = (
    "Blur N is Gaussian with a sigma of N pixels in a crop of 512, and in proportion in others; "
    "the study's own kernel was not at hand."
)


def _perception_distortion(setting: Setting) -> list[Case]:
    name = "perception-distortion"
    cases = [make_case(name, setting, plan, "sr4") for plan in setting.plans("DIV2K")]
    for plan in setting.plans("GOPRO", "DIV2K"):
        real = plan.dataset.name == "GOPRO"
        cases.append(make_case(name, setting, plan, "real" if real else "blur5"))
        break
    return cases


def _blur_levels(setting: Setting) -> list[Case]:
    return [
        make_case(
            "blur-levels",
            setting,
            plan,
            f"blur{level:g}",
            parameter="level",
            value=level,
            label="blur",
        )
        for plan in setting.plans("DIV2K")
        for level in setting.swept(LEVELS)
    ]


def _alignment(setting: Setting) -> list[Case]:
    return [
        make_case("alignment", setting, plan, degradation)
        for plan in setting.plans("DIV2K")
        for degradation in (*LIGHT, *HEAVY)
    ]


def damaged_again(image: Image, degradation: str) -> Image:
    """Degrades a picture by "blurN" or "srN": (H, W, 3) -> (H / scale, W / scale, 3)."""
    scale = scale_of(degradation)
    if scale > 1:
        return reduced(image, scale)
    return blurred(image, float(degradation.removeprefix("blur")))


def _with_input(metric: str) -> ExtraMeasure:
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


def _alignment_with_input(case: Case, name: str, path: Path) -> float:
    """Eq. 13 of the study: the content of the input, enlarged where it is smaller, and output."""
    result = read_rgb(path)
    size = result.shape[0], result.shape[1]
    large = resized(read_rgb(inputs_of(case)[name]), size, INTERPOLATIONS["input"])
    return alignment(result, large, content_features)


_WITH_INPUT = {
    "alignment-y": TableMeasure(
        "Alignment with input (Eq. 13)", "higher", 4, _alignment_with_input
    ),
    "alignment-lq": TableMeasure(
        "Alignment, degraded again (Eq. 15)", "higher", 4, _with_input("alignment-lq")
    ),
    "ssim-lq": TableMeasure("SSIM, degraded again (Eq. 15)", "higher", 4, _with_input("ssim-lq")),
    "dinov2-lq": TableMeasure(
        "DINOv2 distance, degraded again (Eq. 15)",
        "lower",
        4,
        _with_input("dinov2-lq"),
        weights="dinov2",
    ),
}


#: Noise alone, and blur, downsampling and noise at once (Eq. 1).
_NOISES = ("noise0.1", "noise0.3")
_JOINT = ("blur2+sr2+noise0.05", "blur2+sr4+noise0.05", "blur5+sr4+noise0.1")


def retention_rate(degradation: str) -> float:
    """gamma = (1 - beta) / alpha (Eq. 12) of a degradation of Eq. 1, such as "sr2+noise0.1".

    alpha is the downsampling rate. beta is the degradation factor, which the study does not define
    further; here it is the larger of the level of the blur over the heaviest one, 20, and the
    standard deviation of the noise in [0, 1] units, which Eq. 1 calls beta.

    Raises:
        UsageError: another degradation.
    """
    known = joint_of(degradation)
    if known is None:
        raise UsageError(f"degradation '{degradation}'", "one of Eq. 1", "try blur2+sr4+noise0.05")
    beta = max(min(1.0, known.blur / max(LEVELS)), known.noise)
    return (1 - beta) / known.scale


def _retention(setting: Setting) -> list[Case]:
    levels = (f"blur{level:g}" for level in setting.swept(LEVELS))
    mixed = (_NOISES[0], _JOINT[0]) if setting.quick else (*_NOISES, *_JOINT)
    degradations = ("sr2", "sr4", *levels, *mixed)
    return [
        make_case(
            "retention",
            setting,
            plan,
            degradation,
            parameter="gamma",
            value=retention_rate(degradation),
            label="joint" if "+" in degradation else degradation.rstrip(".0123456789"),
        )
        for plan in setting.plans("DIV2K")
        for degradation in degradations
    ]


def _autoencoder(setting: Setting) -> list[Case]:
    return [make_case("autoencoder", setting, plan, CLEAN) for plan in setting.plans("DIV2K")]


def _with_autoencoders(
    methods: Sequence[Method], cases: Sequence[Case], _work: Path
) -> list[Method]:
    """All methods, and the autoencoders of the presets among them."""
    return [*methods, *own_autoencoders(methods, cases)]


TABLES = (
    Table(
        "perception-distortion",
        "Perception against distortion",
        f"{STUDY}, perception-distortion plots",
        "Enlarging (x4) and deblurring: distortion (PSNR) to the right is better, naturalness "
        "(NIQE) further down is. No method has both; which trade it makes is what is shown. "
        f"GOPRO's test set is used for deblurring where it is there. {_BLUR}",
        _perception_distortion,
        ("psnr", "ssim", "niqe", "alignment", "patch-fd"),
        _METHODS,
        plots=lambda aggregate: [
            *scatter(aggregate, "psnr-niqe", "psnr", "niqe", "NIQE against PSNR"),
            *scatter(aggregate, "psnr-patch", "psnr", "patch-fd", "Patch distance against PSNR"),
        ],
    ),
    Table(
        "blur-levels",
        "Levels of blur",
        f"{STUDY}, SSIM and NIQE over blur levels",
        f"The same photos, blurred ever more. {_BLUR}",
        _blur_levels,
        plots=lambda aggregate: curves(aggregate, "curves", "level", ("ssim", "niqe", "psnr")),
    ),
    Table(
        "alignment",
        "Alignment",
        f"{STUDY}, Tables 1 and 3",
        "Whether the output shows what the photo showed. Alignment is S(I_y, x^), of the input and "
        "the output (Eq. 13). For light degradation (sr2, blur1) the study takes the clean photo "
        "in place of the input (Eq. 14): the columns Alignment, SSIM and DINOv2. For heavy (sr4, "
        "blur20), where many clean photos fit one input, it degrades the output again and compares "
        "that with the input (Eq. 15). S is our content similarity, SSIM, or DINOv2's where its "
        "weights are there. "
        f"{_BLUR}",
        _alignment,
        ("alignment", "psnr", "ssim", "niqe"),
        _METHODS,
        papers_of("alignment"),
        table_measures=_WITH_INPUT,
        plots=lambda aggregate: scatter(
            aggregate, "alignment-niqe", "alignment-y", "niqe", "NIQE against alignment (Eq. 13)"
        ),
    ),
    Table(
        "autoencoder",
        "The autoencoder's ceiling",
        f"{STUDY}, Table 2",
        "Clean photos, encoded and decoded again: what a latent diffusion model cannot exceed "
        "without help beside its latents. The input is the ground truth; a preset restores the "
        "clean photo with its whole model. Autoencoders are those of the presets, and those that "
        "are named: --method vae=FOLDER (an AutoencoderKL in diffusers' layout).",
        _autoencoder,
        ("psnr", "ssim", "ms-ssim", "niqe", "spectrum", "alignment"),
        ("input", DIFFUSION),
        papers_of("autoencoder"),
        adapt=_with_autoencoders,
    ),
    Table(
        "retention",
        "Information retention",
        f"{STUDY}, Eq. 12",
        "SSIM and NIQE over gamma = (1 - beta) / alpha of the degradation: alpha is the "
        "downsampling rate, beta the larger of the level of the blur over the heaviest (sigma 20) "
        "and the standard deviation of the noise. The study names beta the degradation factor and "
        "does not say how it is scaled. 'joint' is blur, downsampling and noise at once (Eq. 1). "
        f"Smaller gamma means heavier degradation. {_BLUR}",
        _retention,
        ("ssim", "niqe"),
        _METHODS,
        plots=lambda aggregate: curves(aggregate, "curves", "gamma", ("ssim", "niqe")),
    ),
)
