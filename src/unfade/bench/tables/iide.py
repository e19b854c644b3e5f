"""The tables of "Restoring real-world images with an internal detail enhancement diffusion model".

arXiv 2505.18674, Tables I to IV.
"""

from __future__ import annotations

from dataclasses import replace

from unfade.bench.aggregate import PER_PHOTO
from unfade.bench.cases import Case
from unfade.bench.degradations import COLOUR_TARGET
from unfade.bench.paper_values import IIDE, papers_of
from unfade.bench.prepare import QUICK_IMAGES
from unfade.bench.tables.base import DIFFUSION, Setting, Table, make_case, options_for

IN_COLOUR = "moderate" + COLOUR_TARGET
PROMPTED_IMAGES = 24  # photos that are coloured by their captions
_BESIDE = (
    "The second grid has a row for every system of the paper with what it printed; a system that "
    "is not given as a method has no figure of ours. The row 'w/o IIDE' is "
    "a preset trained with p_iide = 1: --method 'w/o IIDE=compact:paper=true,controlnet=PATH'."
)


def _old_photo(setting: Setting) -> list[Case]:
    """Against the photo in colour, as in the paper; and against the recipe's own target."""
    return [
        make_case("old-photo", setting, plan, degradation, label=label)
        for plan in setting.plans("DIV2K")
        for degradation, label in (
            (IN_COLOUR, "moderate"),
            ("moderate", "moderate, target without lost colours"),
        )
    ]


def _sr4(setting: Setting) -> list[Case]:
    plans = setting.plans("DIV2K", "DIV2K-StableSR")
    return [
        make_case("sr4", setting, plan, "real" if plan.dataset.crops else "sr4") for plan in plans
    ]


def _real_sr(setting: Setting) -> list[Case]:
    plans = setting.plans("RealSR", "DRealSR")
    paired = [plan.dataset.name in ("RealSR", "DRealSR") for plan in plans]
    return [
        make_case("real-sr", setting, plan, "real" if real else "real-sr4")
        for plan, real in zip(plans, paired, strict=True)
    ]


def _colorize(setting: Setting) -> list[Case]:
    """A case for each photo, whose caption is its prompt."""
    cases: list[Case] = []
    limit = QUICK_IMAGES if setting.quick else PROMPTED_IMAGES
    for plan in setting.captioned("DIV2K"):
        for index, pair in enumerate(plan.pairs[:limit]):
            caption = plan.dataset.captions.get(pair.name, "")
            options = replace(options_for("gray", plan), prompt=caption)
            photo_setting = replace(setting, work=setting.work / f"photo-{index}")
            cases.append(
                make_case(
                    "colorize",
                    photo_setting,
                    replace(plan, pairs=(pair,)),
                    "gray",
                    options,
                    parameter=PER_PHOTO,
                    value=float(index),
                )
            )
    return cases


TABLES = (
    Table(
        "old-photo", "Old photos", f"{IIDE}, Table I",
        "Clean photos, aged by the old-photo recipe of `unfade degrade` (severity moderate): "
        "scratches, fading, blur, grain and compression at once. The paper compares with the photo "
        "in colour; the other case compares with the recipe's target, gray where ageing took all "
        f"colour. {_BESIDE}",
        _old_photo, ("psnr", "ssim", "ms-ssim", "ciede2000", "niqe", "alignment", "patch-fd"),
        papers=papers_of("old-photo"),
    ),
    Table(
        "sr4", "Super-resolution x4", f"{IIDE}, Table II",
        "Photos reduced to a quarter of their side (bicubic; 128 to 512 where the photos are large "
        f"enough) and enlarged again; StableSR's crops where they are there. {_BESIDE}",
        _sr4, ("psnr", "ssim", "ms-ssim", "niqe", "spectrum", "alignment", "patch-fd"),
        ("input", "lanczos", "first-stage", "compact", DIFFUSION), papers_of("sr4"),
    ),
    Table(
        "real-sr", "Super-resolution of real photos", f"{IIDE}, Table III",
        "RealSR and DRealSR: pairs that two lenses took. Without these sets, photos damaged by the "
        f"second-order recipe (arXiv 2107.10833) stand in, and are named real-sr4. {_BESIDE}",
        _real_sr, ("psnr", "ssim", "niqe", "spectrum", "alignment", "patch-fd"),
        ("input", "lanczos", "first-stage", "compact", DIFFUSION), papers_of("real-sr"),
    ),
    Table(
        "colorize", "Text-guided colourisation", f"{IIDE}, Table IV",
        "Gray photos, coloured with their captions as prompts; without captions, with no prompt. "
        f"The input is the gray photo itself. {_BESIDE}",
        _colorize, ("psnr", "ssim", "ciede2000", "chroma", "colourfulness", "alignment"),
        ("input", "compact"), papers_of("colorize"),
    ),
)  # fmt: skip
