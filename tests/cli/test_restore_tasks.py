"""`unfade restore` with a diffusion model."""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from unfade import manifest as manifests
from unfade.cli.main import run
from unfade.imaging import read_photo

MakePhoto = Callable[..., Path]
Capture = pytest.CaptureFixture[str]
Restore = Callable[..., int]

COLORIZE = ["--task", "colorize", "--existing-colours", "replace"]


@pytest.fixture
def restore(tiny_preset: Path) -> Restore:
    """Runs the command with the tiny model, in two steps."""

    def call(*arguments: str | Path) -> int:
        options = ["--preset", str(tiny_preset), "--device", "cpu", "--steps", "2"]
        return run(["restore", *options, *map(str, arguments)])

    return call


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def gray_photo(path: Path) -> Path:
    rows = np.linspace(40, 200, 60)[:, None] + np.linspace(0, 40, 70)
    cv2.imwrite(str(path), rows.astype(np.uint8))
    return path


def test_enlarging_is_four_times_when_no_scale_is_given(
    restore: Restore, make_photo: MakePhoto, tmp_path: Path
) -> None:
    path = make_photo("a.png", height=20, width=24)
    assert restore(path, "-o", tmp_path / "b.png", "--task", "super-resolution", "--compare") == 0
    assert read_photo(tmp_path / "b.png").native.shape == (80, 96, 3)
    assert manifests.read(tmp_path / "b.json")["options"]["scale"] == 4
    picture = cv2.imread(str(tmp_path / "b.compare.png"))
    assert picture is not None and picture.shape == (80, 2 * 96 + 8, 3)


def test_variants_are_written_and_not_made_again(
    restore: Restore, make_photo: MakePhoto, tmp_path: Path, capfd: Capture
) -> None:
    path, out = make_photo("a.png"), tmp_path / "out"
    extra = [path, "-o", out, *COLORIZE, "--variants", "2", "--compare"]
    wanted = sorted(f"a-{i}{end}" for i in (1, 2) for end in (".png", ".json", ".compare.png"))
    assert restore(*extra) == 0
    assert names(out) == wanted
    assert "a-1.png and 1 more (" in capfd.readouterr().out
    assert restore(*extra, "--json") == 0
    data = json.loads(capfd.readouterr().out)
    assert data["skipped"] == 1
    assert data["results"][0]["outputs"] == [str(out / "a-1.png"), str(out / "a-2.png")]
    for i in (1, 2):
        manifest = manifests.read(out / f"a-{i}.json")
        assert manifest["variant"] == i and manifest["output"] is not None
        assert manifest["output"]["name"] == f"a-{i}.png"
    (out / "a-2.png").unlink()
    assert restore(*extra) == 0
    assert "already done" not in capfd.readouterr().out
    assert names(out) == wanted


def test_one_result_is_written_where_variants_would_be_alike(
    restore: Restore, make_photo: MakePhoto, tmp_path: Path, capfd: Capture,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    extra = [make_photo("a.png"), "-o", tmp_path / "out", "--mask", "none", "--variants", "3"]
    assert restore(*extra, "--compare", "--report") == 0
    assert "one result in place of 3, as all would be alike" in caplog.text
    line = capfd.readouterr().out
    assert "a-1.png (" in line and "more (" not in line
    made = ["a-1.compare.png", "a-1.json", "a-1.png", "report.html"]
    assert names(tmp_path / "out") == made
    assert restore(*extra, "--report", "--json") == 0
    data = json.loads(capfd.readouterr().out)
    assert data["skipped"] == 1
    assert data["results"][0]["outputs"] == [str(tmp_path / "out" / "a-1.png")]


@pytest.mark.parametrize(
    "extra",
    [
        ["--strength", "0.35", "--self-condition", "0.5", "--negative-prompt", "blue"],
        [*COLORIZE, "--prompt", "a 'red' dress", "--seed", "5", "--variants", "2"],
    ],
    ids=lambda extra: extra[1],
)
def test_command_in_the_manifest_makes_the_result_again(
    restore: Restore, make_photo: MakePhoto, tmp_path: Path, extra: list[str]
) -> None:
    path, out = make_photo("my print.png"), tmp_path / "out" / "b.png"
    assert restore(path, "-o", out, *extra) == 0
    places = sorted(out.parent.glob("*.png"))
    assert len(places) == (2 if "--variants" in extra else 1)
    manifest: Any = manifests.read(places[-1].with_suffix(".json"))
    pixels = [read_photo(place).native for place in places]
    words = shlex.split(manifest["command"])
    assert run(["restore", "--overwrite", *words[2:]]) == 0
    again = manifests.read(places[-1].with_suffix(".json"))
    assert again["options"] == manifest["options"] and again["weights"] == manifest["weights"]
    assert again["diffusion"] == manifest["diffusion"]
    for place, before in zip(places, pixels, strict=True):
        np.testing.assert_array_equal(read_photo(place).native, before)


def test_result_does_not_depend_on_the_order_of_the_batch(
    restore: Restore, make_photo: MakePhoto, tmp_path: Path
) -> None:
    paths = [make_photo("a.png"), make_photo("b.png", seed=1, height=50)]
    extra = [*COLORIZE, "--prompt", "red"]
    assert restore(*paths, "-o", tmp_path / "x", *extra) == 0
    assert restore(*reversed(paths), "-o", tmp_path / "y", *extra) == 0
    assert restore(paths[1], "-o", tmp_path / "z", *extra) == 0
    for name, others in (("a.png", "y"), ("b.png", "yz")):
        one = read_photo(tmp_path / "x" / name).native
        for other in others:
            np.testing.assert_array_equal(one, read_photo(tmp_path / other / name).native)


def test_measured_damage_decides_when_nothing_is_asked_for(
    restore: Restore, make_photo: MakePhoto, tmp_path: Path, capfd: Capture
) -> None:
    rng = np.random.default_rng(0)
    tiles = rng.integers(40, 210, (16, 20, 3)).repeat(4, 0).repeat(4, 1)  # sharp and clean
    cv2.imwrite(str(tmp_path / "sharp.png"), tiles.astype(np.uint8))
    paths = [tmp_path / "sharp.png", make_photo("blurred.png")]
    assert restore(*paths, "-o", tmp_path / "out", "--mask", "none", "--reach", "all") == 0
    first, second = capfd.readouterr().out.splitlines()
    assert "nothing redrawn" in first and "redrawn with strength 0." in second
    strengths = [
        (manifests.read(tmp_path / "out" / f"{name}.json")["diffusion"] or {})["strength"]
        for name in ("sharp", "blurred")
    ]
    assert strengths[0] == 0 < strengths[1]


def test_missing_model_is_told_once_before_anything_is_done(
    make_photo: MakePhoto, first_stage_preset: Path, tmp_path: Path, capfd: Capture
) -> None:
    paths = [str(make_photo("a.png")), str(make_photo("b.png"))]
    more = ["--preset", str(first_stage_preset), *COLORIZE]
    assert run(["restore", *paths, "-o", str(tmp_path / "o"), *more]) == 1
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1
    assert "no vae/, unet/" in err and "--preset sd21 --base ID|PATH" in err
    assert not (tmp_path / "o").exists()


def test_missing_base_model_is_told_once_with_what_to_fetch(
    make_photo: MakePhoto, tiny_preset: Path, tmp_path: Path, capfd: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    paths = [str(make_photo("a.png")), str(make_photo("b.png"))]
    extra = ["--preset", "sd21", "--controlnet", str(tiny_preset), *COLORIZE]
    assert run(["restore", *paths, "-o", str(tmp_path / "out"), "--device", "cpu", *extra]) == 1
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1 and "hf download" in err and "--base sd21" in err
    assert names(tmp_path / "out") == []


def test_unknown_words_are_named_once_on_stderr(
    restore: Restore, make_photo: MakePhoto, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [make_photo("a.png"), make_photo("b.png")]
    prompt = ["--prompt", "a red hat and blue dress"]
    assert restore(*paths, "-o", tmp_path / "out", *COLORIZE, *prompt) == 0
    (record,) = [r for r in caplog.records if r.name.startswith("unfade")]
    assert record.levelname == "WARNING" and record.getMessage().endswith(": hat, and")


class Terminal(io.StringIO):
    """Input that somebody types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "expected"), [("replace\n", "replace"), ("\n", "refresh"), (None, "refresh")]
)
def test_colours_of_a_photo_are_asked_about_once_on_a_terminal(
    restore: Restore, make_photo: MakePhoto, tmp_path: Path, capfd: Capture,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, typed: str | None,
    expected: str,
) -> None:  # fmt: skip
    if typed is not None:
        monkeypatch.setattr("sys.stdin", Terminal(typed))
        monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    paths = [gray_photo(tmp_path / "gray.png"), make_photo("a.png"), make_photo("b.png")]
    assert restore(*paths, "-o", tmp_path / "out", "--task", "colorize", "--mask", "none") == 0
    out, err = capfd.readouterr()
    asked = "a.png: this photo has colours. Refresh them, or replace them with new ones?"
    assert err.count(asked) == (typed is not None)
    told = [r for r in caplog.records if "this photo has colours" in r.getMessage()]
    assert len(told) == (2 if typed is None else 0)
    options = manifests.read(tmp_path / "out" / "a.json")["options"]
    assert options["existing_colours"] == expected
    lines = {line.partition(" -> ")[0].rpartition("/")[2]: line for line in out.splitlines()}
    assert "(coloured, " in lines["gray.png"]
    word = "coloured" if expected == "replace" else "colours refreshed"
    assert f"({word}, " in lines["a.png"] and f"({word}, " in lines["b.png"]
