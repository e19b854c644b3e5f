from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from unfade.bench.datasets import find_datasets
from unfade.errors import InputError, UsageError

Place = Callable[[str, int], None]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Puts a square PNG of some side at a place below tmp_path; equal ones share their bytes."""
    made: dict[int, Path] = {}

    def put(name: str, side: int) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if side not in made:
            made[side] = tmp_path.parent / f"{tmp_path.name}-{side}.png"
            cv2.imwrite(str(made[side]), np.full((side, side, 3), 90, np.uint8))
        os.link(made[side], path)

    return put


def fill_div2k(place: Place, root: str, count: int = 100) -> None:
    for i in range(801, 801 + count):
        place(f"{root}/DIV2K_valid_HR/{i:04}.png", 16)


def test_div2k_is_found_when_its_folder_lies_in_data_and_stands_in_for_others(
    place: Place, tmp_path: Path
) -> None:
    fill_div2k(place, "data/DIV2K")
    (found,) = find_datasets(tmp_path / "data", ["DIV2K"])
    assert found.name == "DIV2K" and len(found.pairs) == 100
    assert found.pairs[0].name == "0801" and found.pairs[0].lq is None
    assert [d.name for d in find_datasets(tmp_path / "data", ["GOPRO"])] == ["DIV2K"]


def test_div2k_pairs_by_number_when_the_small_photos_are_there(
    place: Place, tmp_path: Path
) -> None:
    fill_div2k(place, "data")
    for i in range(801, 901):
        place(f"data/DIV2K_valid_LR_bicubic/X4/{i:04}x4.png", 4)
    (found,) = find_datasets(tmp_path / "data", ["DIV2K"])
    assert found.pairs[5].lq == tmp_path / "data/DIV2K_valid_LR_bicubic/X4/0806x4.png"
    assert found.pairs[5].scale == 4


def test_fewer_photos_than_published_are_an_error(place: Place, tmp_path: Path) -> None:
    fill_div2k(place, "data", 99)
    with pytest.raises(UsageError, match="99 photos, expected 100 as published"):
        find_datasets(tmp_path / "data", ["DIV2K"])


def test_other_sizes_than_published_are_an_error(place: Place, tmp_path: Path) -> None:
    fill_div2k(place, "data")
    for i in range(801, 901):
        place(f"data/DIV2K_valid_LR_bicubic/X4/{i:04}x4.png", 5)
    with pytest.raises(UsageError, match="got 5 x 5 pixels, expected 4 x 4"):
        find_datasets(tmp_path / "data", ["DIV2K"])


def test_a_small_photo_of_another_name_is_an_error(place: Place, tmp_path: Path) -> None:
    fill_div2k(place, "data")
    for i in range(802, 902):
        place(f"data/DIV2K_valid_LR_bicubic/X4/{i:04}x4.png", 4)
    with pytest.raises(UsageError, match="0801 without its partner"):
        find_datasets(tmp_path / "data", ["DIV2K"])


@pytest.mark.parametrize(("low", "scale"), [(16, 1), (4, 4)])
def test_realsr_is_found_in_the_folders_of_both_cameras(
    place: Place, tmp_path: Path, low: int, scale: int
) -> None:
    for maker in ("Canon", "Nikon"):
        for i in range(1, 51):
            folder = f"RealSR(V3)/{maker}/Test/4"
            place(f"{folder}/{maker}_{i:03}_HR.png", 16)
            place(f"{folder}/{maker}_{i:03}_LR4.png", low)
    (found,) = find_datasets(tmp_path, ["RealSR", "DRealSR"])
    assert len(found.pairs) == 100 and found.pairs[0].name == "Canon_001"
    assert found.pairs[0].scale == scale and not found.crops


def test_drealsr_pairs_when_names_end_in_the_zoom(place: Place, tmp_path: Path) -> None:
    for i in range(93):
        place(f"DRealSR/Test_x4/test_HR/sony_{i}_x4.png", 16)
        place(f"DRealSR/Test_x4/test_LR/sony_{i}_x1.png", 4)
    (found,) = find_datasets(tmp_path, ["RealSR", "DRealSR"])
    assert found.name == "DRealSR" and {pair.scale for pair in found.pairs} == {4}


def test_crops_of_stablesr_come_before_whole_photos(place: Place, tmp_path: Path) -> None:
    for i in range(93):
        place(f"DrealSRVal_crop128/test_HR/p{i:03}.png", 512)
        place(f"DrealSRVal_crop128/test_LR/p{i:03}.png", 128)
    (found,) = find_datasets(tmp_path, ["DRealSR"])
    assert found.crops and len(found.pairs) == 93


def test_crops_of_another_size_are_an_error(place: Place, tmp_path: Path) -> None:
    for i in range(93):
        place(f"DrealSRVal_crop128/test_HR/p{i:03}.png", 256)
        place(f"DrealSRVal_crop128/test_LR/p{i:03}.png", 64)
    with pytest.raises(UsageError, match="256 x 256 pixels, expected 512 x 512"):
        find_datasets(tmp_path, ["DRealSR"])


def test_gopro_is_paired_scene_by_scene(place: Place, tmp_path: Path) -> None:
    for i in range(1111):
        scene = f"GOPR{i % 11:02}"
        place(f"GOPRO/test/{scene}/sharp/{i:06}.png", 16)
        place(f"GOPRO/test/{scene}/blur/{i:06}.png", 16)
    (found,) = find_datasets(tmp_path, ["GOPRO"])
    assert len(found.pairs) == 1111 and found.pairs[0].name == "GOPR00-000000"
    lq = found.pairs[0].lq
    assert lq is not None and lq.parent.name == "blur"


def test_any_folder_is_taken_with_its_captions(place: Place, tmp_path: Path) -> None:
    for name in ("b", "a"):
        place(f"mine/{name}.png", 8)
    lines = [
        {"file": "a.png", "captions": ["a red car", "a car"]},
        {"file": "b.png", "captions": []},
    ]
    text = "\n".join(json.dumps(line) for line in lines)
    (tmp_path / "mine" / "captions.jsonl").write_text(text, "utf-8")
    (found,) = find_datasets(tmp_path / "mine", ["DIV2K"])
    assert found.name == "mine" and [pair.name for pair in found.pairs] == ["a", "b"]
    assert found.captions == {"a": "a red car"}


def test_captions_beside_a_published_set_are_read(place: Place, tmp_path: Path) -> None:
    fill_div2k(place, "data")
    (photo, *_) = sorted((tmp_path / "data").rglob("DIV2K_valid_HR/*.png"))
    line = json.dumps({"file": photo.name, "captions": ["a penguin"]})
    (photo.parent / "captions.jsonl").write_text(line, "utf-8")
    (found,) = find_datasets(tmp_path / "data", ["DIV2K"])
    assert found.name == "DIV2K" and found.captions == {photo.stem: "a penguin"}


def test_captions_of_another_kind_are_an_error(place: Place, tmp_path: Path) -> None:
    place("mine/a.png", 8)
    (tmp_path / "mine" / "captions.jsonl").write_text('{"name": "a"}', "utf-8")
    with pytest.raises(InputError, match="captions that cannot be read"):
        find_datasets(tmp_path / "mine", ["DIV2K"])


def test_a_missing_folder_and_one_without_photos_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a folder without photos"):
        find_datasets(tmp_path, ["DIV2K"])
    with pytest.raises(UsageError, match="no such folder"):
        find_datasets(tmp_path / "none", ["DIV2K"])
