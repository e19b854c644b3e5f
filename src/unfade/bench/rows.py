"""The rows of a comparison as a Parquet file."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unfade.bench.cases import BenchRow
from unfade.errors import InputError
from unfade.eval.measures import ALL_NAMES
from unfade.eval.tables import require_parquet
from unfade.imaging.atomic import atomic_file

FILE = "rows.parquet"
_KEYS = ("table", "dataset", "degradation", "parameter", "value", "method", "image")


def write_rows(path: Path, rows: Sequence[BenchRow]) -> None:
    """Writes one line for each row: its keys, then a column for each metric; missing is null.

    Raises:
        UsageError: pyarrow is not installed.
        OutputError: the file cannot be written.
    """
    require_parquet(path)
    arrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    found = {name for row in rows for name in row.values}
    names = [name for name in ALL_NAMES if name in found] + sorted(found - {*ALL_NAMES})
    columns: dict[str, list[object]] = {key: [getattr(r, key) for r in rows] for key in _KEYS}
    columns |= {name: [row.values.get(name) for row in rows] for name in names}
    kinds = [(key, arrow.float64() if key == "value" else arrow.string()) for key in _KEYS]
    schema = arrow.schema([*kinds, *((name, arrow.float64()) for name in names)])
    with atomic_file(path) as file:
        parquet.write_table(arrow.table(columns, schema=schema), file)


def read_rows(path: Path) -> list[BenchRow]:
    """The rows that `write_rows` wrote.

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
    if lines and not {*_KEYS} <= lines[0].keys():
        raise InputError("a Parquet file of another kind", "rows", fix, path=path)
    rows: list[BenchRow] = []
    for line in lines:
        keys = {key: line.pop(key) for key in _KEYS}
        rows.append(BenchRow(**keys, values={k: v for k, v in line.items() if v is not None}))
    return rows
