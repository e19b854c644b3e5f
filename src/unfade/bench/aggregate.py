"""Aggregates rows: means over images with intervals, and differences between methods."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from unfade.bench.cases import Case, Cost
from unfade.bench.methods.classics import INTERPOLATIONS, MENDING
from unfade.bench.methods.names import FIRST_STAGE
from unfade.bench.run import Run
from unfade.bench.scoring import ExtraMeasure
from unfade.eval.measures import (
    ALL_NAMES,
    DESCRIPTIONS,
    FEATURE_FILE_MEASURES,
    SET_MEASURES,
    Description,
)
from unfade.eval.rows import Row
from unfade.eval.statistics import Difference, Estimate, bootstrap_mean, paired_difference

#: Methods that restore without our diffusion model; another one is what a table is about.
BASELINES = (*INTERPOLATIONS, *MENDING, FIRST_STAGE)
#: The parameter of cases that hold one photo each, with a prompt of its own: they count as one.
PER_PHOTO = "photo"

Cases = Sequence[Case]


@dataclass(frozen=True)
class TableMeasure(Description):
    """A measure of one table alone.

    Attributes:
        score: of a case, the name of an image, and its result.
        weights: a metric whose weights it needs: without these it is left out. "" for none.
    """

    score: ExtraMeasure
    weights: str = ""


@dataclass(frozen=True)
class Group:
    """Cases that are one line of a table: one case, or those that hold a photo each."""

    label: str
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Aggregate:
    """Means, intervals and differences over the rows of one table.

    Attributes:
        run: may hold other tables too.
        table: name of this table.
        table_measures: measures of this table alone, by name.
        seed: of the bootstrap.
    """

    run: Run
    table: str
    table_measures: Mapping[str, TableMeasure] = field(default_factory=dict[str, TableMeasure])
    seed: int = 0

    @property
    def cases(self) -> list[Case]:
        """Cases of this table, in order."""
        return [case for case in self.run.cases if case.table == self.table]

    @property
    def groups(self) -> list[Group]:
        """Lines of the table, in order."""
        groups: dict[str, list[Case]] = {}
        for case in self.cases:
            groups.setdefault(label_of(case), []).append(case)
        return [Group(label, tuple(cases)) for label, cases in groups.items()]

    @cached_property
    def measures(self) -> dict[str, Description]:
        """Title, direction and digits of every metric that has a value, in the order of tables."""
        rows = [row for row in self.run.rows if row.table == self.table]
        names = {name for row in rows for name in row.values}
        for (table, _, _), distances in self.run.distances.items():
            names |= {*distances} if table == self.table else set()
        distances = {**SET_MEASURES, **FEATURE_FILE_MEASURES}
        descriptions: dict[str, Description] = {**DESCRIPTIONS, **distances, **self.table_measures}
        order = (*ALL_NAMES, *FEATURE_FILE_MEASURES, *self.table_measures)
        return {name: descriptions[name] for name in order if name in names}

    def methods(self, cases: Cases | None = None) -> list[str]:
        """Methods with a row in these cases, or in any, in the order of the run."""
        wanted = self.cases if cases is None else cases
        return [m for m in self.run.methods if any(self.run.rows_of(case, m) for case in wanted)]

    @property
    def subject(self) -> str | None:
        """The main method of the table: the first that is no baseline, or else the last."""
        methods = self.methods()
        subjects = [name for name in methods if name not in BASELINES]
        return subjects[0] if subjects else methods[-1] if methods else None

    def count(self, cases: Cases, method: str) -> int:
        """Number of scored images."""
        return sum(len(self.run.rows_of(case, method)) for case in cases)

    def rows(self, cases: Cases, method: str) -> dict[tuple[str, str], Row]:
        """(name of the case, image) -> row."""
        return {
            (case.name, row.image): row for case in cases for row in self.run.rows_of(case, method)
        }

    def values(self, cases: Cases, method: str, metric: str) -> dict[tuple[str, str], float]:
        """(name of the case, image) -> value, of the images that have one."""
        rows = self.rows(cases, method)
        return {key: row.values[metric] for key, row in rows.items() if metric in row.values}

    def estimate(self, cases: Cases, method: str, metric: str) -> Estimate:
        """The mean over all images of these cases with its interval; of a set, its distance."""
        if metric in SET_MEASURES or metric in FEATURE_FILE_MEASURES:
            return self._distance(cases, method, metric)
        values = [*self.values(cases, method, metric).values()]
        return bootstrap_mean(np.array(values, np.float64), seed=self.seed)

    def difference(self, cases: Cases, first: str, second: str, metric: str) -> Difference:
        """The difference of first and second over their common images."""
        columns = [self.values(cases, method, metric) for method in (first, second)]
        shared = [image for image in columns[0] if image in columns[1]]
        arrays = (np.array([column[image] for image in shared], np.float64) for column in columns)
        return paired_difference(*arrays, seed=self.seed)

    def cost(self, cases: Cases, method: str) -> Cost | None:
        """The method's total cost for these cases; None if it is unknown."""
        keys = ((self.table, case.name, method) for case in cases)
        costs = [self.run.costs[key] for key in keys if key in self.run.costs]
        return functools.reduce(Cost.plus, costs) if costs else None

    def _distance(self, cases: Cases, method: str, metric: str) -> Estimate:
        keys = [(self.table, case.name, method) for case in cases]
        distances_by_case = [self.run.distances[key] for key in keys if key in self.run.distances]
        distances = [values[metric] for values in distances_by_case if metric in values]
        nan = float("nan")
        if not distances:
            return Estimate(nan, nan, nan, 0)
        mean = float(np.mean([distance.mean for distance in distances]))
        return Estimate(mean, nan, nan, sum(distance.count for distance in distances))


def label_of(case: Case) -> str:
    """Label of a case in tables, such as "DIV2K, blur, level 5"."""
    swept = case.value is not None and case.parameter != PER_PHOTO
    end = f", {case.parameter} {case.value:g}" if swept else ""
    return f"{case.dataset}, {case.degradation}{end}"
