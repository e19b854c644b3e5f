"""What a run came to in one table: means over images, their intervals, differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from unfade.bench.cases import BenchRow, Case, Cost
from unfade.bench.methods.classics import INTERPOLATIONS, MENDING
from unfade.bench.methods.names import FIRST_STAGE
from unfade.bench.run import Run
from unfade.bench.scoring import Extra
from unfade.eval.measures import ALL_NAMES, SET_MEASURES, Better, Measure, SetMeasure, measures
from unfade.eval.statistics import Difference, Estimate, bootstrap_mean, paired_difference

#: Methods that restore without our diffusion model; another one is what a table is about.
BASELINES = (*INTERPOLATIONS, *MENDING, FIRST_STAGE)
#: The parameter of cases that hold one photo each, with a prompt of its own: they count as one.
PER_PHOTO = "photo"

Cases = Sequence[Case]


@dataclass(frozen=True)
class OwnMeasure:
    """A measure of one table alone.

    Attributes:
        score: of a case, the name of an image, and its result.
        weights: a metric whose weights it needs: without these it is left out. "" for none.
    """

    title: str
    better: Better
    digits: int
    score: Extra
    weights: str = ""


Known = Measure | SetMeasure | OwnMeasure


@dataclass(frozen=True)
class Group:
    """Cases that are one line of a table: one case, or those that hold a photo each."""

    label: str
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Tally:
    """The rows of one table.

    Attributes:
        run: may hold other tables too.
        table: the name of this one.
        own: its own measures, by name.
        seed: of the bootstrap.
    """

    run: Run
    table: str
    own: Mapping[str, OwnMeasure] = field(default_factory=dict[str, OwnMeasure])
    seed: int = 0

    @property
    def cases(self) -> list[Case]:
        """Of this table, in order."""
        return [case for case in self.run.cases if case.table == self.table]

    @property
    def groups(self) -> list[Group]:
        """The lines of the table, in order."""
        found: dict[str, list[Case]] = {}
        for case in self.cases:
            found.setdefault(label_of(case), []).append(case)
        return [Group(label, tuple(cases)) for label, cases in found.items()]

    @cached_property
    def measures(self) -> dict[str, Known]:
        """What is known of the metrics that are there: title, which way is better, digits."""
        rows = [row for row in self.run.rows if row.table == self.table]
        found = {name for row in rows for name in row.values}
        found |= {n for key, own in self.run.distances.items() if key[0] == self.table for n in own}
        single = [name for name in found if name not in {*SET_MEASURES, *self.own}]
        known = {**measures(single, self.run.protocol), **SET_MEASURES, **self.own}
        return {name: known[name] for name in (*ALL_NAMES, *self.own) if name in found}

    def methods(self, cases: Cases | None = None) -> list[str]:
        """Those with a row in these cases, or in any, in the order of the run."""
        wanted = self.cases if cases is None else cases
        return [m for m in self.run.methods if any(self.run.rows_of(case, m) for case in wanted)]

    @property
    def subject(self) -> str | None:
        """The method that the table is about: the first that is no baseline, or else the last."""
        methods = self.methods()
        own = [name for name in methods if name not in BASELINES]
        return own[0] if own else methods[-1] if methods else None

    def count(self, cases: Cases, method: str) -> int:
        """How many images were scored."""
        return sum(len(self.run.rows_of(case, method)) for case in cases)

    def rows(self, cases: Cases, method: str) -> dict[tuple[str, str], BenchRow]:
        """(name of the case, image) -> row."""
        return {
            (case.name, row.image): row for case in cases for row in self.run.rows_of(case, method)
        }

    def values(self, cases: Cases, method: str, metric: str) -> dict[tuple[str, str], float]:
        """(name of the case, image) -> value, of the images that have one."""
        rows = self.rows(cases, method)
        return {key: row.values[metric] for key, row in rows.items() if metric in row.values}

    def estimate(self, cases: Cases, method: str, metric: str) -> Estimate:
        """The mean over all images of these cases, and its interval; of a set, its distance."""
        if metric in SET_MEASURES:
            return self._distance(cases, method, metric)
        values = [*self.values(cases, method, metric).values()]
        return bootstrap_mean(np.array(values, np.float64), seed=self.seed)

    def difference(self, cases: Cases, first: str, second: str, metric: str) -> Difference:
        """First less second over the images that both have."""
        one, two = (self.values(cases, method, metric) for method in (first, second))
        shared = [image for image in one if image in two]
        columns = (np.array([column[image] for image in shared]) for column in (one, two))
        return paired_difference(*columns, seed=self.seed)

    def cost(self, cases: Cases, method: str) -> Cost | None:
        """What the method needed for all of them; None where that is not known."""
        keys = ((self.table, case.name, method) for case in cases)
        costs = [self.run.costs[key] for key in keys if key in self.run.costs]
        if not costs:
            return None
        peaks = [cost.peak_mib for cost in costs if cost.peak_mib is not None]
        counts = [cost.parameters for cost in costs if cost.parameters is not None]
        return Cost(
            sum(cost.images for cost in costs), sum(cost.megapixels for cost in costs),
            sum(cost.seconds for cost in costs), max(peaks, default=None),
            max(counts, default=None),
        )  # fmt: skip

    def _distance(self, cases: Cases, method: str, metric: str) -> Estimate:
        keys = [(self.table, case.name, method) for case in cases]
        values = [own[metric] for key in keys if metric in (own := self.run.distances.get(key, {}))]
        nan = float("nan")
        if not values:
            return Estimate(nan, nan, nan, 0)
        return Estimate(float(np.mean(values)), nan, nan, self.count(cases, method))


def label_of(case: Case) -> str:
    """ "DIV2K, blur, level 5"."""
    swept = case.value is not None and case.parameter != PER_PHOTO
    end = f", {case.parameter} {case.value:g}" if swept else ""
    return f"{case.dataset}, {case.degradation}{end}"
