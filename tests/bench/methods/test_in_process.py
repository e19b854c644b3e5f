from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from unfade.bench.cases import Case
from unfade.bench.methods.in_process import pixels, restore_each, with_pixels
from unfade.errors import InputError
from unfade.imaging import read_photo


def test_nan_in_a_result_is_told(make_case: Callable[..., Case]) -> None:
    photo = read_photo(make_case().inputs / "a.png")
    image = pixels(photo)
    image[3, 4, 1] = np.nan
    with pytest.raises(InputError, match="NaN"):
        with_pixels(photo, image)


def test_each_image_is_restored_and_measured(
    make_case: Callable[..., Case], tmp_path: Path
) -> None:
    case = make_case(images=("a", "sub/b"))
    images = {name: case.inputs / f"{name}.png" for name in ("a", "sub/b")}
    cost = restore_each(images, tmp_path, lambda _, path: read_photo(path), 7)
    assert (tmp_path / "a.png").is_file() and (tmp_path / "sub/b.png").is_file()
    assert (cost.images, cost.parameters) == (2, 7)
    assert cost.megapixels == pytest.approx(2 * 48 * 48 / 1e6)
    assert cost.seconds > 0 and cost.peak_mib is not None and cost.peak_mib > 50
