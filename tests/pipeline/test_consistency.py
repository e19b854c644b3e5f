from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from unfade.imaging import Photo
from unfade.options import RestoreOptions
from unfade.pipeline.consistency import ContentConsistency, content_consistency, undamaged_pixels
from unfade.pipeline.holes import hole_map
from unfade.pipeline.request import Request

MakePhoto = Callable[..., Photo]


def compare(
    photo: Photo, result: Photo, mask: NDArray[np.uint8] | None = None, **options: Any
) -> ContentConsistency:
    request = Request(photo, RestoreOptions(**options), 0.5, mask)
    (consistency,) = content_consistency(request, [result])
    return consistency


def measured(photo: Photo, result: Photo, mask: Any = None, **options: Any) -> float:
    found = compare(photo, result, mask, **options).alignment
    assert found is not None
    return found


def changed(photo: Photo, native: NDArray[Any]) -> Photo:
    return replace(photo, native=native.astype(photo.native.dtype))


def pasted(photo: Photo, top: int, left: int, side: int) -> Photo:
    """With rings in a square of the photo."""
    y, x = np.mgrid[:side, :side] - side / 2
    rings = np.iinfo(photo.native.dtype).max * (np.hypot(y, x) % 12 < 6)
    native = photo.native.copy()
    native[top : top + side, left : left + side] = rings[..., None]
    return changed(photo, native)


def block(height: int, width: int, top: int, left: int, side: int) -> NDArray[np.uint8]:
    mask = np.zeros((height, width), np.uint8)
    mask[top : top + side, left : left + side] = 255
    return mask


@pytest.mark.parametrize("task", ["old-photo", "super-resolution", "colorize"])
@pytest.mark.parametrize(
    ("height", "width", "gray", "depth"),
    [(300, 400, False, 8), (600, 530, False, 16), (90, 70, True, 8), (1, 1, False, 8),
     (5, 2500, False, 8)],
)  # fmt: skip
def test_alignment_is_one_when_nothing_changes(
    make_photo: MakePhoto, task: Any, height: int, width: int, gray: bool, depth: int
) -> None:
    photo = make_photo(height, width, gray=gray, depth=depth)
    found = compare(photo, photo, task=task)
    assert found.alignment == 1
    assert found.similarity_grid.min() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("size", [(300, 400), (620, 800)])
def test_foreign_object_lowers_it_and_shows_on_the_map(
    make_photo: MakePhoto, size: tuple[int, int]
) -> None:
    photo, side = make_photo(*size), size[0] // 5
    top, left = size[0] // 2, size[1] // 2
    found = compare(photo, pasted(photo, top, left, side))
    assert found.alignment is not None and found.alignment < 0.8
    places = cv2.resize(found.similarity_grid, size[::-1], interpolation=cv2.INTER_LINEAR)
    inside = block(*size, top, left, side) > 0
    near = cv2.dilate(inside.astype(np.uint8), np.ones((side, side))) > 0
    assert places[inside].mean() < 0.8
    assert places[~near].min() > 0.95


@pytest.mark.parametrize("size", [(300, 400), (620, 800)])
def test_what_is_filled_in_the_mask_does_not_count(
    make_photo: MakePhoto, size: tuple[int, int]
) -> None:
    photo, side = make_photo(*size), size[0] // 5
    result = pasted(photo, 40, 50, side)
    mask = block(*size, 40, 50, side)
    assert measured(photo, result) < 0.8
    assert measured(photo, result, mask) > 0.99
    elsewhere = pasted(result, size[0] // 2, size[1] // 2, side)
    assert measured(photo, elsewhere, mask) < 0.8


def test_nothing_is_measured_when_all_is_damage(make_photo: MakePhoto) -> None:
    photo = make_photo()
    found = compare(photo, pasted(photo, 10, 10, 30), np.full((64, 80), 255, np.uint8))
    assert found.alignment is None
    assert (found.similarity_grid == 1).all()


def test_tone_hardly_lowers_it_where_it_is_mended(make_photo: MakePhoto) -> None:
    photo = make_photo(300, 400)
    faded = changed(photo, 90 + photo.native * np.array([0.5, 0.35, 0.4]))
    mended = measured(faded, photo)
    assert mended > 0.97
    assert measured(faded, photo, tone="keep") < mended - 0.05
    assert measured(faded, pasted(photo, 100, 100, 60)) < 0.8


def test_negative_is_not_taken_for_a_mended_tone(make_photo: MakePhoto) -> None:
    photo = make_photo(300, 400)
    assert measured(photo, changed(photo, 255 - photo.native)) < 0.8


def test_enlarged_photo_is_compared_at_the_size_of_the_input(make_photo: MakePhoto) -> None:
    photo = make_photo(120, 160)
    native = cv2.resize(photo.native, (400, 300), interpolation=cv2.INTER_CUBIC)
    large = changed(photo, native)
    assert measured(photo, large, task="super-resolution") > 0.98
    assert measured(photo, pasted(large, 100, 100, 60), task="super-resolution") < 0.8


def test_colours_do_not_count_where_they_are_found(make_photo: MakePhoto) -> None:
    photo = make_photo(300, 400, gray=True)
    light = np.repeat(photo.native, 3, 2).astype(np.float64)
    tint = np.array([1.2, 1.0, 0.4])
    coloured = changed(photo, np.clip(light * tint / (tint @ [0.2126, 0.7152, 0.0722]), 0, 255))
    assert measured(photo, coloured, task="colorize") > 0.99
    assert measured(photo, coloured, tone="keep") < 0.95
    assert measured(photo, pasted(coloured, 100, 100, 60), task="colorize") < 0.8


def test_variants_are_measured_one_by_one(make_photo: MakePhoto) -> None:
    photo = make_photo(300, 400)
    other = pasted(photo, 100, 100, 60)
    request = Request(photo, RestoreOptions(), 0.5)
    first, second = content_consistency(request, [photo, other])
    assert first.alignment == 1
    assert second.alignment == compare(photo, other).alignment != 1


@pytest.mark.parametrize("size", [(64, 80), (1900, 2100)])
def test_sound_is_what_is_not_erased(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    mask = (255 * (rng.random(size) > 0.999)).astype(np.uint8)
    mask[20:50, 10:60] = rng.integers(0, 256, (30, 50))
    bands = [undamaged_pixels(mask, 0.6, slice(i, i + 7)) for i in range(0, mask.shape[0], 7)]
    sound = np.concatenate(bands)
    np.testing.assert_array_equal(sound, hole_map(mask, 0.6) == 0)
    assert 0 < sound.mean() < 1
