from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import pytest

from unfade.errors import InputError, UsageError
from unfade.eval.rows import SHORT_KEYS, Row, csv_text, read_rows, write_rows

ROWS = [
    Row("ours", "sub/ä", {"psnr": 30.5, "own": 1.0}, "t", "Set", "sr4", "steps", 5.0),
    Row("theirs", "b", {"psnr": math.inf}, "t", "Set", "blur1"),
]


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.parquet", ROWS)
    assert read_rows(tmp_path / "rows.parquet") == ROWS
    write_rows(tmp_path / "rows.parquet", [])
    assert read_rows(tmp_path / "rows.parquet") == []


def test_columns_are_those_that_are_asked_for_in_the_order_of_tables(tmp_path: Path) -> None:
    import pyarrow.parquet

    row = Row("m", "a", {"zebra": 1, "niqe": 2, "psnr": 3})
    write_rows(tmp_path / "rows.parquet", [row])
    table = pyarrow.parquet.read_table(tmp_path / "rows.parquet")  # pyright: ignore
    assert table.column_names[-3:] == ["psnr", "niqe", "zebra"]
    import pyarrow.parquet

    write_rows(tmp_path / "rows.parquet", ROWS, ["psnr", "ssim"], SHORT_KEYS)
    content = pyarrow.parquet.read_table(tmp_path / "rows.parquet").to_pylist()  # pyright: ignore
    assert content[0] == {"method": "ours", "image": "sub/ä", "psnr": 30.5, "ssim": None}


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
    monkeypatch.setattr("unfade.eval.rows.has_parquet", lambda: False)
    with pytest.raises(UsageError, match=r"pip install '\.\[tables\]'"):
        write_rows(tmp_path / "rows.parquet", ROWS)


def test_csv_holds_every_digit_and_leaves_gaps() -> None:
    rows = [
        Row("a|b", "one", {"psnr": 30.123456789, "ssim": 0.9}),
        Row("a|b", "two", {"psnr": math.inf}),
    ]
    lines = list(csv.reader(io.StringIO(csv_text(rows, ["psnr", "ssim"]))))
    assert lines == [
        ["method", "image", "psnr", "ssim"],
        ["a|b", "one", "30.123456789", "0.9"],
        ["a|b", "two", "inf", ""],
    ]
