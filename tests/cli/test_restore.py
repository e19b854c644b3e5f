from __future__ import annotations

import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from unfade import manifest as manifests
from unfade.cli.main import run
from unfade.imaging import read_photo, write_mask

MakePhoto = Callable[..., Path]
Capture = pytest.CaptureFixture[str]


def restore(*arguments: str | Path) -> int:
    """Runs the command without the diffusion model: files are met alike."""
    return run(["restore", "--device", "cpu", "--strength", "0", *map(str, arguments)])


def pixels(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return picture


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_folder_is_restored_past_a_bad_file(
    make_photo: MakePhoto, tmp_path: Path, capfd: Capture
) -> None:
    make_photo("in/a.jpg")
    make_photo("in/sub/b.png")
    (tmp_path / "in" / "bad.jpg").write_text("hello")
    assert restore(tmp_path / "in", "-o", tmp_path / "out") == 1
    assert names(tmp_path / "out") == ["a.jpg", "a.json", "sub/b.json", "sub/b.png"]
    out, err = capfd.readouterr()
    assert f"{tmp_path / 'out' / 'a.jpg'} (" in out
    assert "bad.jpg is a text file" in err
    assert "2 done, 1 failed." in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [["--tile", "1"], ["--mask", "none.png"], ["--device", "nonsense"], ["--preset", "nonsense"],
     ["--strength", "much"]],
    ids=" ".join,
)  # fmt: skip
def test_exit_code_is_two_when_an_option_is_wrong(
    make_photo: MakePhoto, tmp_path: Path, arguments: list[str], capfd: Capture
) -> None:
    path = make_photo("a.png")
    assert run(["restore", str(path), "-o", str(tmp_path / "out"), *arguments]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert "Error: " in err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_stem_may_be_shared_by_two_formats(make_photo: MakePhoto, tmp_path: Path) -> None:
    make_photo("in/a.png")
    make_photo("in/a.jpg")
    for _ in range(2):
        assert restore(tmp_path / "in", "-o", tmp_path / "out", "--compare") == 0
        assert names(tmp_path / "out") == [
            "a.compare.png", "a.jpg", "a.json", "a.png", "a.png.compare.png", "a.png.json",
        ]  # fmt: skip


def test_photo_is_done_again_when_something_changed(
    make_photo: MakePhoto, tmp_path: Path, capfd: Capture
) -> None:
    path, out, mask = make_photo("a.png"), tmp_path / "out", make_photo("mask.png", seed=1)
    given = [path, "-o", out, "--mask", mask]
    assert restore(*given) == 0
    for change in ("option", "input", "mask", "compare", "gone"):
        if change == "option":
            given += ["--tone", "keep"]
        elif change == "input":
            make_photo("a.png", seed=2)
        elif change == "mask":
            make_photo("mask.png", seed=2)
        elif change == "compare":
            given += ["--compare"]
        else:
            (out / "a.png").unlink()
        capfd.readouterr()
        assert restore(*given) == 0
        assert "already done" not in capfd.readouterr().out, change
        assert (out / "a.png").exists()


@pytest.mark.parametrize("case", ["stranger", "edited"])
def test_file_that_is_not_ours_is_only_replaced_when_asked(
    make_photo: MakePhoto, tmp_path: Path, case: str, capfd: Capture
) -> None:
    path, out = make_photo("a.png"), tmp_path / "out"
    out.mkdir()
    if case == "edited":
        assert restore(path, "-o", out) == 0
    (out / "a.png").write_bytes(b"precious")
    assert restore(path, "-o", out, "--tone", "keep") == 1
    assert (out / "a.png").read_bytes() == b"precious"
    assert "--overwrite" in capfd.readouterr().err
    assert restore(path, "-o", out, "--tone", "keep", "--overwrite") == 0
    assert read_photo(out / "a.png").height == 64


def test_input_is_not_overwritten(make_photo: MakePhoto, capfd: Capture) -> None:
    path = make_photo("a.png")
    before = path.read_bytes()
    assert restore(path, "-o", path.parent, "--overwrite") == 2
    assert path.read_bytes() == before
    assert "never overwrites an input" in capfd.readouterr().err


def test_failure_is_told_when_the_output_cannot_be_written(
    make_photo: MakePhoto, tmp_path: Path, capfd: Capture
) -> None:
    path = make_photo("a.png")
    (tmp_path / "file").write_text("")
    assert restore(path, "-o", tmp_path / "file" / "out") == 1
    assert "a file where a folder should be" in capfd.readouterr().err


def test_limit_on_pixels_is_kept(make_photo: MakePhoto, tmp_path: Path, capfd: Capture) -> None:
    paths = [make_photo("a.png"), make_photo("b.png", height=8, width=8)]
    assert restore(*paths, "-o", tmp_path / "out", "--max-pixels", "100") == 1
    assert names(tmp_path / "out") == ["b.json", "b.png"]
    assert "a.png: " in capfd.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="names are counted otherwise there")
def test_too_long_a_name_is_told_before_the_work_and_others_go_on(
    make_photo: MakePhoto, tmp_path: Path, capfd: Capture
) -> None:
    make_photo("in/b.png")
    make_photo(f"in/{'a' * 246}.png")  # 250 bytes: too many with .compare.png
    make_photo(f"in/{'c' * 251}.jpg")  # 255 bytes: too many with .json
    assert restore(tmp_path / "in", "-o", tmp_path / "out", "--compare") == 1
    assert names(tmp_path / "out") == ["b.compare.png", "b.json", "b.png"]
    error = capfd.readouterr().err
    assert "too long a name for this disk (258 bytes)" in error and "leave out --compare" in error
    assert "too long a name for this disk (256 bytes)" in error and "unexpected" not in error
    assert restore(tmp_path / "in", "-o", tmp_path / "out") == 1  # without --compare
    assert "1 done, 1 already done, 1 failed" in capfd.readouterr().err


def test_json_sums_up_on_stdout(make_photo: MakePhoto, tmp_path: Path, capfd: Capture) -> None:
    good = make_photo("a.png")
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"")
    assert restore(good, bad, "-o", tmp_path / "out", "--json") == 1
    out, err = capfd.readouterr()
    data = json.loads(out)
    assert (data["done"], data["failed"], data["total"]) == (1, 1, 2)
    first, second = data["results"]
    assert Path(first["output"]).exists()
    assert Path(first["manifest"]).exists()
    assert 0 <= first["damaged"] <= 1
    assert "0 bytes" in second["error"]
    assert "a.png -> " in err


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are Unicode there")
def test_name_that_is_not_utf8_is_kept(
    make_photo: MakePhoto, tmp_path: Path, capfd: Capture
) -> None:
    path = make_photo(b"caf\xe9.jpg")
    for _ in range(2):
        assert restore(path, "-o", tmp_path / "out") == 0
    assert {os.fsencode(p.name) for p in (tmp_path / "out").iterdir()} == {
        b"caf\xe9.jpg",
        b"caf\xe9.json",
    }
    assert "caf\\xe9.jpg -> " in capfd.readouterr().out


@pytest.mark.parametrize(
    "given",
    [["--threshold", "0.7"], ["--sensitivity", "high", "--protect", "keep.png"]],
)  # fmt: skip
def test_command_in_the_manifest_makes_the_photo_again(
    make_photo: MakePhoto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path, out = make_photo("my print.png"), tmp_path / "out" / "b.png"
    protected = np.zeros((64, 80), np.uint8)
    protected[:30] = 255
    write_mask(tmp_path / "keep.png", protected)
    assert restore(path, "-o", out, "--tone", "keep", *given) == 0
    manifest = manifests.read(out.with_suffix(".json"))
    first = pixels(out)
    assert manifest["command"] is not None
    words = shlex.split(manifest["command"])
    assert run(["restore", "--overwrite", *words[2:]]) == 0
    again = manifests.read(out.with_suffix(".json"))
    assert again["options"] == manifest["options"]
    assert np.array_equal(first, pixels(out))


def test_what_a_killed_run_left_is_removed(make_photo: MakePhoto, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name, age in (("old", 7200), ("new", 60)):
        (out / f".unfade-{name}.tmp").write_bytes(b"half a photo")
        then = time.time() - age
        os.utime(out / f".unfade-{name}.tmp", (then, then))
    assert restore(make_photo("in/a.png"), "-o", out) == 0
    assert names(out) == [".unfade-new.tmp", "a.json", "a.png"]


def test_each_warning_is_told_once_and_names_its_photo(
    make_photo: MakePhoto, tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("unfade")
    monkeypatch.setattr(logger, "propagate", False)  # away from pytest's handlers ...
    monkeypatch.setattr(logger, "handlers", [])  # ... and those that other tests leave
    for name in ("a.jpg", "b.jpg"):
        path = make_photo(f"in/{name}")
        picture = Image.open(path).copy()
        picture.save(path, icc_profile=b"no profile" * 20)
    assert restore(tmp_path / "in", "-o", tmp_path / "out", "--compare", "--mask", "none") == 0
    said = [line for line in capfd.readouterr().err.splitlines() if "ICC profile" in line]
    assert [Path(line.split(": ")[0]).name for line in said] == ["a.jpg", "b.jpg"]


@pytest.fixture
def sigint_heard() -> Iterator[None]:
    """What is started does not inherit that SIGINT is ignored, as in a script's background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("sigint_heard")
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send there")
def test_ctrl_c_leaves_nothing_half_done_and_the_same_command_goes_on(
    make_photo: MakePhoto, tmp_path: Path, capfd: Capture
) -> None:
    count = 5  # of a third of a second each: the signal must come before the last is done
    for i in range(count):
        make_photo(f"in/{i}.png", height=400, width=500, seed=i)
    out = tmp_path / "out"
    arguments = ["restore", str(tmp_path / "in"), "-o", str(out), "--device", "cpu"]
    arguments += ["--strength", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "unfade.cli.main", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    process.stdout.readline()  # the first photo is done
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Stopped: " in err
    assert "goes on from there" in err
    assert "Traceback" not in err
    done = sorted(p.name for p in out.iterdir() if p.suffix == ".png")
    assert 1 <= len(done) < count
    assert names(out) == sorted(n for d in done for n in (d, d.replace(".png", ".json")))
    for name in done:
        assert read_photo(out / name).height == 400

    assert run([*arguments, "--json"]) == 0
    data = json.loads(capfd.readouterr().out)
    assert data["skipped"] == len(done)
    assert data["done"] == count - len(done)
