from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import unfade.manifest as manifests
from unfade.api import Restorer
from unfade.cli.main import run
from unfade.imaging import read_photo

MakePhoto = Callable[..., Path]


@pytest.fixture
def gray(make_photo: MakePhoto) -> Path:
    path = make_photo("gray.png", height=100, width=120)
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    cv2.imwrite(str(path), pixels)
    return path


@pytest.fixture
def dress(tmp_path: Path) -> Path:
    mask = np.zeros((100, 120), np.uint8)
    mask[30:70, 40:80] = 255
    path = tmp_path / "the dress.png"
    cv2.imwrite(str(path), mask)
    return path


def test_region_is_coloured_and_the_command_in_the_manifest_does_it_again(
    gray: Path, dress: Path, tmp_path: Path
) -> None:
    plain, out, again = (tmp_path / name for name in ("plain.png", "out.png", "again.png"))
    assert run(["restore", str(gray), "-o", str(plain), "--device", "cpu"]) == 0
    given = ["--colour-region", f"{dress}=red", "--device", "cpu"]
    assert run(["restore", str(gray), "-o", str(out), *given]) == 0
    before, after = read_photo(plain), read_photo(out)
    assert before.gray and after.native.shape == (100, 120, 3)
    far = np.r_[:10, 90:100]
    np.testing.assert_array_equal(after.native[far], np.repeat(before.native[far], 3, 2))
    assert (after.native[45:55, 55:65, 0] > after.native[45:55, 55:65, 2]).all()
    manifest = manifests.read(tmp_path / "out.json")
    assert manifest["options"]["colour_regions"] == [f"{dress}=red"]
    assert manifest["options"]["colour_sha256"] == [manifests.sha256_file(dress)]
    words = shlex.split(str(manifest["command"]))
    assert run([str(again) if word == str(out) else word for word in words[1:]]) == 0
    np.testing.assert_array_equal(read_photo(again).native, after.native)
    assert str(tmp_path).encode() not in out.read_bytes()


def test_photo_is_done_again_when_a_region_was_painted_anew(
    gray: Path, dress: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def status() -> str:
        given = ["-o", str(tmp_path / "out.png"), "--colour-region", f"{dress}=red", "--json"]
        assert run(["restore", str(gray), *given, "--mask", "none", "--device", "cpu"]) == 0
        return json.loads(capsys.readouterr().out)["results"][0]["status"]

    assert [status(), status()] == ["done", "skipped"]
    mask = cv2.imread(str(dress), cv2.IMREAD_GRAYSCALE)
    assert mask is not None
    cv2.imwrite(str(dress), 255 - mask)
    assert status() == "done"


def test_nothing_but_the_regions_changes_when_the_rest_is_to_stay(
    restorer: Restorer, gray: Path, dress: Path
) -> None:
    made = restorer.restore(
        gray, mask="none", only_damage=True, colours=[(dress, "#3060c0"), (str(dress), "skin")]
    )
    before = np.repeat(read_photo(gray).native, 3, 2)
    same = (made.image.native == before).all(2)
    assert same[:15].all() and same[85:].all() and not same[45:55, 55:65].any()
    assert made.alignment == 1


@pytest.mark.parametrize(
    "more", [["--colour-region", "none.png=red"],
             ["--task", "super-resolution", "--colour-region", "DRESS=red"]],
)  # fmt: skip
def test_wrong_use_is_told(
    gray: Path, dress: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    given = [word.replace("DRESS", str(dress)) for word in more]
    assert run(["restore", str(gray), "-o", str(tmp_path / "out.png"), *given]) == 2
    assert "Needed: " in capsys.readouterr().err


def test_region_is_no_place_for_a_result(gray: Path, dress: Path) -> None:
    before = dress.read_bytes()
    given = ["--overwrite", "--colour-region", f"{dress}=red"]
    assert run(["restore", str(gray), "-o", str(dress), *given]) == 2
    assert dress.read_bytes() == before
