"""Holds the outcome of a run (rows, costs, failures) and writes it to files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from unfade.bench.cases import Case, Cost
from unfade.bench.paths import RunPaths
from unfade.errors import InputError
from unfade.eval.images import Protocol
from unfade.eval.rows import Row, read_rows, write_rows
from unfade.eval.statistics import Estimate
from unfade.files import atomic_file

Key = tuple[str, str, str]  # table, case, method


@dataclass(frozen=True)
class Failure:
    """A failure of a method on a case, or on one of its images."""

    table: str
    case: str
    method: str
    image: str | None  # None if it concerns them all
    error: str  # one sentence


@dataclass
class Run:
    """The outcome of running methods on cases.

    Attributes:
        out: the output folder.
        cases: in the order of the run.
        methods: names, in the order of the run.
        metrics: names, in the order of tables.
        protocol: of PSNR, SSIM and MS-SSIM.
        rows: one for each image that was scored; a value that is undefined is missing.
        costs: of a method for the results of a case, over all runs that made them;
            those of which nothing is known are missing.
        distances: name of a set measure -> its value, without interval, for a method in a case.
        failures: errors of methods or images, which did not stop the others.
        notes: sentences that belong below a table, such as that a method was scored on fewer
            images than another.
    """

    out: Path
    cases: Sequence[Case]
    methods: Sequence[str]
    metrics: Sequence[str]
    protocol: Protocol
    rows: list[Row] = field(default_factory=list[Row])
    costs: dict[Key, Cost] = field(default_factory=dict[Key, Cost])
    distances: dict[Key, Mapping[str, Estimate]] = field(
        default_factory=dict[Key, Mapping[str, Estimate]]
    )
    failures: list[Failure] = field(default_factory=list[Failure])
    notes: list[str] = field(default_factory=list[str])

    def result(self, case: Case, method: str, image: str) -> Path:
        """The result of one image: OUT/results/TABLE/CASE/METHOD/IMAGE.png; it may be missing."""
        return RunPaths(self.out).result(case, method, image)

    def rows_of(self, case: Case, method: str) -> list[Row]:
        """The rows of one method in one case."""
        return [row for row in self.rows if row.method == method and case.owns(row)]

    def write(self) -> None:
        """Writes rows, costs and failures, and keeps those of other tables.

        Raises:
            UsageError: pyarrow is not installed.
            OutputError: a file cannot be written.
        """
        run_paths, tables = RunPaths(self.out), {case.table for case in self.cases}
        other_rows = [row for row in _rows(run_paths.rows) if row.table not in tables]
        write_rows(run_paths.rows, [*other_rows, *self.rows])
        costs = [_line(key) | asdict(cost) for key, cost in self.costs.items()]
        _write_lines(run_paths.costs, costs, tables)
        _write_lines(run_paths.failures, [asdict(failure) for failure in self.failures], tables)


def _line(key: Key) -> dict[str, object]:
    return dict(zip(("table", "case", "method"), key, strict=True))


def _rows(path: Path) -> list[Row]:
    """The rows of earlier runs; empty if they cannot be read."""
    try:
        return read_rows(path)
    except InputError:
        return []


def _write_lines(path: Path, lines: Sequence[Mapping[str, object]], tables: set[str]) -> None:
    """Replaces the lines of these tables in a file that holds a list of objects."""
    other_lines: list[dict[str, Any]] = []
    try:
        earlier: list[dict[str, Any]] = json.loads(path.read_bytes())
        other_lines = [line for line in earlier if line["table"] not in tables]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    with atomic_file(path) as file:
        file.write((json.dumps([*other_lines, *lines], indent=1) + "\n").encode())
