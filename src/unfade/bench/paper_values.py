"""Figures that papers printed: those shipped in `paper_values.csv`, and those of a user's file.

Nothing here was measured with unfade. A figure that no paper printed is missing.
"""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from unfade.errors import InputError
from unfade.eval.measures import ALL_NAMES

if TYPE_CHECKING:
    from unfade.bench.tables.base import Table

IIDE = "arXiv 2505.18674"
STUDY = "arXiv 2412.09324"
#: Columns of a file; `dataset` and `damage` may be left out.
COLUMNS = ("table", "dataset", "damage", "system", "metric", "value", "source")
_NEEDED = ("table", "system", "metric", "value", "source")
_FORM = f"CSV with the columns {', '.join(COLUMNS)} (dataset and damage may be left out)"
_SHIPPED = Path(__file__).with_name("paper_values.csv")

Line = dict[str, str]


@dataclass(frozen=True)
class PaperValue:
    """One figure as it was printed."""

    value: float
    source: str


@dataclass(frozen=True)
class PaperTable:
    """The rows of a paper's table that belong to one set of photos and one damage.

    Attributes:
        dataset: how the name of the set begins; "" for any.
        degradation: what was done to the photos, as `Case.degradation` has it; "" for any.
        values: (system, metric) -> what was printed.
    """

    dataset: str
    degradation: str
    values: Mapping[tuple[str, str], tuple[PaperValue, ...]] = field(
        default_factory=dict[tuple[str, str], tuple[PaperValue, ...]]
    )

    @property
    def systems(self) -> list[str]:
        """Names as printed, in order; the paper's own last."""
        return list(dict.fromkeys(system for system, _ in self.values))

    @property
    def metrics(self) -> list[str]:
        """Names of the columns, in order."""
        return list(dict.fromkeys(metric for _, metric in self.values))

    @property
    def source(self) -> str:
        """The table that most figures stand in."""
        sources = [value.source for values in self.values.values() for value in values]
        return max(dict.fromkeys(sources), key=sources.count, default="")

    def with_value(self, system: str, metric: str, value: PaperValue) -> PaperTable:
        """The table with one more figure; it replaces one of the same system, metric, source."""
        known = self.values.get((system, metric), ())
        kept = tuple(other for other in known if other.source != value.source)
        return replace(self, values={**self.values, (system, metric): (*kept, value)})


def papers_of(table: str) -> tuple[PaperTable, ...]:
    """The shipped figures of a table of `unfade bench`, one entry for each set and damage."""
    return _entered((), (line for line in _shipped() if line["table"] == table))


def with_paper_values(tables: Sequence[Table], path: Path) -> list[Table]:
    """The tables, with the figures of a file beside the shipped ones.

    A figure of the file takes the place of a shipped one of the same system, metric and source,
    and stands beside one of another source.

    Args:
        tables: of `unfade bench`.
        path: a CSV file in UTF-8: a line for each figure, with the name of the table as `unfade
            bench` has it, the set of photos ("" for any), what was done to them ("" for any), the
            system, a metric from `ALL_NAMES` or of that table, the figure, and where it stands.

    Raises:
        InputError: the file cannot be read, or a line is none of these.
    """
    lines = _lines(path)
    for number, line in enumerate(lines, 2):
        _check(line, number, path)
    found: list[Table] = []
    for table in tables:
        own = [line for line in lines if line["table"] == table.name]
        found.append(replace(table, papers=_entered(table.papers, own)))
    return found


def _entered(papers: Sequence[PaperTable], lines: Iterable[Line]) -> tuple[PaperTable, ...]:
    """The tables of a paper with more figures; a new set or damage gets a table of its own."""
    found = list(papers)
    for line in lines:
        index = next((i for i, paper in enumerate(found) if _belongs(paper, line)), None)
        if index is None:
            found.append(PaperTable(line["dataset"], line["damage"]))
            index = len(found) - 1
        value = PaperValue(float(line["value"]), line["source"])
        found[index] = found[index].with_value(line["system"], line["metric"], value)
    return tuple(found)


def _belongs(paper: PaperTable, line: Line) -> bool:
    """Whether a figure stands in this part of a table."""
    return line["dataset"] in ("", paper.dataset) and line["damage"] in ("", paper.degradation)


@functools.cache
def _shipped() -> list[Line]:
    return _lines(_SHIPPED)


def _lines(path: Path) -> list[Line]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            lines = [{str(k): (v or "").strip() for k, v in row.items()} for row in reader]
            columns = [str(name) for name in reader.fieldnames or ()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        got = "a file of printed figures that cannot be read"
        raise InputError(got, _FORM, "check the name and the file", path=path) from error
    missing = [name for name in _NEEDED if name not in columns]
    unknown = [name for name in columns if name not in COLUMNS]
    if missing or unknown:
        got = f"no column {missing[0]!r}" if missing else f"the column {unknown[0]!r}"
        raise InputError(got, _FORM, "write the columns in the first line", path=path)
    return [{"dataset": "", "damage": "", **line} for line in lines]


def _check(line: Line, number: int, path: Path) -> None:
    """InputError where a line is no figure of a table."""
    from unfade.bench.tables import TABLES

    empty = [name for name in _NEEDED if not line.get(name)]
    if empty:
        got, expected = f"line {number} without {empty[0]}", "a figure with all that it needs"
        raise InputError(got, expected, "fill it in, or take the line out", path=path)
    if line["table"] not in TABLES:
        expected = f"one of {', '.join(TABLES)}"
        got = f"the table {line['table']!r} in line {number}"
        raise InputError(got, expected, "see `unfade bench --list`", path=path)
    known = (*ALL_NAMES, *TABLES[line["table"]].own)
    if line["metric"] not in known:
        got = f"the metric {line['metric']!r} in line {number}"
        raise InputError(got, f"one of {', '.join(known)}", "see docs/metrics.md", path=path)
    try:
        fine = math.isfinite(float(line["value"]))
    except ValueError:
        fine = False
    if not fine:
        got, fix = f"the figure {line['value']!r} in line {number}", "write it as 32.08"
        raise InputError(got, "a number", fix, path=path)
