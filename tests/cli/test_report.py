from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import unfade.cli.report as reports
from unfade.cli.main import run
from unfade.pages.page import MARK

MakePhoto = Callable[..., Path]
Capture = pytest.CaptureFixture[str]


def restore(*arguments: str | Path) -> int:
    return run(["restore", "--device", "cpu", "--strength", "0", *map(str, arguments)])


def titles(page: str) -> list[str]:
    return [html.unescape(found) for found in re.findall("<h4>(.*?)</h4>", page)]


def hard_photo(path: Path) -> None:
    """Stripes one pixel wide, which no restoration leaves as they are."""
    image = np.zeros((64, 80, 3), np.uint8)
    image[:, ::2] = 255
    assert cv2.imwrite(str(path), image)


def test_report_shows_the_batch_past_a_bad_file(
    make_photo: MakePhoto, tmp_path: Path, capfd: Capture
) -> None:
    make_photo("in/a <b>&'.png")
    hard_photo(tmp_path / "in" / "hard.png")
    (tmp_path / "in" / "bad.jpg").write_text("hello")
    out = tmp_path / "out"
    assert restore(tmp_path / "in", "-o", out, "--report") == 1
    assert f"{out / 'report.html'}: the report" in capfd.readouterr().out
    page = (out / "report.html").read_text()
    assert "bad.jpg is a text file" in page and "2 done, 1 failed." in page
    names = sorted(p.name for p in (tmp_path / "in").glob("*.png"))
    papers = {name: json.loads((out / name).with_suffix(".json").read_text()) for name in names}
    names.sort(key=lambda name: papers[name]["alignment"])
    assert [Path(title).name for title in titles(page)] == names  # the worst first
    for name, paper in papers.items():
        assert f"alignment {paper['alignment']:.3f}" in page
        assert f"<td>{paper['options']['tone']}</td>" in page
        assert all(digest in page for digest in paper["weights"].values())
        assert f"<b>{name}" not in page
    assert 'href="a%20%3Cb%3E%26%27.png"' in page
    sources = re.findall(r'src="([^"]{11})', page)
    assert sources == ["data:image/"] * 8  # before, after, damage and map of both
    assert "http://" not in page and "https://" not in page


def test_report_covers_what_was_done_before(make_photo: MakePhoto, tmp_path: Path) -> None:
    path, out = make_photo("a.png"), tmp_path / "out"
    assert restore(path, "-o", out) == 0
    for _ in range(2):
        assert restore(path, "-o", out, "--report") == 0
        page = (out / "report.html").read_text()
        assert "restored before" in page and page.count("<figure>") == 2
    assert restore(path, "-o", out, "--report", "--overwrite") == 0
    page = (out / "report.html").read_text()
    assert "restored before" not in page and page.count("<figure>") == 4


def test_report_of_others_is_not_replaced_unasked(
    make_photo: MakePhoto, tmp_path: Path, capfd: Capture
) -> None:
    path, out = make_photo("a.png"), tmp_path / "out"
    out.mkdir()
    (out / "report.html").write_text("mine")
    assert restore(path, "-o", out, "--report") == 1
    assert "report.html is a file of another kind" in capfd.readouterr().err
    assert [p.name for p in out.iterdir()] == ["report.html"]
    assert restore(path, "-o", out, "--report", "--overwrite") == 0
    assert MARK in (out / "report.html").read_text()


def test_nothing_is_shown_where_all_failed(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_text("hello")
    assert restore(tmp_path / "bad.jpg", "-o", tmp_path / "out", "--report") == 1
    page = (tmp_path / "out" / "report.html").read_text()
    assert "bad.jpg is a text file" in page
    assert 'id="all"' not in page and 'id="photos"' not in page and 'id="settings"' in page


def test_report_says_what_is_left_out(
    make_photo: MakePhoto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(3):
        make_photo(f"in/{i}.png", seed=i, height=16, width=16)
    monkeypatch.setattr(reports, "_MAX_ILLUSTRATED", 1)
    monkeypatch.setattr(reports, "MAX_ROWS", 2)
    assert restore(tmp_path / "in", "-o", tmp_path / "out", "--report") == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "of 2 photos, the best aligned" in page and "beyond 2, the best aligned" in page
    assert len(titles(page)) == 1
    assert page.count(">left out</td>") == 1 and page.count(">show</a>") == 1


def test_warnings_are_told_with_their_photo(tmp_path: Path) -> None:
    alpha = np.full((32, 40, 4), 128, np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), alpha)
    assert restore(tmp_path / "a.png", "-o", tmp_path / "out" / "a.jpg", "--report") == 0
    page = (tmp_path / "out" / "report.html").read_text()  # beside a result that is named
    assert 'href="a.jpg"' in page
    assert page.count("JPEG cannot hold transparency: left out") == 2  # in the table, and beside it
