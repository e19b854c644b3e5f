from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from unfade.cli.main import run

MakePhoto = Callable[..., Path]
Capture = pytest.CaptureFixture[str]


def detect(*arguments: str | Path) -> int:
    return run(["detect", "--device", "cpu", *map(str, arguments)])


def read(path: Path) -> np.ndarray:
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert mask is not None
    return mask


def test_mask_is_an_8_bit_gray_png_named_after_the_stem(
    make_photo: MakePhoto, tmp_path: Path
) -> None:
    make_photo("in/a.jpg")
    make_photo("in/sub/b.tif")
    assert detect(tmp_path / "in", "-o", tmp_path / "out") == 0
    for name in ("a.png", "sub/b.png"):
        mask = read(tmp_path / "out" / name)
        assert mask.shape == (64, 80)
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) <= {0, 255}


def test_sensitivity_threshold_and_protection_shape_the_mask(
    make_photo: MakePhoto, tmp_path: Path
) -> None:
    path = make_photo("a.png", height=128, width=160)

    def found(*given: str | Path) -> np.ndarray:
        out = tmp_path / f"{len(list(tmp_path.iterdir()))}.png"
        assert detect(path, "-o", out, *given) == 0
        return read(out)

    soft, hard = found("--soft"), found("--threshold", "0.3")
    assert np.array_equal(hard == 255, soft >= np.ceil(0.3 * 255))
    low, high = (found("--sensitivity", name) for name in ("low", "high"))
    assert 0 < (low > 0).sum() < (high > 0).sum()
    protected = np.zeros((128, 160), np.uint8)
    protected[40:80] = 255
    cv2.imwrite(str(tmp_path / "keep.png"), protected)
    kept = found("--sensitivity", "high", "--protect", tmp_path / "keep.png")
    np.testing.assert_array_equal(kept, high & (255 - protected))


@pytest.mark.parametrize(
    ("out", "given"),
    [("mask.jpg", []), ("mask.txt", []), ("out.png", ["--protect", "nowhere.png"]),
     ("out.png", ["--sensitivity", "low", "--threshold", "0.4"])],
)  # fmt: skip
def test_exit_code_is_two_when_the_usage_is_wrong(
    make_photo: MakePhoto, tmp_path: Path, out: str, given: list[str]
) -> None:
    assert detect(make_photo("a.png"), "-o", tmp_path / out, *given) == 2
    assert not (tmp_path / out).exists()


def test_mask_that_protects_is_not_written_over(make_photo: MakePhoto, tmp_path: Path) -> None:
    path = make_photo("a.jpg")
    cv2.imwrite(str(tmp_path / "a.png"), np.full((64, 80), 255, np.uint8))
    given = ["--protect", tmp_path / "a.png", "--overwrite"]
    assert detect(path, "-o", tmp_path / "a.png", *given) == 2
    assert (read(tmp_path / "a.png") == 255).all()


def test_mask_that_is_there_is_left_alone(
    make_photo: MakePhoto, tmp_path: Path, capfd: Capture
) -> None:
    path = make_photo("a.jpg")
    (tmp_path / "a.png").write_bytes(b"precious")
    assert detect(path, "-o", tmp_path) == 0
    assert (tmp_path / "a.png").read_bytes() == b"precious"
    assert "--overwrite makes it again" in capfd.readouterr().out
    assert detect(path, "-o", tmp_path, "--overwrite") == 0
    assert read(tmp_path / "a.png").shape == (64, 80)


def test_exit_code_is_one_when_a_photo_is_bad(
    make_photo: MakePhoto, tmp_path: Path, capfd: Capture
) -> None:
    good, bad = make_photo("a.jpg"), tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8\xff")
    assert detect(bad, good, "-o", tmp_path / "out", "--json") == 1
    data = json.loads(capfd.readouterr().out)
    assert [r["status"] for r in data["results"]] == ["failed", "done"]
    assert (tmp_path / "out" / "a.png").exists()


def test_masks_are_told_apart_when_stems_are_shared(make_photo: MakePhoto, tmp_path: Path) -> None:
    paths = [make_photo("a.jpg"), make_photo("a.tif")]
    assert detect(*paths, "-o", tmp_path / "out") == 0
    found = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert found == ["a.jpg.png", "a.tif.png"]
