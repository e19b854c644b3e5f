"""The quality of a JPEG follows the quantisation tables of its input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from unfade.imaging import read_photo, write_photo
from unfade.imaging.jpeg_data import quality_of

Encode = Callable[..., bytes]


def tables(path: Path) -> dict[int, list[int]]:
    with Image.open(path) as image:
        return image.quantization  # type: ignore[attr-defined]


@pytest.mark.parametrize("quality", [1, 25, 50, 75, 90, 92, 95, 98, 100])
def test_quality_is_found_from_the_tables(
    quality: int, picture: NDArray[Any], encoded: Encode, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded(Image.fromarray(picture), "JPEG", quality=quality))
    assert quality_of(tables(tmp_path / "a.jpg")) == quality


def test_tables_of_another_encoder_give_a_near_quality() -> None:
    flat = {0: [3] * 64}  # finer than quality 92 in the high frequencies, coarser in the low
    assert quality_of(flat) == 97
    assert quality_of({}) is None


@pytest.mark.parametrize(("of_input", "of_result"), [(60, 92), (92, 92), (96, 96), (100, 100)])
def test_result_has_the_quality_of_its_input_but_at_least_92(
    of_input: int, of_result: int, picture: NDArray[Any], encoded: Encode, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded(Image.fromarray(picture), "JPEG", quality=of_input))
    photo = read_photo(tmp_path / "a.jpg")
    write_photo(tmp_path / "b.jpg", photo)
    assert quality_of(tables(tmp_path / "b.jpg")) == of_result
    write_photo(tmp_path / "b.jpg", photo, quality=80)
    assert quality_of(tables(tmp_path / "b.jpg")) == 80


def test_result_of_another_format_has_95_and_a_gray_one_its_own(
    picture: NDArray[Any], tmp_path: Path
) -> None:
    Image.fromarray(picture).save(tmp_path / "a.png")
    write_photo(tmp_path / "b.jpg", read_photo(tmp_path / "a.png"))
    assert quality_of(tables(tmp_path / "b.jpg")) == 95
    gray = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
    Image.fromarray(gray).save(tmp_path / "a.jpg", quality=94)
    write_photo(tmp_path / "b.jpg", read_photo(tmp_path / "a.jpg"))
    assert quality_of(tables(tmp_path / "b.jpg")) == 94
