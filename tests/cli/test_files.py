"""Habits of people and of their disks: what `unfade restore` does with files it meets."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from unfade.cli.main import run
from unfade.imaging.jpeg_data import quality_of

MakePhoto = Callable[..., Path]
Capture = pytest.CaptureFixture[str]


def restore(*arguments: str | Path) -> int:
    """Runs the command without the diffusion model: files are met alike."""
    return run(["restore", "--device", "cpu", "--strength", "0", *map(str, arguments)])


def test_a_run_killed_between_photo_and_manifest_goes_on(
    make_photo: MakePhoto, tmp_path: Path, capfd: Capture
) -> None:
    command = (make_photo("a.jpg"), "-o", tmp_path / "out")
    assert restore(*command) == 0
    paper = tmp_path / "out" / "a.json"
    before = json.loads(paper.read_bytes())
    paper.unlink()
    assert restore(*command) == 0
    after = json.loads(paper.read_bytes())
    assert after["input"] == before["input"] and after["options"] == before["options"]
    assert restore(*command) == 0
    assert "already done" in capfd.readouterr().out


@pytest.mark.parametrize("case", ["edited", "of another photo"])
def test_a_result_that_may_not_be_ours_is_not_replaced(
    make_photo: MakePhoto, tmp_path: Path, capfd: Capture, case: str
) -> None:
    path, out = make_photo("a.jpg"), tmp_path / "out"
    assert restore(path, "-o", out) == 0
    (out / "a.json").unlink()
    if case == "edited":
        later = time.time() + 7200
        os.utime(out / "a.jpg", (later, later))
    else:
        path = make_photo("b/a.jpg", seed=3)
    assert restore(path, "-o", out) == 1
    assert "a.jpg is a file that has no record of unfade's beside it" in capfd.readouterr().err


def test_quality_is_set_and_recorded(make_photo: MakePhoto, tmp_path: Path) -> None:
    photo, out = make_photo("a.png"), tmp_path / "b.jpg"
    assert restore(photo, "-o", out, "--quality", "83") == 0
    with Image.open(out) as image:
        assert quality_of(image.quantization) == 83  # type: ignore[attr-defined]
    record = json.loads(out.with_suffix(".json").read_bytes())
    assert record["options"]["quality"] == 83 and "--quality 83" in record["command"]
    written = out.stat().st_mtime_ns
    assert restore(photo, "-o", out, "--quality", "83") == 0
    assert out.stat().st_mtime_ns == written
    assert restore(photo, "-o", out, "--quality", "90") == 0
    assert out.stat().st_mtime_ns != written
    assert restore(photo, "-o", out, "--quality", "0") == 2


def test_a_folder_as_mask_is_refused_with_a_remedy(
    make_photo: MakePhoto, tmp_path: Path, capfd: Capture
) -> None:
    (tmp_path / "masks").mkdir()
    assert restore(make_photo("a.png"), "-o", tmp_path, "--mask", tmp_path / "masks") == 2
    err = capfd.readouterr().err
    assert "masks is a folder" in err and "one mask at a time" in err
