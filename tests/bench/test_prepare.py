from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from unfade.bench import prepare
from unfade.bench.datasets import open_folder
from unfade.bench.prepare import make_folders, note_of, plan
from unfade.errors import UsageError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Ten photos of 260 x 300 pixels, and one that is too small."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(10):
        noise = np.random.default_rng(i).integers(0, 255, (13, 15, 3), dtype=np.uint8)
        large = cv2.resize(noise, (300, 260), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"p{i}.png"), large)
    cv2.imwrite(str(folder / "small.png"), np.zeros((40, 400, 3), np.uint8))
    return folder


def pixels(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return image


def test_a_folder_is_cut_to_crops_and_says_what_it_left_out(photos: Path) -> None:
    made = plan(open_folder(photos), quick=False, seed=0)
    assert made.side == prepare.FOLDER_SIDE and len(made.pairs) == 10
    assert "10 of 11 photos" in made.note and "1 with a shorter side are left out" in made.note
    made = plan(open_folder(photos), quick=True, seed=0)
    assert [pair.name for pair in made.pairs] == ["p1", "p3", "p6", "p8"]
    assert made.side == prepare.QUICK_SIDE
    named = replace(open_folder(photos), name="DIV2K")
    with pytest.raises(UsageError, match="expected 512 or more"):
        plan(named, quick=False, seed=0)


def test_photos_that_are_all_too_small_are_an_error(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((100, 300, 3), np.uint8))
    with pytest.raises(UsageError, match="a short side of 100 pixels, expected 256"):
        plan(open_folder(tmp_path), quick=False, seed=0)


def test_folders_hold_the_same_names_in_the_sizes_of_the_task(photos: Path, tmp_path: Path) -> None:
    made = plan(open_folder(photos), quick=True, seed=0)
    inputs, references = make_folders(tmp_path / "work", made, "sr4")
    assert sorted(p.name for p in inputs.iterdir()) == [f"p{i}.png" for i in (1, 3, 6, 8)]
    side = prepare.QUICK_SIDE
    assert pixels(inputs / "p1.png").shape == (side // 4, side // 4, 3)
    whole = pixels(photos / "p1.png")
    top, left = ((length - side) // 2 for length in whole.shape[:2])
    crop = whole[top : top + side, left : left + side]
    assert np.array_equal(pixels(references / "p1.png"), crop)
    assert "4 of 11 photos" in note_of(inputs)


def test_gray_inputs_have_one_channel(photos: Path, tmp_path: Path) -> None:
    made = plan(open_folder(photos), quick=True, seed=0)
    inputs, references = make_folders(tmp_path / "work", made, "gray")
    assert pixels(inputs / "p1.png").ndim == 2 and pixels(references / "p1.png").ndim == 3


def test_folders_are_made_once_and_again_when_the_seed_changes(
    photos: Path, tmp_path: Path
) -> None:
    made = plan(open_folder(photos), quick=True, seed=0)
    inputs, _ = make_folders(tmp_path, made, "moderate")
    first, time = pixels(inputs / "p1.png"), (inputs / "p1.png").stat().st_mtime_ns
    make_folders(tmp_path, made, "moderate")
    assert (inputs / "p1.png").stat().st_mtime_ns == time
    make_folders(tmp_path, replace(made, seed=1), "moderate")
    assert not np.array_equal(pixels(inputs / "p1.png"), first)


def test_damage_of_a_photo_does_not_depend_on_the_others(photos: Path, tmp_path: Path) -> None:
    made = plan(open_folder(photos), quick=True, seed=0)
    all_of_them, _ = make_folders(tmp_path / "a", made, "moderate")
    alone, _ = make_folders(tmp_path / "b", replace(made, pairs=made.pairs[2:3]), "moderate")
    assert np.array_equal(pixels(all_of_them / "p6.png"), pixels(alone / "p6.png"))


@pytest.mark.parametrize("part", ["lq", "hq"])
def test_a_picture_that_has_gone_is_made_again(photos: Path, tmp_path: Path, part: str) -> None:
    made = plan(open_folder(photos), quick=True, seed=0)
    inputs, _ = make_folders(tmp_path / "work", made, "sr4")
    lost = inputs.parent / part / "p3.png"
    lost.unlink()
    make_folders(tmp_path / "work", made, "sr4")
    assert lost.is_file()


def test_pictures_are_made_again_when_a_photo_of_the_same_size_took_its_place(
    photos: Path, tmp_path: Path
) -> None:
    for path in photos.glob("p*.png"):
        cv2.imwrite(str(path.with_suffix(".bmp")), pixels(path))
        path.unlink()
    made = plan(open_folder(photos), quick=True, seed=0)
    inputs, _ = make_folders(tmp_path / "work", made, "gray")
    first = pixels(inputs / "p1.png")
    size = (photos / "p1.bmp").stat().st_size
    (photos / "p1.bmp").write_bytes((photos / "p2.bmp").read_bytes())
    assert (photos / "p1.bmp").stat().st_size == size
    make_folders(tmp_path / "work", made, "gray")
    assert not np.array_equal(pixels(inputs / "p1.png"), first)


def test_pictures_are_made_again_when_the_damaged_photo_of_a_set_changed(
    photos: Path, tmp_path: Path
) -> None:
    found = open_folder(photos)
    damaged = photos / "p1.png"
    pairs = tuple(replace(pair, lq=pair.hq) for pair in found.pairs if pair.name == "p1")
    clean = tmp_path / "clean.png"
    clean.write_bytes(damaged.read_bytes())
    made = plan(replace(found, pairs=(replace(pairs[0], hq=clean),)), quick=True, seed=0)
    inputs, _ = make_folders(tmp_path / "work", made, "real")
    damaged.write_bytes((photos / "p2.png").read_bytes())
    first = pixels(inputs / "p1.png")
    make_folders(tmp_path / "work", made, "real")
    assert not np.array_equal(pixels(inputs / "p1.png"), first)
