from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from unfade.degrade import damage as dm
from unfade.degrade.types import Image, Mask

MakeImage = Callable[..., Image]
Paint = Callable[[Image, np.random.Generator, float], tuple[Image, Mask]]

PAINTS: dict[str, Paint] = {
    "scratches": lambda x, rng, u: dm.scratches(x, rng, u, 5, False),
    "dark scratches": lambda x, rng, u: dm.scratches(x, rng, u, 5, True),
    "cracks": lambda x, rng, u: dm.cracks(x, rng, u, 3),
    "wrinkles": lambda x, rng, u: dm.wrinkles(x, rng, u, 12),
    "fold": dm.fold,
    "dust": lambda x, rng, u: dm.dust(x, rng, u, 30, False),
    "dark dust": lambda x, rng, u: dm.dust(x, rng, u, 30, True),
    "spots": lambda x, rng, u: dm.spots(x, rng, u, 5, False),
    "dark spots": lambda x, rng, u: dm.spots(x, rng, u, 5, True),
    "scribble": dm.scribble,
    "torn edge": lambda x, rng, u: dm.torn(x, rng, u, False),
    "torn corner": lambda x, rng, u: dm.torn(x, rng, u, True),
}
VISIBLE = 2 / 255


@pytest.mark.parametrize("name", PAINTS)
def test_damage_is_pure_and_in_range(picture: MakeImage, name: str) -> None:
    image = picture()
    kept = image.copy()
    same, other = PAINTS[name], 0
    for seed in range(4):
        out, cover = same(image, np.random.default_rng(seed), 0.5)
        assert out.shape == image.shape and out.dtype == np.float32
        assert cover.shape == image.shape[:2] and cover.dtype == np.float32
        for values in (out, cover):
            assert np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1
        again, again_cover = same(image, np.random.default_rng(seed), 0.5)
        np.testing.assert_array_equal(out, again)
        np.testing.assert_array_equal(cover, again_cover)
        other += np.array_equal(out, same(image, np.random.default_rng(seed + 50), 0.5)[0])
    assert other < 2
    np.testing.assert_array_equal(image, kept)


@pytest.mark.parametrize("name", PAINTS)
def test_damage_changes_pixels_only_where_it_covers(name: str) -> None:
    image = np.full((128, 128, 3), 0.45, np.float32)
    for seed in range(6):
        out, cover = PAINTS[name](image, np.random.default_rng(seed), 0.7)
        change = np.abs(out - image).max(2)
        if name == "fold":  # its band of shade is no damage: it is darker, never lighter
            assert (out - image)[cover == 0].max(initial=0) < VISIBLE
            assert change[cover == 0].max(initial=0) < 0.2
        else:
            assert change[cover == 0].max(initial=0) < VISIBLE


@pytest.mark.parametrize("name", sorted(set(PAINTS) - {"wrinkles"}))
def test_damage_covers_pixels_only_where_it_changes_them(name: str) -> None:
    image = np.full((128, 128, 3), 0.45, np.float32)
    covered, seen = 0, 0
    for seed in range(12):
        out, cover = PAINTS[name](image, np.random.default_rng(seed), 0.7)
        strong = cover > 0.25
        covered += int(strong.sum())
        seen += int((strong & (np.abs(out - image).max(2) > VISIBLE)).sum())
    assert covered > 0
    assert seen > 0.93 * covered


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1), (2, 3)])
@pytest.mark.parametrize("name", PAINTS)
def test_damage_can_be_done_to_tiny_photos(
    picture: MakeImage, name: str, size: tuple[int, int]
) -> None:
    image = picture(*size)
    for seed in range(4):
        out, cover = PAINTS[name](image, np.random.default_rng(seed), min(size) / 256)
        assert out.shape == image.shape and cover.shape == size
        assert np.isfinite(out).all()


def test_stroke_width_goes_from_half_a_pixel_to_two_percent() -> None:
    for unit in (0.6, 1.0, 4.0):
        widths = [dm.stroke_width(np.random.default_rng(i), unit) for i in range(600)]
        assert min(widths) >= 0.5
        assert max(widths) <= max(0.8, 0.02 * 256 * unit) + 1e-9
        assert max(widths) > 0.7 * 0.02 * 256 * unit
        assert min(widths) < 0.6


@pytest.mark.parametrize("name", ["scratches", "cracks", "spots", "scribble", "wrinkles", "fold"])
def test_damage_grows_with_the_unit(name: str) -> None:
    def area(unit: float, side: int) -> float:
        image = np.full((side, side, 3), 0.45, np.float32)
        return float(
            np.mean(
                [PAINTS[name](image, np.random.default_rng(s), unit)[1].mean() for s in range(8)]
            )
        )

    small, large = area(1.0, 160), area(2.0, 320)
    # Everything is twice as large on a photo twice as large, but for the least widths.
    assert 0.5 < large / small < 1.6


def test_paper_is_light_and_never_blue() -> None:
    for seed in range(50):
        r, g, b = dm.paper(np.random.default_rng(seed))
        assert 0.5 < b <= g <= r <= 1


@pytest.mark.parametrize("size", [(64, 80), (1, 1), (1, 200)])
def test_stain_darkens_blue_most(picture: MakeImage, size: tuple[int, int]) -> None:
    image = picture(*size)
    kept = image.copy()
    out = dm.stain(image, np.random.default_rng(0), max(min(size) / 64, 0.01))
    assert out.dtype == np.float32 and (out <= image + 1e-6).all() and out.min() >= 0
    share = 1 - out / np.maximum(image, 1e-3)
    assert (share[..., 2] >= share[..., 0] - 1e-5).all()
    np.testing.assert_array_equal(image, kept)


@pytest.mark.parametrize("amount", [-0.35, 0.0, 0.6])
def test_vignette_is_weakest_in_the_middle(amount: float) -> None:
    image = np.full((60, 90, 3), 0.5, np.float32)
    out = dm.vignette(image, np.random.default_rng(0), amount)
    change = np.abs(out - image)
    assert out.dtype == np.float32 and out.min() >= 0 and out.max() <= 1
    assert change[30, 45].max() <= change[0, 0].max() + 1e-6
    assert np.sign(out[0, 0, 0] - 0.5) == -np.sign(amount)
