"""Defines the row of every comparison (one image of one method), and its CSV and Parquet files."""

from __future__ import annotations

import csv
import importlib
import importlib.util
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unfade.errors import InputError, UsageError
from unfade.eval.measures import ALL_NAMES
from unfade.files import atomic_file

KEYS = ("table", "dataset", "degradation", "parameter", "value", "method", "image")
SHORT_KEYS = ("method", "image")  # of a plain evaluation


@dataclass(frozen=True)
class Row:
    """One image of one method. A value that could not be measured is missing.

    Attributes:
        method: name of the method.
        image: name of the image, without suffix.
        values: metric -> value.
        table: table, figure or protocol that the row belongs to; "" for a plain evaluation.
        dataset: the photos, such as "DIV2K".
        degradation: name of the degradation, such as "blur1".
        parameter: the swept parameter, such as "steps"; "" without a sweep.
        value: value of the swept parameter.
    """

    method: str
    image: str
    values: Mapping[str, float]
    table: str = ""
    dataset: str = ""
    degradation: str = ""
    parameter: str = ""
    value: float | None = None


def metrics_of(rows: Sequence[Row]) -> list[str]:
    """The metrics that rows have values of, in the order of tables; others sorted behind."""
    names = {name for row in rows for name in row.values}
    return [name for name in ALL_NAMES if name in names] + sorted(names - {*ALL_NAMES})


def csv_text(rows: Sequence[Row], metrics: Sequence[str]) -> str:
    """Method, image and metrics of each row as CSV; a missing value is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*SHORT_KEYS, *metrics])
    for row in rows:
        values = [repr(row.values[name]) if name in row.values else "" for name in metrics]
        writer.writerow([row.method, row.image, *values])
    return text.getvalue()


def write_rows(
    path: Path,
    rows: Sequence[Row],
    metrics: Sequence[str] | None = None,
    keys: Sequence[str] = KEYS,
) -> None:
    """Writes Parquet with a line for each row: keys, then metrics; a missing value is null.

    Args:
        path: file to write.
        rows: in the order of the file.
        metrics: columns; None takes `metrics_of(rows)`.
        keys: attributes of `Row` that get a column.

    Raises:
        UsageError: pyarrow is not installed.
        OutputError: the file cannot be written.
    """
    require_parquet(path)
    arrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    names = metrics_of(rows) if metrics is None else metrics
    columns: dict[str, list[object]] = {key: [getattr(r, key) for r in rows] for key in keys}
    columns |= {name: [row.values.get(name) for row in rows] for name in names}
    kinds = [(key, arrow.float64() if key == "value" else arrow.string()) for key in keys]
    schema = arrow.schema([*kinds, *((name, arrow.float64()) for name in names)])
    with atomic_file(path) as file:
        parquet.write_table(arrow.table(columns, schema=schema), file)


def read_rows(path: Path) -> list[Row]:
    """Reads what `write_rows` wrote with all keys.

    Raises:
        UsageError: pyarrow is not installed.
        InputError: there is no such file, or it holds no rows of a comparison.
    """
    require_parquet(path)
    arrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    fix = "run `unfade bench` again"
    try:
        lines: list[dict[str, Any]] = parquet.read_table(str(path)).to_pylist()
    except (OSError, arrow.ArrowException) as error:
        reason = type(error).__name__
        raise InputError(f"no readable Parquet ({reason})", "rows", fix, path=path) from error
    if lines and not {*KEYS} <= lines[0].keys():
        raise InputError("a Parquet file of another kind", "rows", fix, path=path)
    rows: list[Row] = []
    for line in lines:
        keys = {key: line.pop(key) for key in KEYS}
        rows.append(Row(**keys, values={k: v for k, v in line.items() if v is not None}))
    return rows


def has_parquet() -> bool:
    """Whether pyarrow is installed."""
    return importlib.util.find_spec("pyarrow") is not None


def require_parquet(path: Path) -> None:
    """UsageError if `path` cannot be written because pyarrow is not installed."""
    if not has_parquet():
        fix = "pip install '.[tables]' in a clone of unfade, or name a .csv"
        raise UsageError("no pyarrow", "pyarrow to write Parquet", fix, path=path)
