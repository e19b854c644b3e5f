from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unfade.imaging import read_photo
from unfade.web import pictures


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
