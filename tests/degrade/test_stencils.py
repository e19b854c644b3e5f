from __future__ import annotations

import cv2
import numpy as np
import pytest

from unfade.degrade.stencils import Stencil, lay
from unfade.degrade.types import Mask
from unfade.errors import InputError


def stencil(shape: np.ndarray, kind: str = "spots") -> Stencil:
    return Stencil(kind, cv2.imencode(".png", shape)[1].tobytes())


@pytest.fixture
def square() -> Stencil:
    """Solid, 300 pixels a side."""
    return stencil(np.full((300, 300), 255, np.uint8))


@pytest.fixture
def hook() -> Stencil:
    """An L of lines of 3 pixels, which no turn or flip leaves as it is."""
    shape = np.zeros((200, 100), np.uint8)
    shape[:, 10:13] = 255
    shape[150:153, 10:90] = 128
    return stencil(shape, "hair")


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_decode_gives_shares_of_coverage(hook: Stencil) -> None:
    shape = hook.decode()
    assert shape.shape == (200, 100) and shape.dtype == np.float32
    assert shape[5, 11] == 1 and shape[151, 50] == np.float32(128 / 255) and shape[0, 0] == 0


@pytest.mark.parametrize("code", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_decode_refuses_what_is_no_picture(code: bytes) -> None:
    with pytest.raises(InputError, match="undecodable shape of hair"):
        Stencil("hair", code).decode()


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1), (2, 3), (64, 80)])
def test_lay_fits_photos_of_any_size(square: Stencil, hook: Stencil, size: tuple[int, int]) -> None:
    for unit in (min(size) / 256, 3.0):
        for seed in range(6):
            for shape in (square, hook, stencil(np.full((1, 1), 255, np.uint8))):
                cover = lay(shape, *size, rng(seed), unit)
                assert cover.shape == size and cover.dtype == np.float32
                assert np.isfinite(cover).all() and cover.min() >= 0 and cover.max() <= 1
                np.testing.assert_array_equal(cover, lay(shape, *size, rng(seed), unit))


@pytest.mark.parametrize("unit", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("side", [40, 160])
def test_lay_gives_the_size_asked_for(square: Stencil, unit: float, side: int) -> None:
    photo = round(8 * side * unit)
    areas = [
        float(lay(square, photo, photo, rng(seed), unit, least=side, most=side).sum())
        for seed in range(15)
    ]
    assert np.median(areas) == pytest.approx((side * unit) ** 2, rel=0.06)  # most lie inside


def test_lay_turns_flips_and_moves_shapes(hook: Stencil) -> None:
    covers = [lay(hook, 128, 128, rng(seed), 0.5, least=200, most=200) for seed in range(30)]
    seen = np.maximum.reduce(covers)
    assert len({cover.tobytes() for cover in covers}) > 25
    assert all(
        quarter.max() > 0.5
        for quarter in (seen[:64, :64], seen[:64, 64:], seen[64:, :64], seen[64:, 64:])
    )


def test_lay_keeps_thin_lines_when_it_makes_them_small(hook: Stencil) -> None:
    def strongest(side: float) -> float:
        covers: list[Mask] = [
            lay(hook, 96, 96, rng(seed), 1.0, least=side, most=side) for seed in range(10)
        ]
        return float(np.median([cover.max() for cover in covers]))

    assert strongest(300) > 0.7 and strongest(100) > 0.5
