from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from unfade.cli import compare
from unfade.convert import from_array


def panels(tmp_path: Path, height: int, width: int, *, mask: bool = True) -> np.ndarray:
    """The picture (h, w, 3), BGR, for a white and a black photo and a half mask."""
    white = from_array(np.full((height, width), 65535, np.uint16), max_pixels=10**9)
    black = from_array(np.zeros((height, width, 3), np.uint8), max_pixels=10**9)
    damage = np.zeros((height, width), np.uint8)
    damage[: height // 2] = 255
    path = tmp_path / "x.compare.png"
    compare.write_compare(path, white, damage if mask else None, black)
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return picture


def test_panels_stand_side_by_side(tmp_path: Path) -> None:
    picture = panels(tmp_path, 40, 30)
    assert picture.shape == (40, 3 * 30 + 2 * 8, 3)
    assert (picture[:, :30] == 255).all()
    assert (picture[:20, 38:68] == 255).all()
    assert (picture[20:, 38:68] == 0).all()
    assert (picture[:, -30:] == 0).all()


def test_mask_is_left_out_when_there_is_none(tmp_path: Path) -> None:
    assert panels(tmp_path, 40, 30, mask=False).shape == (40, 2 * 30 + 8, 3)


@pytest.mark.parametrize(
    ("size", "panel"),
    [((5000, 3), (1600, 1)), ((1, 5000), (1, 1600)), ((2000, 3500), (914, 1600)), ((1, 1), (1, 1))],
)
def test_panel_is_reduced_when_the_photo_is_large(
    tmp_path: Path, size: tuple[int, int], panel: tuple[int, int]
) -> None:
    assert panels(tmp_path, *size).shape == (panel[0], 3 * panel[1] + 2 * 8, 3)
