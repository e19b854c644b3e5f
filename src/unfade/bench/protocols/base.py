"""Defines what protocols share: measured rows, aggregates of rows, and the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unfade.bench.sections import Grid, finite, grids_markdown
from unfade.errors import UnfadeError, printable
from unfade.eval.rows import Row

#: Called with the number of finished items, the number of all items, and what is being done.
Progress = Callable[[int, int, str], None]


@dataclass
class Report:
    """The results of one run of a protocol.

    Attributes:
        protocol: name, as in `unfade bench NAME`.
        settings: everything that the figures depend on, for the head and for JSON.
        rows: one for each image and method.
        grids: tables of aggregates.
        notes: sentences below the tables.
        failures: photos that could not be measured, and why.
    """

    protocol: str
    settings: dict[str, Any]
    rows: list[Row] = field(default_factory=list[Row])
    grids: list[Grid] = field(default_factory=list[Grid])
    notes: list[str] = field(default_factory=list[str])
    failures: list[str] = field(default_factory=list[str])

    def markdown(self) -> str:
        """Settings, tables and notes as markdown."""
        head = ", ".join(f"{name} {value}" for name, value in self.settings.items())
        lines = [f"{self.protocol}: {head}", "", grids_markdown(self.grids), *self.notes]
        return "\n".join(lines) + "\n"

    def json(self) -> dict[str, Any]:
        """Settings, rows, tables and notes for machines."""
        content = {
            "command": "bench",
            "protocol": self.protocol,
            "settings": self.settings,
            "rows": [asdict(row) for row in self.rows],
            "tables": [
                {
                    "title": grid.title,
                    "columns": grid.columns,
                    "rows": [
                        [cell.text if cell.value is None else cell.value for cell in line]
                        for line in grid.rows
                    ],
                }
                for grid in self.grids
            ],
            "notes": self.notes,
            "failed": self.failures,
        }
        return finite(content)


def located(error: UnfadeError, path: Path) -> str:
    """The message of an error with the photo that it belongs to."""
    return error.message() if error.path else error.message(printable(path))


def column(rows: Iterable[Row], method: str, metric: str) -> NDArray[np.float64]:
    """(N,) values of one metric of one method, in the order of the rows that have it."""
    values = [row.values[metric] for row in rows if row.method == method and metric in row.values]
    return np.array(values, np.float64)


def total(rows: Iterable[Row], method: str, metrics: Sequence[str]) -> NDArray[np.int64]:
    """Counts of one method, summed over rows, one for each metric."""
    sums = [column(rows, method, metric).sum() for metric in metrics]
    return np.array(sums, np.int64)
