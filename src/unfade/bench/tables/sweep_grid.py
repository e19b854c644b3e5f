"""Builds the grid of a sweep: gains of each value over a method without the parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from unfade.bench.aggregate import Aggregate
from unfade.bench.cases import Case
from unfade.bench.methods.names import FIRST_STAGE
from unfade.bench.sections import Cell, Grid, estimate, number
from unfade.eval.measures import SET_MEASURES
from unfade.eval.statistics import Estimate, paired_difference

_BESIDE = (FIRST_STAGE, "input")  # the first that took part


def gains_grids(aggregate: Aggregate) -> list[Grid]:
    """A row for each method and value; a grid for each set and degradation with a baseline."""
    grids: list[Grid] = []
    for kind in dict.fromkeys((case.dataset, case.degradation) for case in aggregate.cases):
        cases = [c for c in aggregate.cases if (c.dataset, c.degradation) == kind]
        plain = [case for case in cases if case.value is None]
        swept = [case for case in cases if case.value is not None]
        other = next((name for name in _BESIDE if name in aggregate.methods(plain)), None)
        if other is not None and aggregate.methods(swept):
            grids.append(_gains(aggregate, plain, swept, other))
    return grids


def _gains(aggregate: Aggregate, plain: Sequence[Case], swept: Sequence[Case], other: str) -> Grid:
    measures = {n: m for n, m in aggregate.measures.items() if n not in SET_MEASURES}
    rows: list[list[Cell]] = []
    for method in aggregate.methods(swept):
        for case in swept:
            if not aggregate.count([case], method):
                continue
            cost = aggregate.cost([case], method)
            time = cost.seconds / cost.megapixels if cost is not None and cost.megapixels else None
            steps = None if cost is None else cost.steps
            cells = [Cell(method), Cell(f"{case.value:g}", case.value, "number")]
            cells += [number(steps, 0), number(time, 2)]
            for name, measure in measures.items():
                values = _by_image(aggregate, [case], method, name)
                gain = _difference(values, _by_image(aggregate, plain, other, name), aggregate.seed)
                cells.append(estimate(gain, measure.digits, aggregate.count([case], method)))
            rows.append(cells)
    parameter = swept[0].parameter
    columns = [
        "method",
        parameter,
        "steps run",
        "s per megapixel ↓",
        *(m.heading for m in measures.values()),
    ]
    note = (
        f"Each value less that of {other}, image by image, with 95 % intervals: where an interval "
        "holds 0, the photos do not tell the two apart. Time is that of all that ran."
    )
    kind = f"{swept[0].dataset}, {swept[0].degradation}"
    return Grid(f"Gains over {other}, and time: {kind}", columns, rows, note)


def _difference(values: Mapping[str, float], baseline: Mapping[str, float], seed: int) -> Estimate:
    """The mean difference to the baseline over common images."""
    shared = [image for image in values if image in baseline]
    first, second = (np.array([v[image] for image in shared]) for v in (values, baseline))
    return paired_difference(first, second, seed=seed).estimate


def _by_image(
    aggregate: Aggregate, cases: Sequence[Case], method: str, metric: str
) -> Mapping[str, float]:
    return {image: v for (_, image), v in aggregate.values(cases, method, metric).items()}
