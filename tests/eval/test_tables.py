from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from unfade.errors import InputError, UsageError
from unfade.eval import tables
from unfade.eval.evaluation import Distances, Evaluation, Row
from unfade.eval.images import Protocol
from unfade.eval.measures import measures
from unfade.eval.summary import Summary, summarise

ROWS = [
    Row("a|b", "one", {"psnr": 30.123456789, "ssim": 0.9}),
    Row("a|b", "two", {"psnr": float("inf")}),
    Row("c", "one", {"psnr": 25.0, "ssim": 0.8}),
    Row("c", "two", {"psnr": 27.0, "ssim": 0.6}),
]


@pytest.fixture
def summary() -> Summary:
    return summarise(["a|b", "c"], ROWS, ["psnr", "ssim"], {"c": Distances(1, {"patch-fd": 1.5})})


def test_csv_holds_every_digit_and_leaves_gaps() -> None:
    rows = list(csv.reader(io.StringIO(tables.csv_text(ROWS, ["psnr", "ssim"]))))
    assert rows[0] == ["method", "image", "psnr", "ssim"]
    assert rows[1] == ["a|b", "one", "30.123456789", "0.9"]
    assert rows[2] == ["a|b", "two", "inf", ""]


def test_markdown_has_a_row_for_each_method_and_each_comparison(summary: Summary) -> None:
    known = measures(["psnr", "ssim"], Protocol())
    text = tables.markdown(summary, known, Protocol("rgb", 4), seed=7)
    assert "crop border 4, data range 1" in text and "seed 7" in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == ["method", "images", "PSNR (dB) ↑", "SSIM ↑", "Patch Fréchet ↓"]
    assert cells[2] == ["a/b", "2", "inf", "0.9000 (1 of 2 images)", "–"]
    assert cells[3] == [
        "c",
        "2",
        "26.00 [25.00, 27.00]",
        "0.7000 [0.6000, 0.8000]",
        "1.500 (1 of 2 images)",
    ]
    assert cells[6][:5] == ["a/b", "c", "PSNR (dB)", "2", "inf"]
    assert cells[7] == ["a/b", "c", "SSIM", "1", "0.1000", "–"]
    assert len(cells) == 8


def test_json_holds_everything_and_no_infinity(summary: Summary) -> None:
    work = Evaluation(measures(["psnr", "ssim"], Protocol()), (), Protocol("y", 2), ROWS)
    work.problems.append(InputError("a", "b", "c"))
    text = tables.json_text(summary, work, seed=3)
    content = json.loads(text, parse_constant=pytest.fail)
    assert content["protocol"]["space"] == "y" and content["protocol"]["seed"] == 3
    assert content["methods"]["a|b"]["means"]["psnr"]["mean"] is None
    assert content["methods"]["c"]["means"]["psnr"]["mean"] == 26
    assert content["methods"]["c"]["distances"] == {"images": 1, "values": {"patch-fd": 1.5}}
    assert content["rows"][0]["values"]["psnr"] == 30.123456789
    assert content["comparisons"][0]["difference"]["estimate"]["count"] == 2
    assert content["failed"] == ["got a, expected b; c"]


def test_parquet_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"unfade\[tables\]"):
        tables.write_parquet(tmp_path / "rows.parquet", ROWS, ["psnr"])
    assert list(tmp_path.iterdir()) == []


def test_parquet_holds_what_the_csv_holds(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    tables.write_parquet(tmp_path / "rows.parquet", ROWS, ["psnr", "ssim"])
    content = parquet.read_table(tmp_path / "rows.parquet").to_pylist()
    assert content[1] == {"method": "a|b", "image": "two", "psnr": float("inf"), "ssim": None}
    assert len(content) == 4
