"""Tables on the questions that the IIDE paper leaves open (arXiv 2505.18674)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from unfade.bench.aggregate import Aggregate
from unfade.bench.case_files import inputs_of, references_of
from unfade.bench.cases import Case
from unfade.bench.methods.autoencoder import CLEAN, own_autoencoders
from unfade.bench.methods.base import Method
from unfade.bench.paper_values import IIDE
from unfade.bench.plots import Line, Panel, Plot
from unfade.bench.sections import Cell, Grid, number
from unfade.bench.tables.base import DIFFUSION, Setting, Table, make_case, options_for
from unfade.degrade.types import Image
from unfade.errors import UnfadeError
from unfade.eval.colour import lab
from unfade.eval.evaluation import read_rgb
from unfade.eval.images import ROUNDING
from unfade.eval.spectrum import BINS, MIN_SIDE, radial_spectrum

#: Colour words, and where they lie in Lab's a and b (a unit vector).
COLOURS = {
    "red": (0.77, 0.64),
    "green": (-0.72, 0.69),
    "blue": (0.52, -0.85),
    "yellow": (-0.21, 0.98),
}
STRUCTURES = {"hat": "a person with a large hat", "snow": "a street in deep snow at night"}
SHIFT = 3.0  # Lab units of mean chroma towards a colour, from which an edit has succeeded
IMAGES = 12


def _frequencies(setting: Setting) -> list[Case]:
    return [
        make_case("frequencies", setting, plan, degradation)
        for plan in setting.plans("DIV2K")
        for degradation in (CLEAN, "moderate")
    ]


def _with_autoencoders(
    methods: Sequence[Method], cases: Sequence[Case], _work: Path
) -> list[Method]:
    return [*methods, *own_autoencoders(methods, cases)]


def _spectra(aggregate: Aggregate) -> list[Plot]:
    """The mean spectrum of each method's results over that of the clean photos."""
    panels: list[Panel] = []
    for group in aggregate.groups:
        case = group.cases[0]
        clean = _mean_spectrum([*references_of(case).values()])
        if clean is None:
            continue
        spectra = {"damaged input": _mean_spectrum([*inputs_of(case).values()])}
        for method in aggregate.methods([case]):
            if method != "input":
                images = [row.image for row in aggregate.run.rows_of(case, method)]
                paths = [aggregate.run.result(case, method, image) for image in images]
                spectra[method] = _mean_spectrum(paths)
        rings = [(i + 0.5) / (2 * BINS) for i in range(BINS)]
        lines = [
            Line(label, rings, _decibels(power / clean))
            for label, power in spectra.items()
            if power is not None
        ]
        panels.append(
            Panel("cycles per pixel", "power over that of clean (dB)", lines, group.label)
        )
    text = "Power of each ring of frequencies less that of the clean photos, in dB; 0 is the same"
    return [Plot("spectra", "What is lost of the high frequencies", text, panels)] if panels else []


def _mean_spectrum(paths: Sequence[Path]) -> np.ndarray | None:
    """(BINS,), the mean power over photos; None if none is large enough."""
    spectra: list[np.ndarray] = []
    for path in paths:
        try:
            image = read_rgb(path)
        except UnfadeError:
            continue
        if min(image.shape[:2]) >= MIN_SIDE:
            spectra.append(radial_spectrum(image) + ROUNDING)
    return np.mean(spectra, 0) if spectra else None


def _decibels(ratio: np.ndarray) -> list[float]:
    return [float(value) for value in 10 * np.log10(ratio)]


def _edits(setting: Setting) -> list[Case]:
    """Gray photos with a colour word each, damaged ones with a change of structure."""
    cases: list[Case] = []
    for plan in setting.plans("DIV2K", images=IMAGES):
        gray = options_for("gray", plan)
        prompts = {"none": "", **{word: f"everything is {word}" for word in COLOURS}}
        for word, prompt in prompts.items():
            options = replace(gray, prompt=prompt)
            cases.append(make_case("edits", setting, plan, "gray", options, label=f"gray-{word}"))
        old = replace(
            options_for("moderate", plan),
            strength=1.0,
            reach="all",
            fidelity=0.0,
            posterior_mean=0.0,
            vae_residual=0.0,
        )
        for word, prompt in {"none": "", **STRUCTURES}.items():
            options = replace(old, prompt=prompt)
            cases.append(
                make_case("edits", setting, plan, "moderate", options, label=f"old-{word}")
            )
        again = make_case("edits", setting, plan, "moderate", old, label="old-seed")
        cases.append(replace(again, options=replace(old, seed=setting.seed + 1)))
    return cases


def _edit_grids(aggregate: Aggregate) -> list[Grid]:
    """How often an edit failed, and what it did to the content."""
    rows: list[list[Cell]] = []
    for method in aggregate.methods():
        for word in (*COLOURS, *STRUCTURES):
            failures = _failures(aggregate, method, word)
            if not failures:
                continue
            prefix = "gray" if word in COLOURS else "old"
            cases = [case for case in aggregate.cases if case.degradation == f"{prefix}-{word}"]
            estimate = aggregate.estimate(cases, method, "alignment")
            kind = "colour" if word in COLOURS else "structure"
            rows.append(
                [
                    Cell(method),
                    Cell(kind),
                    Cell(word),
                    number(len(failures), 0),
                    number(sum(failures) / len(failures), 2),
                    number(estimate.mean, 4),
                ]
            )
    columns = ["method", "edit", "prompt", "images", "failed", "alignment"]
    note = (
        f"An edit of colour failed where the mean chroma moved by less than {SHIFT:g} Lab units "
        "towards the word, against the same photo without a prompt. An edit of structure failed "
        "where it changed the photo by no more than another seed does."
    )
    return [Grid("Failure rate of the edits", columns, rows, note)] if rows else []


def _failures(aggregate: Aggregate, method: str, word: str) -> list[bool]:
    """Whether the edit failed, for each photo; empty if the method has no such results."""
    if word in COLOURS:
        edited, plain = (_results(aggregate, method, f"gray-{end}") for end in (word, "none"))
        way = np.array(COLOURS[word])
        return [
            float((_chroma(edited[name]) - _chroma(plain[name])) @ way) < SHIFT
            for name in edited
            if name in plain
        ]
    edited, plain, other = (
        _results(aggregate, method, f"old-{end}") for end in (word, "none", "seed")
    )
    return [
        bool(np.abs(edited[n] - plain[n]).mean() <= np.abs(other[n] - plain[n]).mean())
        for n in edited
        if n in plain and n in other
    ]


def _results(aggregate: Aggregate, method: str, degradation: str) -> dict[str, Image]:
    """A method's results for one degradation: dataset and name -> (H, W, 3)."""
    images: dict[str, Image] = {}
    for case in aggregate.cases:
        if case.degradation == degradation:
            for row in aggregate.run.rows_of(case, method):
                path = aggregate.run.result(case, method, row.image)
                images[f"{case.dataset}/{row.image}"] = read_rgb(path)
    return images


def _chroma(image: Image) -> np.ndarray:
    """Mean a and b of Lab, (2,)."""
    return lab(image)[..., 1:].mean((0, 1))


TABLES = (
    Table(
        "frequencies",
        "High frequencies",
        f"left open by {IIDE}",
        "Radial power spectra against those of the clean photos. The clean case shows what the "
        "autoencoder alone takes away (--method vae=FOLDER, or a preset that has one); the damaged "
        "one what each method brings back. 0 dB is the clean photo's own power; below is blur, "
        "above is noise or invented detail.",
        _frequencies,
        ("spectrum", "psnr", "ssim", "niqe"),
        ("input", "opencv", "first-stage", "compact", DIFFUSION),
        plots=_spectra,
        adapt=_with_autoencoders,
    ),
    Table(
        "edits",
        "Edits by text against content",
        f"left open by {IIDE}",
        "Colour words for gray photos, and prompts that imply another structure for damaged ones. "
        "Colouring keeps the luminance of the input, so that structure cannot drift there; for old "
        "photos an edit that fails is one that kept the content. Needs a diffusion model.",
        _edits,
        ("psnr", "ciede2000", "alignment"),
        ("input", "compact"),
        grids=_edit_grids,
    ),
)
