"""What each value of a swept parameter gives and takes, beside a method without the parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from unfade.bench.cases import Case
from unfade.bench.grids import heading
from unfade.bench.methods.names import FIRST_STAGE
from unfade.bench.sections import Cell, Grid, estimate, number
from unfade.bench.tally import Tally
from unfade.eval.measures import SET_MEASURES
from unfade.eval.statistics import Estimate, paired_difference

_BESIDE = (FIRST_STAGE, "input")  # the first that took part


def gains_grids(tally: Tally) -> list[Grid]:
    """A row for each method and value; a grid for each set of photos that has a baseline."""
    grids: list[Grid] = []
    for dataset in dict.fromkeys(case.dataset for case in tally.cases):
        cases = [case for case in tally.cases if case.dataset == dataset]
        plain = [case for case in cases if case.value is None]
        swept = [case for case in cases if case.value is not None]
        other = next((name for name in _BESIDE if name in tally.methods(plain)), None)
        if other is not None and tally.methods(swept):
            grids.append(_gains(tally, plain, swept, other))
    return grids


def _gains(tally: Tally, plain: Sequence[Case], swept: Sequence[Case], other: str) -> Grid:
    measures = {n: m for n, m in tally.measures.items() if n not in SET_MEASURES}
    rows: list[list[Cell]] = []
    for method in tally.methods(swept):
        for case in swept:
            if not tally.count([case], method):
                continue
            cost = tally.cost([case], method)
            time = cost.seconds / cost.megapixels if cost is not None and cost.megapixels else None
            cells = [Cell(method), Cell(f"{case.value:g}", case.value, "number"), number(time, 2)]
            for name, measure in measures.items():
                own = _by_image(tally, [case], method, name)
                found = _difference(own, _by_image(tally, plain, other, name), tally.seed)
                cells.append(estimate(found, measure.digits, tally.count([case], method)))
            rows.append(cells)
    parameter = swept[0].parameter
    columns = ["method", parameter, "s per megapixel ↓", *map(heading, measures.values())]
    note = (
        f"Each value less that of {other}, image by image, with 95 % intervals: where an interval "
        "holds 0, the photos do not tell the two apart. Time is that of all that ran."
    )
    return Grid(f"What it gains over {other}, and its time", columns, rows, note)


def _difference(own: Mapping[str, float], other: Mapping[str, float], seed: int) -> Estimate:
    """Own less other over the images that both have."""
    shared = [image for image in own if image in other]
    first, second = (np.array([v[image] for image in shared]) for v in (own, other))
    return paired_difference(first, second, seed=seed).estimate


def _by_image(tally: Tally, cases: Sequence[Case], method: str, metric: str) -> Mapping[str, float]:
    return {image: v for (_, image), v in tally.values(cases, method, metric).items()}
