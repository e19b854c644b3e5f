from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unfade.imaging import read_photo
from unfade.web import pictures


def test_change_is_measured_in_the_photos_size_and_laid_over_the_result() -> None:
    before = np.full((20, 30, 3), 100, np.uint8)
    after = np.repeat(np.repeat(before, 2, 0), 2, 1)
    after[:, :30, 1] = 130
    change = pictures.compare(before, after, (20, 30))
    assert (change.share, change.largest, change.most) == (0.5, 30, 30)
    assert change.sharpness is None  # the photo has no edges
    assert change.overlay.shape == (20, 30, 4)
    assert not change.overlay[:, 15:, 3].any()  # the result shows through where nothing changed
    assert (change.overlay[:, :15, 3] == 230).all()
    assert (change.overlay[:, :15, :3].sum(axis=2) > 600).all()  # brightest


def test_overlay_shows_small_changes_beside_one_that_is_large() -> None:
    before = np.full((50, 100, 3), 100, np.uint8)
    after = before.copy()
    after[:, :40] += 12
    after[0, 99] = 255
    change = pictures.compare(before, after, (50, 100))
    assert (change.largest, change.most) == (155, 12)
    assert (change.overlay[:, :40, 3] == 230).all()
    noise = pictures.compare(before, before + np.uint8(1), (50, 100))
    assert noise.most == 8 and noise.overlay[..., 3].max() < 90


@pytest.mark.parametrize("height", [600, 512, 1])
def test_sharpness_doubles_with_the_contrast_and_knows_no_seams(height: int) -> None:
    ramp = np.broadcast_to((np.arange(100) % 2 * 40 + 60)[None, :, None], (height, 100, 3))
    soft = np.ascontiguousarray(np.repeat(np.repeat(ramp[:, :50], 2, 1), 1, 0).astype(np.uint8))
    hard = ((soft.astype(int) - 60) * 2 + 60).astype(np.uint8)
    assert pictures.sharpness(hard) == pytest.approx(2 * pictures.sharpness(soft))
    assert pictures.compare(soft, hard, (10, 10)).sharpness == pytest.approx(2)
    assert pictures.sharpness(soft) == pytest.approx(pictures.sharpness(soft[:1]), rel=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(901, 900), (900, 905)])
def test_sketch_of_a_jpeg_is_the_photo_upright_and_small(
    tmp_path: Path, orientation: int, size: tuple[int, int]
) -> None:
    height, width = size
    y, x = np.mgrid[:height, :width]
    rgb = np.stack([255 * x / width, 255 * y / height, 80 + 0 * x], 2).astype(np.uint8)
    exif = Image.Exif()
    exif[0x112] = orientation
    Image.fromarray(rgb).save(tmp_path / "a.jpg", exif=exif, quality=95)
    quick = pictures.quick_sketch(tmp_path / "a.jpg", 200, max_pixels=10**6)
    assert quick is not None
    whole = read_photo(tmp_path / "a.jpg")
    assert quick.size == (whole.height, whole.width)
    assert 200 <= max(quick.photo.height, quick.photo.width) < 400
    small, full = (
        pictures.display(pictures.sketch(photo, (60, 60))).astype(int)
        for photo in (quick.photo, whole)
    )
    assert np.abs(small - full).max() < 6


def test_there_is_no_sketch_of_what_must_be_read_as_a_whole(tmp_path: Path) -> None:
    image = Image.fromarray(np.zeros((900, 900, 3), np.uint8))
    for name, side, most in (("a.png", 200, 10**6), ("a.jpg", 800, 10**6), ("b.jpg", 200, 10**5)):
        image.save(tmp_path / name)
        assert pictures.quick_sketch(tmp_path / name, side, max_pixels=most) is None
    broken = tmp_path / "c.jpg"
    broken.write_bytes((tmp_path / "a.jpg").read_bytes()[:1500])
    assert pictures.quick_sketch(broken, 200, max_pixels=10**6) is None
