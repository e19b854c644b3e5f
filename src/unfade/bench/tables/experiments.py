"""Tables of experiments that were proposed for IIDE (arXiv 2505.18674); the paper has none of them.

And a figure of the study (arXiv 2412.09324).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from unfade.bench.aggregate import BASELINES, Aggregate
from unfade.bench.cases import Case
from unfade.bench.paper_values import IIDE
from unfade.bench.plots import Line, Panel, Plot
from unfade.bench.sections import Cell, Grid, estimate, number
from unfade.bench.tables.base import DIFFUSION, Setting, Table, make_case
from unfade.degrade import MIXTURES, UNSEEN

_SWAP = re.compile(r"p(?:_iide)?[ =]?([01](?:\.\d+)?)\b.*")
_DAMAGES = ("moderate", "sr4")
_PROPOSED = f"proposed for {IIDE}, not in it"


def _both(table: str, setting: Setting) -> list[Case]:
    """Cases of old photos (damaged condition) and of enlarging (small condition)."""
    return [
        make_case(table, setting, plan, damage)
        for plan in setting.plans("DIV2K")
        for damage in _DAMAGES
    ]


def _mixtures(setting: Setting) -> list[Case]:
    return [
        make_case("mixtures", setting, plan, mixture)
        for plan in setting.plans("DIV2K")
        for mixture in (*MIXTURES, *UNSEEN)
    ]


def swap_of(method: str) -> float | None:
    """p_iide by the name of a method, such as "p0.5" or "p0.5 seed 1"; None for others."""
    match = _SWAP.fullmatch(method)
    return float(match[1]) if match else None


def _swap_grid(aggregate: Aggregate) -> list[Grid]:
    """The presets of one p_iide together, over their seeds."""
    settings = {method: swap_of(method) for method in aggregate.methods()}
    groups = {p: [m for m, p_iide in settings.items() if p_iide == p] for p in settings.values()}
    rows: list[list[Cell]] = []
    for p in sorted(p for p in groups if p is not None):
        for group in aggregate.groups:
            cells: list[Cell] = []
            for name, measure in aggregate.measures.items():
                means = [aggregate.estimate(group.cases, method, name).mean for method in groups[p]]
                text = " ".join(f"{mean:.{measure.digits}f}" for mean in means)
                cells.append(Cell(text, sum(means) / len(means), "number"))
            rows.append([number(p, 1), Cell(group.label), number(len(groups[p]), 0), *cells])
    titles = [measure.title for measure in aggregate.measures.values()]
    note = "One number for each training of a setting (each seed); sorted by their mean."
    return [Grid("By p_iide", ["p_iide", "case", "trainings", *titles], rows, note)] if rows else []


def _size_plots(aggregate: Aggregate) -> list[Plot]:
    """Quality against the time, and against the parameters, of each method."""
    plots: list[Plot] = []
    for stem, axis in (("cost", "s per megapixel"), ("parameters", "parameters (M)")):
        panels: list[Panel] = []
        for metric in ("psnr", "niqe", "alignment"):
            if metric not in aggregate.measures:
                continue
            for group in aggregate.groups:
                lines = _sized(aggregate, group.cases, metric, stem == "parameters")
                title = aggregate.measures[metric].title
                if lines:
                    panels.append(Panel(axis, title, lines, group.label, False, "x"))
        text = f"Quality of each method against its {axis}"
        plots += [Plot(stem, f"Quality against {axis}", text, panels)] if panels else []
    return plots


def _sized(
    aggregate: Aggregate, cases: Sequence[Case], metric: str, by_parameters: bool
) -> list[Line]:
    """A point for each method: its time for a megapixel or its millions of parameters."""
    lines: list[Line] = []
    for method in aggregate.methods(cases):
        cost, mean = aggregate.cost(cases, method), aggregate.estimate(cases, method, metric)
        if cost is None or not cost.megapixels or not mean.count:
            continue
        size = (cost.parameters or 0) / 1e6
        if by_parameters and not size:
            continue
        x = size if by_parameters else cost.seconds / cost.megapixels
        lines.append(Line(method, [x], [mean.mean]))
    return lines


def _size_grid(aggregate: Aggregate) -> list[Grid]:
    """Parameters, time and scores of each network."""
    rows: list[list[Cell]] = []
    for method in aggregate.methods():
        cost = aggregate.cost(aggregate.cases, method)
        if method in BASELINES or cost is None or not cost.megapixels:
            continue
        size = None if cost.parameters is None else cost.parameters / 1e6
        cells = [number(size, 2), number(cost.seconds / cost.megapixels, 2)]
        for name, measure in aggregate.measures.items():
            value = aggregate.estimate(aggregate.cases, method, name)
            cells.append(estimate(value, measure.digits, value.count))
        rows.append([Cell(method), *cells])
    titles = [measure.title for measure in aggregate.measures.values()]
    columns = ["preset", "parameters (M)", "s per megapixel", *titles]
    return [Grid("Size, time, quality (all cases)", columns, rows)] if rows else []


TABLES = (
    Table(
        "p-iide", "Keeping or swapping the condition: p_iide", _PROPOSED,
        "Presets trained with p_iide = 0, 0.5 and 1 from one start, each given as a method whose "
        f"name begins with its setting: --method 'p0 seed 0={DIFFUSION},controlnet=PATH' and so "
        "on. "
        "p_iide = 1 is plain ControlNet training. Without such methods only ours is shown, which "
        "was trained with 0.5. All restore from pure noise, where what the ControlNet learnt shows "
        "most.",
        lambda setting: _both("p-iide", setting),
        methods=("input", "first-stage", f"p0.5={DIFFUSION}"), grids=_swap_grid,
    ),
    Table(
        "mixtures", "Mixtures of damages", _PROPOSED,
        "Two kinds of damage at a time and nothing else, against methods for one task: those "
        "called opencv-... do one thing each, opencv several. The networks learnt on each kind of "
        f"the first three; no training has shown {' or '.join(UNSEEN)}. A method that falls behind "
        "the input on a mixture has made it worse.",
        _mixtures, ("psnr", "ssim", "ciede2000", "niqe", "alignment"),
        ("input", "opencv-denoise", "opencv-sharpen", "opencv-inpaint", "opencv-contrast",
         "opencv", "first-stage", "compact", DIFFUSION),
    ),
    Table(
        "controlnet", "Depth and width of the ControlNet", _PROPOSED,
        "Presets whose ControlNets differ in depth or width, each given as a method: --method "
        f"'narrow={DIFFUSION},controlnet=PATH'. Parameters are those of all networks that ran.",
        lambda setting: _both("controlnet", setting), grids=_size_grid, plots=_size_plots,
    ),
    Table(
        "cost", "Parameters and latency against quality", "arXiv 2412.09324, Fig. 4",
        "One point for each method: the further left the cheaper. Times are of this machine and of "
        "crops; a program that loads its weights for every case pays for that here.",
        lambda setting: _both("cost", setting), ("psnr", "ssim", "niqe", "alignment"),
        ("input", "lanczos", "opencv", "first-stage", "compact", DIFFUSION),
        grids=_size_grid, plots=_size_plots,
    ),
)  # fmt: skip
