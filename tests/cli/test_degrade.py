from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from unfade.cli.jobs import plan
from unfade.cli.main import run
from unfade.imaging import read_mask

MakePhoto = Callable[..., Path]


def test_masks_lie_apart_from_the_photos(
    make_photo: MakePhoto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.png", "in/sub/b.jpg"):
        make_photo(name)
    assert run(["degrade", "in", "-o", "aged/", "--masks", "--severity", "heavy"]) == 0
    aged = sorted(p.as_posix() for p in Path("aged").rglob("*.*"))
    assert aged == ["aged/a.json", "aged/a.png", "aged/sub/b.jpg", "aged/sub/b.json"]
    for name in ("aged-masks/a.png", "aged-masks/sub/b.png"):
        assert read_mask(Path(name), size=(64, 80)).max() > 0
    sources = [job.source.as_posix() for job in plan(["aged"], "out")]
    assert sources == ["aged/a.png", "aged/sub/b.jpg"]


def test_mask_of_a_single_file_lies_in_a_folder_beside_it(
    make_photo: MakePhoto, tmp_path: Path
) -> None:
    out = tmp_path / "old" / "b.png"
    assert run(["degrade", str(make_photo("a.png")), "-o", str(out), "--masks"]) == 0
    assert read_mask(tmp_path / "old" / "b-masks" / "b.png", size=(64, 80)).shape == (64, 80)


def test_masks_that_would_share_a_name_are_refused(
    make_photo: MakePhoto, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("in/a.png", "in/a.jpg"):
        make_photo(name)
    assert run(["degrade", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--masks"]) == 2
    assert "2 photos whose names differ in their suffix alone" in capfd.readouterr().err
