from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from unfade.cli.main import run
from unfade.eval.rows import read_rows

Capture = pytest.CaptureFixture[str]

_THEIRS = """
import pathlib, sys
import cv2
for path in pathlib.Path(sys.argv[1]).iterdir():
    image = cv2.GaussianBlur(cv2.imread(str(path)), (0, 0), 1)
    cv2.imwrite(f"{sys.argv[2]}/{path.stem}_out.png", image)
"""


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Clean photos in hq/, noisy ones in lq/."""
    for index, name in enumerate("ab"):
        rng = np.random.default_rng(index)
        coarse = rng.integers(40, 216, (5, 5, 3), dtype=np.uint8)
        clean = cv2.resize(coarse, (48, 48), interpolation=cv2.INTER_CUBIC)
        noisy = np.clip(clean + rng.normal(0, 15, clean.shape), 0, 255).astype(np.uint8)
        for folder, image in (("hq", clean), ("lq", noisy)):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"{name}.png"), image)
    return tmp_path


@pytest.fixture
def theirs(tmp_path: Path) -> str:
    script = tmp_path / "theirs.py"
    script.write_text(_THEIRS)
    return f"theirs='{sys.executable}' '{script}' {{input}} {{output}}"


def bench(*arguments: object) -> int:
    return run(["bench", *map(str, arguments)])


def own(folders: Path, *arguments: object) -> int:
    return bench(
        "own", "--lq", folders / "lq", "--reference", folders / "hq", "--out", folders / "out",
        *arguments,
    )  # fmt: skip


def test_a_program_is_compared_with_ours(folders: Path, theirs: str, capfd: Capture) -> None:
    methods = ("--method", "input", "--method", "first-stage", "--method", theirs)
    assert own(folders, *methods) == 0
    out, _ = capfd.readouterr()
    assert out.splitlines()[-1] == str(folders / "out/report.html")
    assert "own: 3 methods, 1 case, 6 results" in out
    rows = read_rows(folders / "out/rows.parquet")
    psnr = {(row.method, row.image): row.values["psnr"] for row in rows}
    assert psnr["theirs", "a"] > psnr["input", "a"] and len(psnr) == 6
    assert "| theirs |" in (folders / "out/tables.md").read_text()
    assert "theirs" in (folders / "out/report.html").read_text()


def test_a_crash_is_told_and_the_exit_code_is_one(folders: Path, capfd: Capture) -> None:
    code = own(folders, "--method", "input", "--method", "broken=false {input} {output}", "--json")
    out, err = capfd.readouterr()
    content = json.loads(out)
    assert code == 1
    assert content["tables"]["own"]["results"] == 2
    assert content["tables"]["own"]["failed"][0]["method"] == "broken"
    assert "Error: own/lq-given, broken: a program that failed with exit code 1" in err


def test_prepare_names_the_inputs_and_runs_nothing(folders: Path, capfd: Capture) -> None:
    assert own(folders, "--prepare", "--json") == 0
    (line,) = json.loads(capfd.readouterr().out)
    assert line["inputs"] == str(folders / "lq") and line["case"] == "lq-given"
    assert own(folders, "--prepare") == 0
    assert capfd.readouterr().out == f"own/lq-given: {folders / 'lq'} (old-photo)\n"
    assert not (folders / "out/results").exists()


def test_list_shows_every_table(capfd: Capture) -> None:
    from unfade.bench.tables import TABLES

    assert bench("--list") == 0
    out = capfd.readouterr().out
    assert all(f"{name} " in out for name in (*TABLES, "own"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no TABLE"),
        (("--out", "out"), "no TABLE"),
        (("sr4", "--data", "hq"), "no --out"),
        (("sr4", "--data", "hq", "--out", "hq/a.png"), "hq/a.png is a file"),
        (("sr4", "--data", "hq", "--out", "hq/bench"), "--out within hq"),
        (("own", "--lq", "lq", "--out", "lq"), "--out within lq"),
        (("nonsense", "--data", "hq", "--out", "out"), "the table 'nonsense'"),
        (("all", "--out", "out"), "no --data"),
        (("own", "--out", "out"), "without --lq"),
        (("all", "--data", "hq", "--lq", "lq", "--out", "out"), "--lq"),
        (("own", "--lq", "nowhere", "--out", "out"), "no such folder"),
        (("own", "--lq", "lq", "--out", "out", "--method", "lancsoz"), "'lancsoz'"),
    ],
)
def test_wrong_use_is_told_before_anything_runs(
    folders: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...],
    words: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(folders)
    assert bench(*arguments) == 2
    out, err = capfd.readouterr()
    assert out == "" and words in err
    assert not (folders / "out/results").exists()


def test_a_table_of_a_paper_can_be_made(folders: Path, capfd: Capture) -> None:
    for name in "ab":
        large = cv2.resize(cv2.imread(str(folders / f"hq/{name}.png")), (208, 208))  # pyright: ignore
        cv2.imwrite(str(folders / f"hq/{name}.png"), large)
    arguments = ("sr4", "--data", folders / "hq", "--out", folders / "out", "--quick")
    assert bench(*arguments, "--method", "input", "--method", "lanczos") == 0
    assert capfd.readouterr().out.startswith("sr4: 2 methods")


def test_a_table_that_cannot_be_made_stops_no_other(folders: Path, capfd: Capture) -> None:
    code = bench(
        "sr4", "own", "--data", folders / "hq", "--lq", folders / "lq", "--out", folders / "out",
        "--reference", folders / "hq", "--method", "input", "--quick",
    )  # fmt: skip
    out, err = capfd.readouterr()
    assert code == 1
    assert "own: 1 method, 1 case, 2 results" in out
    assert "Error: sr4: " in err and "192" in err


def test_a_protocol_prints_its_figures(folders: Path, capfd: Capture) -> None:
    arguments = ("old-photo", "--data", folders / "hq", "--detect-only", "--seed", 4)
    assert bench(*arguments) == 0
    out, _ = capfd.readouterr()
    assert out.startswith("old-photo: photos 2, data hq, recipe old-photo, level moderate, seed 4")
    assert "| threshold | precision | recall | F1 |" in out
    assert bench(*arguments, "--json") == 0
    content = json.loads(capfd.readouterr().out)
    assert content["protocol"] == "old-photo" and len(content["rows"]) == 2


def test_a_protocol_with_out_is_the_table_of_its_name(folders: Path, capfd: Capture) -> None:
    arguments = ("--data", folders / "hq", "--out", folders / "out", "--quick")
    assert bench("old-photo", *arguments) == 2
    assert "a short side of 48 pixels" in capfd.readouterr().err


def test_factors_to_enlarge_by_are_whole_numbers(folders: Path, capfd: Capture) -> None:
    assert bench("old-photo", "--data", folders / "hq", "--enlarge", "1,x") == 2
    assert "no list of whole numbers" in capfd.readouterr().err
