"""Adds paper values from a user's file to tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from unfade.bench.paper_values import NEEDED, Line, read_lines, with_values
from unfade.bench.tables import TABLES
from unfade.bench.tables.base import Table
from unfade.errors import InputError
from unfade.eval.measures import ALL_NAMES


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
    lines = read_lines(path)
    for number, line in enumerate(lines, 2):
        _check(line, number, path)
    extended: list[Table] = []
    for table in tables:
        table_lines = [line for line in lines if line["table"] == table.name]
        extended.append(replace(table, papers=with_values(table.papers, table_lines)))
    return extended


def _check(line: Line, number: int, path: Path) -> None:
    """InputError if a line is no figure of a table."""
    empty = [name for name in NEEDED if not line.get(name)]
    if empty:
        got, expected = f"line {number} without {empty[0]}", "a figure with all that it needs"
        raise InputError(got, expected, "fill it in, or take the line out", path=path)
    if line["table"] not in TABLES:
        expected = f"one of {', '.join(TABLES)}"
        got = f"the table {line['table']!r} in line {number}"
        raise InputError(got, expected, "see `unfade bench --list`", path=path)
    known = (*ALL_NAMES, *TABLES[line["table"]].table_measures)
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
