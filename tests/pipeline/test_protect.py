from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from unfade.errors import InputError
from unfade.imaging import Photo, write_mask
from unfade.pipeline.holes import weight_rows
from unfade.pipeline.protect import OTHER_TONE, read_protected, restore_protected

MakePhoto = Callable[..., Photo]


def region(rows: slice, cols: slice, size: tuple[int, int] = (64, 80)) -> np.ndarray:
    mask = np.zeros(size, np.uint8)
    mask[rows, cols] = 255
    return mask


def test_masks_are_joined_at_the_size_of_the_photo(make_photo: MakePhoto, tmp_path: Path) -> None:
    write_mask(tmp_path / "a.png", region(slice(0, 10), slice(0, 80)))
    write_mask(tmp_path / "b.png", region(slice(100, 128), slice(0, 20), (128, 160)))
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    protected = read_protected(make_photo(), files, 10**6)
    assert protected is not None
    expected = region(slice(0, 10), slice(0, 80)) | region(slice(50, 64), slice(0, 10))
    np.testing.assert_array_equal(protected, expected)
    assert read_protected(make_photo(), [], 10**6) is None


def test_a_mask_that_protects_nothing_or_does_not_fit_is_refused(
    make_photo: MakePhoto, tmp_path: Path
) -> None:
    write_mask(tmp_path / "black.png", np.full((64, 80), 100, np.uint8))
    write_mask(tmp_path / "wide.png", np.full((64, 160), 255, np.uint8))
    for name, words in (("black", "protects nothing"), ("wide", "the proportions")):
        with pytest.raises(InputError, match=words):
            read_protected(make_photo(), [tmp_path / f"{name}.png"], 10**6)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("gray", [False, True])
def test_protected_pixels_are_the_photos_and_far_ones_the_results(
    make_photo: MakePhoto, depth: int, gray: bool
) -> None:
    size = (600, 90)  # more than one band
    photo, result = (make_photo(*size, depth=depth, gray=gray, seed=seed) for seed in (0, 1))
    made = result.native.copy()
    protected = region(slice(500, 530), slice(20, 60), size)
    restore_protected([result, result], photo, protected)
    weight = weight_rows(protected, 0.5, slice(0, 600))
    for core, source in ((protected > 0, photo.native), (weight == 0, made)):
        np.testing.assert_array_equal(result.native[core], source[core])
    between = (weight > 0) & (weight < 1)
    low, high = np.minimum(photo.native, made)[between], np.maximum(photo.native, made)[between]
    edge = result.native[between]
    assert ((low <= edge) & (edge <= high)).all() and (edge != made[between]).mean() > 0.5


def test_protected_pixels_of_a_gray_photo_stay_gray_in_a_coloured_result(
    make_photo: MakePhoto,
) -> None:
    photo, coloured = make_photo(gray=True, depth=16), make_photo(depth=16, seed=1)
    protected = region(slice(10, 30), slice(10, 30))
    restore_protected([coloured], photo, protected)
    np.testing.assert_array_equal(
        coloured.native[10:30, 10:30], np.repeat(photo.native[10:30, 10:30], 3, 2)
    )


@pytest.mark.parametrize("change", [0, 40])
def test_change_that_was_taken_back_is_told(make_photo: MakePhoto, change: int) -> None:
    photo, result = make_photo(), make_photo()
    result.native[...] = photo.native // 2 + np.uint8(change)
    photo.native[...] = photo.native // 2
    found = restore_protected([result, result], photo, region(slice(10, 30), slice(10, 30)))
    assert found == pytest.approx(change / 255, abs=1e-3)
    assert (found > OTHER_TONE) == (change > 0)
