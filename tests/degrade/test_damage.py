from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from unfade.degrade import damage as dm
from unfade.degrade.types import Image, Mask

MakeImage = Callable[..., Image]
Cover = Callable[[int, int, np.random.Generator, float], Mask]

COVERS: dict[str, Cover] = {
    "scratches": lambda h, w, rng, u: dm.scratches(h, w, rng, u, 5),
    "abrasion": lambda h, w, rng, u: dm.abrasion(h, w, rng, u, 4),
    "hairs": lambda h, w, rng, u: dm.hairs(h, w, rng, u, 5),
    "cracks": lambda h, w, rng, u: dm.cracks(h, w, rng, u, 3),
    "network": dm.network,
    "wrinkles": lambda h, w, rng, u: dm.wrinkles(h, w, rng, u, 12),
    "fold": dm.fold,
    "dust": lambda h, w, rng, u: dm.dust(h, w, rng, u, 30),
    "blots": lambda h, w, rng, u: dm.blots(h, w, rng, u, 5),
    "flakes": dm.flakes,
    "scribble": dm.scribble,
}
SHAPES = ("corner", "edge", "bite")
WHITE, DARK = np.ones(3, np.float32), np.zeros(3, np.float32)
LOOKS = {
    "white": dm.Look(WHITE, 1.0),
    "faint": dm.Look(WHITE, 0.4),
    "dark": dm.Look(DARK, 0.8),
    "soft": dm.Look(WHITE, 1.0, softness=1.2),
    "raised": dm.Look(WHITE, 1.0, relief=0.7),
    "uneven": dm.Look(WHITE * 0.8, 1.0, mottle=0.08),
    "lighter": dm.Look(None, 0.5),
    "darker": dm.Look(None, -0.5),
    "soft, raised and darker": dm.Look(None, -0.6, softness=0.8, relief=0.5),
}
VISIBLE = 2 / 255


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def bar(h: int = 64, w: int = 64) -> Mask:
    """A coverage with a bar of 5 rows."""
    cover = np.zeros((h, w), np.float32)
    cover[28:33, 8:56] = 1
    return cover


@pytest.mark.parametrize("name", COVERS)
def test_coverage_depends_on_the_generator_alone(name: str) -> None:
    others = 0
    for seed in range(4):
        cover = COVERS[name](64, 80, rng(seed), 0.5)
        assert cover.shape == (64, 80) and cover.dtype == np.float32
        assert np.isfinite(cover).all() and cover.min() >= 0 and cover.max() <= 1
        np.testing.assert_array_equal(cover, COVERS[name](64, 80, rng(seed), 0.5))
        others += np.array_equal(cover, COVERS[name](64, 80, rng(seed + 50), 0.5))
    assert others < 2


@pytest.mark.parametrize("name", COVERS)
def test_coverage_is_seen_and_leaves_most_of_the_photo(name: str) -> None:
    covers = [COVERS[name](128, 128, rng(seed), 0.7) for seed in range(12)]
    assert np.mean([cover.max() > 0.5 for cover in covers]) > 0.7
    assert 0.001 < np.mean(covers) < 0.3


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1), (2, 3)])
@pytest.mark.parametrize("name", COVERS)
def test_tiny_photos_can_be_covered(name: str, size: tuple[int, int]) -> None:
    for seed in range(4):
        cover = COVERS[name](*size, rng(seed), min(size) / 256)
        assert cover.shape == size and np.isfinite(cover).all()
        assert cover.min() >= 0 and cover.max() <= 1


def test_stroke_width_goes_from_half_a_pixel_to_two_percent() -> None:
    for unit in (0.6, 1.0, 4.0):
        widths = [dm.stroke_width(rng(i), unit) for i in range(600)]
        assert min(widths) >= 0.5
        assert max(widths) <= max(0.8, 0.02 * 256 * unit) + 1e-9
        assert max(widths) > 0.7 * 0.02 * 256 * unit
        assert min(widths) < 0.6


@pytest.mark.parametrize("name", ["scratches", "cracks", "blots", "scribble", "wrinkles", "fold"])
def test_coverage_grows_with_the_unit(name: str) -> None:
    def area(unit: float, side: int) -> float:
        covers = [COVERS[name](side, side, rng(seed), unit).mean() for seed in range(8)]
        return float(np.mean(covers))

    # Everything is twice as large on a photo twice as large, but for the least widths.
    assert 0.5 < area(2.0, 320) / area(1.0, 160) < 1.6


def test_broken_keeps_about_its_share() -> None:
    whole = np.ones((200, 200), np.float32)
    kept = [float(dm.broken(rng(0), whole, 6.0, share).mean()) for share in (0.3, 0.5, 0.9)]
    assert kept[0] < 0.35 and kept[1] == pytest.approx(0.5, abs=0.1) and kept[2] > 0.75


@pytest.mark.parametrize("name", LOOKS)
def test_paint_changes_pixels_where_it_says_and_nowhere_else(name: str) -> None:
    look = LOOKS[name]
    image = np.full((64, 64, 3), 0.45, np.float32)
    kept, cover = image.copy(), bar()
    out, reached = look.paint(image, cover, rng(0), 1.0)
    assert out.shape == image.shape and out.dtype == reached.dtype == np.float32
    for values in (out, reached):
        assert np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1
    change = np.abs(out - image).max(2)
    assert change[reached == 0].max() < VISIBLE
    assert (change[30, 12:52] > 0.1).all() and (reached[30, 12:52] > 0.9).all()
    assert not change[:20].any() and not reached[:20].any()
    again = look.paint(image, cover, rng(0), 1.0)
    np.testing.assert_array_equal(out, again[0])
    np.testing.assert_array_equal(image, kept)
    np.testing.assert_array_equal(cover, bar())


@pytest.mark.parametrize(
    ("look", "expected"),
    [("white", 1.0), ("faint", 0.4 + 0.6 * 0.45), ("dark", 0.2 * 0.45),
     ("lighter", 0.45 + 0.5 * 0.55), ("darker", 0.5 * 0.45)],
)  # fmt: skip
def test_paint_blends_by_its_opacity(look: str, expected: float) -> None:
    image = np.full((64, 64, 3), 0.45, np.float32)
    out, reached = LOOKS[look].paint(image, bar(), rng(0), 1.0)
    np.testing.assert_allclose(out[bar() == 1], expected, atol=1e-6)
    np.testing.assert_array_equal(out[bar() == 0], image[bar() == 0])
    np.testing.assert_array_equal(reached, bar())


def test_paint_blurs_the_edges_when_it_is_soft_and_shades_them_when_it_is_raised() -> None:
    image = np.full((64, 64, 3), 0.45, np.float32)
    soft = LOOKS["soft"].paint(image, bar(), rng(0), 1.0)[0][:, 30, 0]
    assert 0.46 < soft[27] < soft[28] < 1
    raised, reached = LOOKS["raised"].paint(image, bar(), rng(0), 1.0)
    shaded = raised[..., 0] < 0.45 - VISIBLE
    assert shaded.any() and (reached[shaded] > 0).all() and not (shaded & (bar() == 1)).any()


def test_emboss_lights_one_side_and_shades_the_other() -> None:
    image = np.full((64, 64, 3), 0.45, np.float32)
    out, cover = dm.emboss(image, bar(), rng(3), 1.0)
    change = (out - image)[..., 0]
    assert change.max() > 0.05 and change.min() < -0.05
    assert not change[cover == 0].any() and cover.min() >= 0 and cover.max() <= 1
    assert abs(float(change.mean())) < 0.1 * float(np.abs(change).mean())


def test_shade_around_darkens_a_band_and_nothing_far_from_it() -> None:
    image = np.full((200, 200, 3), 0.45, np.float32)
    core = np.zeros((200, 200), np.float32)
    core[100] = 1
    shades = [dm.shade_around(image, core, rng(seed), 1.0) for seed in range(6)]
    for out in shades:
        assert (out <= image + 1e-6).all() and out.min() > 0.6 * 0.45
        np.testing.assert_allclose(out[:60], 0.45, atol=1e-4)
    assert min(float(out[100].mean()) for out in shades) < 0.45 - VISIBLE


@pytest.mark.parametrize("shape", SHAPES)
def test_torn_loses_a_part_at_the_edge(picture: MakeImage, shape: str) -> None:
    image = picture(96, 96)
    kept, shares = image.copy(), list[float]()
    for seed in range(12):
        out, cover = dm.torn(image, rng(seed), 0.4, shape)
        assert out.shape == image.shape and out.dtype == cover.dtype == np.float32
        assert out.min() >= 0 and out.max() <= 1 and cover.min() >= 0 and cover.max() <= 1
        np.testing.assert_array_equal(out[cover == 0], image[cover == 0])
        rim = np.concatenate([cover[0], cover[-1], cover[:, 0], cover[:, -1]])
        assert not cover.any() or rim.max() > 0.5
        shares.append(float(cover.mean()))
        np.testing.assert_array_equal(out, dm.torn(image, rng(seed), 0.4, shape)[0])
    assert 0.005 < np.mean(shares) < 0.4
    np.testing.assert_array_equal(image, kept)


def test_torn_shapes_differ() -> None:
    past: list[Any] = [dm.beyond_edge(96, 96, rng(1), 0.4, shape) > 0 for shape in SHAPES]
    corners = np.s_[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert past[0][corners].sum() == 1  # a corner
    sides = [past[1][0], past[1][-1], past[1][:, 0], past[1][:, -1]]
    assert sum(side.mean() > 0.7 for side in sides) == 1  # a whole side
    assert not np.array_equal(past[2], past[1])


def test_paper_is_light_and_never_blue_and_other_colours_have_every_hue() -> None:
    for seed in range(50):
        r, g, b = dm.paper(rng(seed))
        assert 0.5 < b <= g <= r <= 1
    colours = [dm.any_hue(rng(seed), 0.2, 0.9) for seed in range(60)]
    assert np.min(colours) >= 0.2 and np.max(colours) <= 0.9
    assert {int(colour.argmax()) for colour in colours} == {0, 1, 2}


@pytest.mark.parametrize("size", [(64, 80), (1, 1), (1, 200)])
def test_stain_darkens_blue_most(picture: MakeImage, size: tuple[int, int]) -> None:
    image = picture(*size)
    kept = image.copy()
    out = dm.stain(image, rng(0), max(min(size) / 64, 0.01))
    assert out.dtype == np.float32 and (out <= image + 1e-6).all() and out.min() >= 0
    share = 1 - out / np.maximum(image, 1e-3)
    assert (share[..., 2] >= share[..., 0] - 1e-5).all()
    np.testing.assert_array_equal(image, kept)


@pytest.mark.parametrize("amount", [-0.35, 0.0, 0.6])
def test_vignette_is_weakest_in_the_middle(amount: float) -> None:
    image = np.full((60, 90, 3), 0.5, np.float32)
    out = dm.vignette(image, rng(0), amount)
    change = np.abs(out - image)
    assert out.dtype == np.float32 and out.min() >= 0 and out.max() <= 1
    assert change[30, 45].max() <= change[0, 0].max() + 1e-6
    assert np.sign(out[0, 0, 0] - 0.5) == -np.sign(amount)


@pytest.mark.parametrize("size", [(64, 80), (1, 1), (1, 200)])
def test_paper_texture_is_faint_gray_and_even(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 0.5, np.float32)
    for seed in range(8):
        out = dm.paper_texture(image, rng(seed), 1.0)
        assert out.dtype == np.float32 and out.min() >= 0 and out.max() <= 1
        np.testing.assert_array_equal(out[..., 0], out[..., 2])
        assert out.mean() == pytest.approx(0.5, abs=0.1)
        assert size == (1, 1) or 0.001 < out.std() < 0.06
    assert (image == 0.5).all()
