from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from unfade.errors import InputError, OutputError
from unfade.imaging import read_mask, write_mask


@pytest.fixture
def mask() -> NDArray[np.uint8]:
    result = np.zeros((60, 80), np.uint8)
    result[20:40, 30:50] = 255
    result[0, 0], result[59, 79] = 128, 1
    return result


def test_a_mask_survives_the_round_trip(mask: NDArray[np.uint8], tmp_path: Path):
    write_mask(tmp_path / "m.png", mask)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", size=None), mask)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", size=(60, 80)), mask)
    image = Image.open(tmp_path / "m.png")
    assert image.mode == "L"
    np.testing.assert_array_equal(np.asarray(image), mask)


@pytest.mark.parametrize("kind", ["RGB", "1", "16", "jpg", "tif", "painted"])
def test_a_mask_of_any_kind(kind: str, mask: NDArray[np.uint8], tmp_path: Path):
    path, image = tmp_path / "m.png", Image.fromarray(mask)
    if kind == "16":
        Image.fromarray(mask.astype(np.uint16) * 257).save(path)
    elif kind == "painted":
        red = np.zeros((60, 80, 4), np.uint8)
        red[..., :3], red[..., 3] = 255, mask
        Image.fromarray(red).save(path)
    elif kind in ("jpg", "tif"):
        path = tmp_path / f"m.{kind}"
        image.save(path, quality=100)
    else:
        image.convert(kind, dither=Image.Dither.NONE).save(path)
    found = read_mask(path, size=(60, 80))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found[22:38, 32:48], 255)
    assert not found[50:58, :70].any()


@pytest.mark.parametrize("size", [(120, 160), (30, 40), (599, 800), (6, 8)])
def test_a_mask_of_the_same_proportions_is_resized(
    size: tuple[int, int], mask: NDArray[np.uint8], tmp_path: Path
):
    write_mask(tmp_path / "m.png", mask)
    found = read_mask(tmp_path / "m.png", size=size)
    assert found.shape == size
    assert found[size[0] // 2, size[1] // 2] == 255 and found[-1, 0] == 0


def test_limits_and_proportions_hold_for_masks(mask: NDArray[np.uint8], tmp_path: Path):
    write_mask(tmp_path / "m.png", mask)
    for size in ((80, 60), (60, 78), (60, 60)):
        with pytest.raises(InputError, match=f"80 x 60.*{size[1]} x {size[0]}") as caught:
            read_mask(tmp_path / "m.png", size=size)
        assert caught.value.path == tmp_path / "m.png"
    write_mask(tmp_path / "m.png", mask)
    with pytest.raises(InputError, match="at most"):
        read_mask(tmp_path / "m.png", size=None, max_pixels=100)


def test_a_mask_is_written_as_png_only(mask: NDArray[np.uint8], tmp_path: Path):
    with pytest.raises(OutputError, match="png"):
        write_mask(tmp_path / "m.jpg", mask)
    with pytest.raises(OutputError, match="no such folder"):
        write_mask(tmp_path / "none" / "m.png", mask)
    wrong: Any = mask.astype(np.float32)
    with pytest.raises(ValueError, match="uint8"):
        write_mask(tmp_path / "m.png", wrong)
