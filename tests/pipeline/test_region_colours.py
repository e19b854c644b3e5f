from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from unfade import convert
from unfade.colours import ColourRegion, rgb_of
from unfade.errors import InputError
from unfade.imaging import Photo
from unfade.options import RestoreOptions
from unfade.pipeline.colour import to_lab
from unfade.pipeline.region_colours import read_region_colours, with_region_colours


def photo_of(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> Photo:
    return convert.from_array(pixels, max_pixels=10**8)


def coloured(photo: Photo, folder: Path, *regions: tuple[NDArray[np.bool_], str]) -> Photo:
    """The photo with colours at masks (H, W), which go through files."""
    given: list[ColourRegion] = []
    for i, (mask, colour) in enumerate(regions):
        path = folder / f"region-{i}.png"
        cv2.imwrite(str(path), mask.astype(np.uint8) * 255)
        given.append(ColourRegion(path, colour))
    options = RestoreOptions(colour_regions=tuple(given))
    return with_region_colours([photo], read_region_colours(photo, options))[0]


def lab_of(photo: Photo) -> NDArray[np.float32]:
    """(H, W, 3)."""
    rgb = photo.srgb(slice(None), slice(None)).transpose(2, 0, 1)
    return to_lab(torch.tensor(rgb)[None])[0].permute(1, 2, 0).numpy()


def chroma_of(colour: str) -> NDArray[np.float32]:
    return to_lab(torch.tensor(rgb_of(colour)).reshape(1, 3, 1, 1) / 255)[0, 1:, 0, 0].numpy()


def two_halves(height: int, width: int) -> NDArray[np.uint8]:
    """A dark left and a bright right half, with some grain."""
    rng = np.random.default_rng(0)
    pixels = np.full((height, width), 75, np.float64)
    pixels[:, width // 2 :] = 170
    return (pixels + rng.normal(0, 4, pixels.shape)).clip(0, 255).astype(np.uint8)


def test_region_gets_the_chroma_and_keeps_the_luminance_when_the_photo_is_gray(
    tmp_path: Path,
) -> None:
    gray = np.tile(np.linspace(22000, 36000, 200).astype(np.uint16), (120, 1))
    mask = np.zeros(gray.shape, np.bool_)
    mask[30:90, 60:140] = True
    before = photo_of(gray)
    after = coloured(before, tmp_path, (mask, "blue"))
    assert before.gray and not after.gray and after.bit_depth == 16
    lab = lab_of(after)
    np.testing.assert_allclose(lab[..., 0], lab_of(before)[..., 0], atol=0.01)
    np.testing.assert_allclose(lab[45:75, 85:115, 1:] - chroma_of("blue"), 0, atol=0.05)
    np.testing.assert_array_equal(after.native[:15], np.repeat(before.native[:15], 3, 2))


def test_pixels_outside_stay_bit_for_bit(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8)
    mask = np.zeros((150, 200), np.bool_)
    mask[50:100, 60:120] = True
    before = photo_of(pixels)
    after = coloured(before, tmp_path, (mask, "#40a060"))
    reach = cv2.dilate(mask.astype(np.uint8), np.ones((41, 41))) > 0
    np.testing.assert_array_equal(after.native[~reach], before.native[~reach])
    assert (after.native[mask] != before.native[mask]).any()
    np.testing.assert_array_equal(before.native, pixels)


@pytest.mark.parametrize("size", [(150, 300), (800, 1600)])
def test_rough_stroke_keeps_to_the_edge_when_it_crosses_or_misses_it(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    height, width = size
    before, mask = photo_of(two_halves(height, width)), np.zeros(size, np.bool_)
    middle, off = width // 2, round(0.02 * width)
    mask[: height // 2, : middle + off] = True
    mask[height // 2 :, : middle - off] = True
    lab = lab_of(coloured(before, tmp_path, (mask, "red")))
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    full, rows = np.hypot(*chroma_of("red")), slice(height // 10, -height // 10)
    assert np.mean(chroma[rows, middle - off : middle]) > 0.7 * full
    assert np.mean(chroma[rows, middle : middle + off]) < 0.1 * full
    assert chroma[:, middle + 4 * off :].max() < 0.01


def test_thin_stroke_is_coloured_when_all_around_it_is_alike(tmp_path: Path) -> None:
    before, mask = photo_of(np.full((200, 300), 120, np.uint8)), np.zeros((200, 300), np.bool_)
    mask[98:102, 50:250] = True  # a thin part ...
    mask[20:80, 100:200] = True  # ... and a wide one of the same colour
    after = lab_of(coloured(before, tmp_path, (mask, "green")))
    np.testing.assert_allclose(after[99:101, 60:240, 1:] - chroma_of("green"), 0, atol=2)
    assert not after[92, 60:90, 1:].round(1).any()


def test_later_region_counts_and_variants_that_are_one_photo_stay_one(tmp_path: Path) -> None:
    before, mask = photo_of(np.full((100, 100), 120, np.uint8)), np.ones((100, 100), np.bool_)
    half = mask.copy()
    half[:, 50:] = False
    after = lab_of(coloured(before, tmp_path, (mask, "red"), (half, "blue")))
    np.testing.assert_allclose(after[50, 20, 1:], chroma_of("blue"), atol=1.5)
    np.testing.assert_allclose(after[50, 80, 1:], chroma_of("red"), atol=1.5)
    photo = photo_of(np.full((40, 40), 120, np.uint8))
    cv2.imwrite(str(tmp_path / "m.png"), np.full((40, 40), 255, np.uint8))
    options = RestoreOptions(colour_regions=(ColourRegion(tmp_path / "m.png", "skin"),))
    first, second = with_region_colours([photo, photo], read_region_colours(photo, options))
    assert first is second and first is not photo


def test_mask_is_refused_when_it_is_empty_or_of_another_shape(tmp_path: Path) -> None:
    photo = photo_of(np.full((40, 60), 120, np.uint8))
    with pytest.raises(InputError, match="a mask without a region"):
        coloured(photo, tmp_path, (np.zeros((40, 60), np.bool_), "red"))
    with pytest.raises(InputError, match="the proportions of the photo"):
        coloured(photo, tmp_path, (np.ones((40, 40), np.bool_), "red"))
