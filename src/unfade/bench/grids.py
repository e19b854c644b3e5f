"""Builds the grids of a table: means, paper values, cost, differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from unfade.bench.aggregate import Aggregate, Group
from unfade.bench.cases import Case
from unfade.bench.paper_values import PaperTable
from unfade.bench.sections import Cell, Grid, estimate, number
from unfade.eval.measures import DESCRIPTIONS, FEATURE_FILE_MEASURES, SET_MEASURES, Description
from unfade.eval.statistics import RESAMPLES

#: What `eval/niqe_clean.npz` was learnt from.
NIQE_SHIPPED = "unfade's, learnt from 300 photos of BSDS500, not its authors'"
_LEAST_P = 0.0001  # that is written out


def means_grid(aggregate: Aggregate, title: str, *, by_case: bool = True) -> Grid:
    """A row for each method in each case; the best mean of a case is marked.

    Args:
        by_case: whether a column names the case.
    """
    measures = aggregate.measures
    rows: list[list[Cell]] = []
    for group in aggregate.groups:
        group_rows: list[list[Cell]] = []
        methods = aggregate.methods(group.cases) if by_case else aggregate.run.methods
        for method in methods:
            count = aggregate.count(group.cases, method)
            cells = [
                estimate(aggregate.estimate(group.cases, method, name), known.digits, count)
                for name, known in measures.items()
            ]
            group_rows.append([Cell(group.label), Cell(method), number(count, 0), *cells])
        rows += _marked(group_rows, [None, None, None, *(m.better for m in measures.values())])
    protocol = aggregate.run.protocol
    note = (
        f"Means over images with 95 % intervals ({RESAMPLES} bootstrap resamples, seed "
        f"{aggregate.seed}). PSNR, SSIM and MS-SSIM on {protocol.space.upper()}, crop border "
        f"{protocol.crop_border}, data range 1. "
        "Bold: the best mean of the case; the intervals say whether that means anything."
    )
    if "niqe" in measures:
        note += f" NIQE's parameters: {protocol.niqe_model or NIQE_SHIPPED}."
    columns = ["case", "method", "images", *(m.heading for m in measures.values())]
    first = 0 if by_case else 1
    return Grid(title, columns[first:], [row[first:] for row in rows], note)


def _marked(rows: list[list[Cell]], better: Sequence[str | None]) -> list[list[Cell]]:
    """Marks the best number of each column, if there are several."""
    out = [list(row) for row in rows]
    for column, way in enumerate(better):
        values = [row[column].value for row in rows]
        numbers = [value for value in values if value is not None]
        if way not in ("higher", "lower") or len(set(numbers)) < 2:
            continue
        best = max(numbers) if way == "higher" else min(numbers)
        for row, value in zip(out, values, strict=True):
            if value == best:
                row[column] = replace(row[column], kind="best")
    return out


def paper_grids(aggregate: Aggregate, papers: Sequence[PaperTable]) -> list[Grid]:
    """For each case, every system of the paper's table: paper values and our measurements."""
    pairs = [(group, _paper_of(group, papers)) for group in aggregate.groups]
    return [_paper_grid(aggregate, paper, group) for group, paper in pairs if paper is not None]


def _paper_of(group: Group, papers: Sequence[PaperTable]) -> PaperTable | None:
    """The table of the photos' own set and damage; of other sets the first of that damage."""
    case = group.cases[0]
    fitting = [paper for paper in papers if paper.degradation in ("", case.degradation)]
    same_dataset = (paper for paper in fitting if case.dataset.startswith(paper.dataset))
    return next(same_dataset, fitting[0] if fitting else None)


def _paper_grid(aggregate: Aggregate, paper: PaperTable, group: Group) -> Grid:
    descriptions: dict[str, Description] = {
        **DESCRIPTIONS,
        **SET_MEASURES,
        **aggregate.table_measures,
    }
    systems, names = paper.systems, paper.metrics
    others_here = [method for method in aggregate.methods(group.cases) if method not in systems]
    rows = [
        _paper_row(aggregate, paper, group, system, names) for system in (*systems, *others_here)
    ]
    columns = ["system"]
    for name in names:
        columns += [f"{descriptions[name].heading} here", f"{descriptions[name].heading} printed"]
    others = [
        f"{system}, {descriptions[name].title} {value.value:g}: {value.source}"
        for (system, name), values in paper.values.items()
        for value in values
        if value.source != paper.source
    ]
    note = (
        f"Printed: {paper.source}. A system is measured here where it is given under this name, "
        "such as --method 'StableSR=FOLDER' or --method 'w/o IIDE=PRESET'. The two columns are no "
        "comparison unless the photos, the damage and the protocol are the paper's."
    )
    note += f" Other sources: {'; '.join(others)}." if others else ""
    return Grid(f"Beside the paper ({paper.source}): {group.label}", columns, rows, note)


def _paper_row(
    aggregate: Aggregate, paper: PaperTable, group: Group, system: str, names: Sequence[str]
) -> list[Cell]:
    row = [Cell(system)]
    count = aggregate.count(group.cases, system)
    for name in names:
        if not count:
            row.append(Cell("not given"))
        elif name in aggregate.measures:
            mean = aggregate.estimate(group.cases, system, name)
            row.append(estimate(mean, aggregate.measures[name].digits, count))
        else:
            row.append(Cell("not measured"))
        values = paper.values.get((system, name), ())
        text = " / ".join(f"{value.value:g}" for value in values)
        row.append(Cell(text, values[0].value, "printed") if values else Cell("–"))
    return row


def cost_grid(aggregate: Aggregate) -> list[Grid]:
    """Time, memory and parameters of each method over all cases; nothing where none is known."""
    rows: list[list[Cell]] = []
    for method in aggregate.methods():
        cost = aggregate.cost(aggregate.cases, method)
        if cost is None or not cost.megapixels:
            continue
        count = cost.parameters
        rows.append(
            [
                Cell(method),
                number(cost.seconds / cost.megapixels, 2),
                number(cost.peak_mib, 0),
                number(None if count is None else count / 1e6, 2),
                number(cost.steps, 0),
            ]
        )
    columns = ["method", "s per megapixel ↓", "peak memory (MiB) ↓", "parameters (M)", "steps"]
    note = (
        "Wall time over the megapixels of the outputs, on this machine, whatever else it did. "
        "Peak memory is that of the whole process; methods that run in this one share it. Steps: "
        "the most sampling steps of the diffusion model that ran for an image; 0 is none."
    )
    return [Grid("Cost", columns, rows, note)] if rows else []


def difference_grid(aggregate: Aggregate) -> list[Grid]:
    """The differences between the subject and every other method, image by image."""
    subject = aggregate.subject
    if subject is None:
        return []
    rows = [
        [Cell(group.label), Cell(other), *cells]
        for group in aggregate.groups
        for other in aggregate.methods(group.cases)
        if other != subject and aggregate.count(group.cases, subject)
        for cells in _differences(aggregate, group.cases, subject, other)
    ]
    columns = ["case", "method", "metric", "images", f"{subject} - method", "p"]
    title = f"{subject} less the others, image by image"
    return [Grid(title, columns, rows, _DIFFERENCES)] if rows else []


def pairs_grid(aggregate: Aggregate) -> list[Grid]:
    """The differences between all pairs of methods, image by image, over all cases."""
    rows = [
        [Cell(first), Cell(second), *cells]
        for first, second in combinations(aggregate.run.methods, 2)
        for cells in _differences(aggregate, aggregate.cases, first, second)
    ]
    columns = ["first", "second", "metric", "images", "first - second", "p"]
    return [Grid("Differences, image by image", columns, rows, _DIFFERENCES)] if rows else []


_DIFFERENCES = (
    "Over the images that both have. p of Wilcoxon's signed-rank test, two-sided, not corrected "
    "for the number of tests. Below six images it cannot fall under 0.05."
)


def _differences(
    aggregate: Aggregate, cases: Sequence[Case], first: str, second: str
) -> list[list[Cell]]:
    """For each metric: title, images, mean difference with its interval, p."""
    rows: list[list[Cell]] = []
    for name, measure in aggregate.measures.items():
        if name in SET_MEASURES or name in FEATURE_FILE_MEASURES:
            continue
        difference = aggregate.difference(cases, first, second, name)
        count = difference.estimate.count
        if count:
            mean = estimate(difference.estimate, measure.digits, count)
            rows.append([Cell(measure.title), number(count, 0), mean, _p(difference.p)])
    return rows


def _p(p: float | None) -> Cell:
    if p is None:
        return Cell("needs scipy")
    if 0 <= p < _LEAST_P:
        return Cell(f"< {_LEAST_P:.4f}", p, "number")
    return number(p if math.isfinite(p) else None, 4)
