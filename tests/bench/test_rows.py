from __future__ import annotations

import math
from pathlib import Path

import pytest

from unfade.bench.cases import BenchRow
from unfade.bench.rows import read_rows, write_rows
from unfade.errors import InputError, UsageError

ROWS = [
    BenchRow("t", "Set", "sr4", "steps", 5.0, "ours", "sub/ä", {"psnr": 30.5, "own": 1.0}),
    BenchRow("t", "Set", "blur1", "", None, "theirs", "b", {"psnr": math.inf}),
]


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.parquet", ROWS)
    assert read_rows(tmp_path / "rows.parquet") == ROWS


def test_each_metric_has_a_column_in_the_order_of_tables(tmp_path: Path) -> None:
    import pyarrow.parquet

    row = BenchRow("t", "Set", "d", "", None, "m", "a", {"zebra": 1, "niqe": 2, "psnr": 3})
    write_rows(tmp_path / "rows.parquet", [row])
    table = pyarrow.parquet.read_table(tmp_path / "rows.parquet")  # pyright: ignore
    assert table.column_names[-3:] == ["psnr", "niqe", "zebra"]


def test_no_rows_can_be_written(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.parquet", [])
    assert read_rows(tmp_path / "rows.parquet") == []


def test_a_file_that_holds_no_rows_is_refused(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "rows.parquet"
    with pytest.raises(InputError):
        read_rows(path)
    path.write_bytes(b"PAR1 but no more")
    with pytest.raises(InputError):
        read_rows(path)
    pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), path)  # pyright: ignore
    with pytest.raises(InputError, match="another kind"):
        read_rows(path)


def test_parquet_is_asked_for_when_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unfade.eval.tables.has_parquet", lambda: False)
    with pytest.raises(UsageError, match=r"unfade\[tables\]"):
        write_rows(tmp_path / "rows.parquet", ROWS)
