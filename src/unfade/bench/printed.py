"""What papers printed, from a file of the user's: for those who have the papers at hand."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from unfade.bench.published import PaperTable, Printed
from unfade.bench.tables import TABLES
from unfade.bench.tables.base import Table
from unfade.errors import InputError
from unfade.eval.measures import ALL_NAMES

#: Of the file; `dataset` and `damage` may be left out.
COLUMNS = ("table", "dataset", "damage", "system", "metric", "value", "source")
_NEEDED = ("table", "system", "metric", "value", "source")
_FORM = f"CSV with the columns {', '.join(COLUMNS)} (dataset and damage may be left out)"

Line = dict[str, str]


def with_printed(tables: Sequence[Table], path: Path) -> list[Table]:
    """The tables, with the figures of a file beside those that are known.

    A figure of the file takes the place of a known one of the same system, metric and source, and
    stands beside one of another source. A system that the paper's table has no row for gets one.

    Args:
        path: a CSV file in UTF-8: a line for each figure, with the name of the table as `unfade
            bench` has it, the set of photos ("" for any), what was done to them ("" for any), the
            system, a metric from `ALL_NAMES` or of that table, the figure, and where it stands.

    Raises:
        InputError: the file cannot be read, or a line is none of these.
    """
    lines = _lines(path)
    return [_with(table, [x for x in lines if x["table"] == table.name]) for table in tables]


def _with(table: Table, lines: Sequence[Line]) -> Table:
    papers = list(table.printed)
    for line in lines:
        known = len(table.printed)
        index = next(
            (i for i, paper in enumerate(papers) if _belongs(paper, line, built_in=i < known)), None
        )
        if index is None:
            papers.append(PaperTable(
                table.source, line["dataset"], (), (), {}, degradation=line["damage"]
            ))  # fmt: skip
            index = len(papers) - 1
        papers[index] = _entered(papers[index], line)
    return replace(table, printed=tuple(papers))


def _belongs(paper: PaperTable, line: Line, *, built_in: bool) -> bool:
    """Whether a figure stands in this part of a table; those that are known have one damage."""
    same = built_in or paper.degradation == line["damage"]
    return same and line["dataset"] in ("", paper.dataset)


def _entered(paper: PaperTable, line: Line) -> PaperTable:
    """The paper's table with one more figure, and a row and a column for it."""
    key = line["system"], line["metric"]
    figure = Printed(float(line["value"]), line["source"])
    kept = [known for known in paper.figures.get(key, ()) if known.source != figure.source]
    metrics = dict.fromkeys((*paper.metrics, line["metric"]))
    return replace(
        paper,
        figures={**paper.figures, key: (*kept, figure)},
        systems=tuple(dict.fromkeys((*paper.systems, line["system"]))),
        metrics=tuple(metrics),
    )


def _lines(path: Path) -> list[Line]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            found = [{str(k): (v or "").strip() for k, v in row.items()} for row in reader]
            columns = [str(name) for name in reader.fieldnames or ()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        got = "a file of printed figures that cannot be read"
        raise InputError(got, _FORM, "check the name and the file", path=path) from error
    missing = [name for name in _NEEDED if name not in columns]
    unknown = [name for name in columns if name not in COLUMNS]
    if missing or unknown:
        got = f"no column {missing[0]!r}" if missing else f"the column {unknown[0]!r}"
        raise InputError(got, _FORM, "write the columns in the first line", path=path)
    for number, line in enumerate(found, 2):
        _check(line, number, path)
    return [{"dataset": "", "damage": "", **line} for line in found]


def _check(line: Line, number: int, path: Path) -> None:
    """InputError where a line is no figure of a table."""
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
