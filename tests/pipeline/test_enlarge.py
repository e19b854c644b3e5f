from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

import unfade.imaging.exif as exif
from unfade.errors import InputError
from unfade.imaging import Photo
from unfade.pipeline.enlarge import EnlargedSource, check_size, passes, shrunk, with_print_size

MakePhoto = Callable[..., Photo]


@pytest.mark.parametrize(
    ("scale", "steps"),
    [(1, [2]), (1.5, [2]), (2, [2]), (2.01, [4]), (3, [4]), (4, [4]), (5, [4, 2]), (8, [4, 2]),
     (9, [4, 4]), (16, [4, 4]), (33, [4, 4, 4])],
)  # fmt: skip
def test_passes_are_the_next_that_reach_the_scale(scale: float, steps: list[int]) -> None:
    assert passes(scale) == steps


@pytest.mark.parametrize("scale", [2, 4])
def test_enlarged_picture_is_the_whole_enlarged_photo_region_by_region(
    make_photo: MakePhoto, scale: int
) -> None:
    photo = make_photo(37, 50)
    picture = EnlargedSource(photo, scale)
    size = (50 * scale, 37 * scale)
    whole = cv2.resize(photo.srgb(slice(None), slice(None)), size, interpolation=cv2.INTER_CUBIC)
    whole = np.clip(whole, 0, 1)
    assert (picture.height, picture.width) == whole.shape[:2]
    height, width = whole.shape[:2]
    for rows, cols in (
        (slice(0, height), slice(0, width)),
        (slice(13, 47), slice(5, 61)),
        (slice(height - 9, height), slice(width - 1, width)),
    ):
        region = picture.read(rows, cols)[0].permute(1, 2, 0).numpy()
        np.testing.assert_allclose(region, whole[rows, cols], atol=1e-6)
    assert picture.read_mask(slice(0, 1), slice(0, 1)) is None


def test_result_of_too_many_pixels_is_refused(make_photo: MakePhoto) -> None:
    photo = make_photo(64, 80)
    check_size(photo, 4, 320 * 256)
    with pytest.raises(InputError, match=r"320 x 256 pixels at scale 4.*81919"):
        check_size(photo, 4, 320 * 256 - 1)
    with pytest.raises(InputError):  # made four times as large on the way
        check_size(photo, 3, 300 * 250)


@pytest.mark.parametrize("gray", [False, True])
def test_shrunk_photo_has_the_size_asked_for(make_photo: MakePhoto, gray: bool) -> None:
    photo = make_photo(64, 80, gray=gray, depth=16)
    out = shrunk(photo, (48, 60))
    assert out.native.shape == (48, 60, 1 if gray else 3) and out.bit_depth == 16
    assert abs(float(out.native.mean()) - float(photo.native.mean())) < 200
    assert shrunk(photo, (64, 80)) is photo


def test_print_keeps_its_size(make_photo: MakePhoto) -> None:
    photo = make_photo()
    assert with_print_size(photo, 4).metadata.dpi is None
    block = exif.with_dpi(None, (300, 300))
    photo = replace(photo, metadata=replace(photo.metadata, dpi=(300, 300), exif=block))
    out = with_print_size(photo, 2.5)
    assert out.metadata.dpi == (750, 750)
    assert exif.block_dpi(out.metadata.exif) == (750, 750)
