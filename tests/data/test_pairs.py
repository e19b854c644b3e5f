from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unfade.data.pairs import HardNegative, PairOptions, crop, old_photo_pair, photo_index
from unfade.data.sources import CleanPhoto
from unfade.degrade import Degraded
from unfade.degrade.ops import luma
from unfade.degrade.stencils import Stencil
from unfade.rng import generator

SMALL = PairOptions(size=48)
FIELDS = ("lq", "hq", "toned", "mask", "lost")


def same(a: Degraded, b: Degraded) -> bool:
    return all(np.array_equal(getattr(a, f), getattr(b, f)) for f in FIELDS)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1 << 40), count=st.integers(1, 50), epoch=st.integers(0, 1 << 30))
def test_photo_index_shows_every_photo_each_epoch(seed: int, count: int, epoch: int) -> None:
    shown = [photo_index(seed, epoch * count + i, count) for i in range(count)]
    assert sorted(shown) == list(range(count))


def test_photo_index_shows_all_in_a_new_order_each_epoch_and_crops_all_parts(
    distinct: Callable[[], np.ndarray],
) -> None:
    orders = {tuple(photo_index(0, e * 20 + i, 20) for i in range(20)) for e in range(6)}
    assert len(orders) == 6
    seen = np.zeros(10, bool)
    for seed in range(80):
        out = crop(distinct(), np.random.default_rng(seed), 48)
        seen[np.unique((out[..., 0] * 9.99).astype(int))] = True
    assert seen.all()


def test_old_photo_pair_depends_on_seed_and_number_alone(photos: list[CleanPhoto]) -> None:
    forward = [old_photo_pair(photos, 7, n, SMALL) for n in range(12)]
    backward = [old_photo_pair(photos, 7, n, SMALL) for n in reversed(range(12))][::-1]
    assert all(same(a, b) for a, b in zip(forward, backward, strict=True))
    others = [old_photo_pair(photos, 8, n, SMALL) for n in range(12)]
    assert not any(same(a, b) for a, b in zip(forward, others, strict=True))
    assert not any(same(a, b) for a, b in zip(forward[1:], forward[:-1], strict=True))


def test_old_photo_pair_has_the_size_asked_for(photos: list[CleanPhoto]) -> None:
    for size in (16, 48, 96):  # 96: larger than the photos
        for number in range(8):
            pair = old_photo_pair(photos, 0, number, PairOptions(size=size))
            assert pair.lq.shape == pair.hq.shape == pair.toned.shape == (size, size, 3)
            assert pair.mask.shape == pair.lost.shape == (size, size)
            assert all(getattr(pair, f).dtype == np.float32 for f in FIELDS)
            assert pair.lq.min() >= 0 and pair.lq.max() <= 1


def test_a_third_of_the_clean_pairs_did_not_age_and_a_third_changed_in_tone_alone(
    photos: list[CleanPhoto],
) -> None:
    options = PairOptions(size=16, clean=1.0, distractors=False)
    pairs = [old_photo_pair(photos, 0, number, options) for number in range(240)]
    assert not any(p.mask.any() or p.lost.any() or p.kinds for p in pairs)
    untouched = np.array([np.array_equal(p.lq, p.hq) for p in pairs])
    toned = np.array([np.array_equal(p.lq, p.toned) for p in pairs])
    assert toned[untouched].all()
    # A fifth of the changes of tone change nothing; and some prints that aged were kept well.
    assert untouched.mean() == pytest.approx(1 / 3 + 0.06, abs=0.09)
    assert toned.mean() == pytest.approx(2 / 3, abs=0.09)


def test_old_photo_pair_draws_the_share_of_clean_ones(photos: list[CleanPhoto]) -> None:
    options = PairOptions(size=16, clean=0.6, light=0.0, heavy=1.0)  # heavy ones are damaged
    pairs = [old_photo_pair(photos, 0, n, options) for n in range(200)]
    assert np.mean([np.array_equal(p.lq, p.toned) for p in pairs]) == pytest.approx(0.4, abs=0.1)
    assert np.mean([p.kinds == {} for p in pairs]) == pytest.approx(0.6, abs=0.1)


@pytest.mark.parametrize("size", [(60, 70), (48, 48), (10, 90), (1, 1), (300, 200)])
def test_crop_gives_a_square_from_any_photo(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((*size, 3), dtype=np.float32)
    kept = image.copy()
    for seed in range(10):
        out = crop(image, np.random.default_rng(seed), 48)
        assert out.shape == (48, 48, 3) and out.dtype == np.float32
        assert out.flags.c_contiguous and out.min() >= 0 and out.max() <= 1
    np.testing.assert_array_equal(image, kept)


@settings(max_examples=150, deadline=None)
@given(
    height=st.integers(20, 200),
    width=st.integers(20, 200),
    size=st.sampled_from([16, 48, 96]),
    y=st.floats(0, 0.999),
    x=st.floats(0, 0.999),
    seed=st.integers(0, 1 << 30),
)
def test_crop_holds_its_spot(
    height: int, width: int, size: int, y: float, x: float, seed: int
) -> None:
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    shares = np.stack([(rows + 0.5) / height, (columns + 0.5) / width, 0 * rows], 2)
    out = crop(shares, np.random.default_rng(seed), size, HardNegative(0, y, x))
    assert out.shape == (size, size, 3)
    for axis, share, pixels in ((0, y, height), (1, x, width)):
        near = 2 / pixels  # a pixel of the photo at 0.6 of its size, and rounding
        assert out[..., axis].min() - near <= share <= out[..., axis].max() + near


def test_crop_shows_its_spot_at_many_places_and_seldom_at_the_edge() -> None:
    image = np.zeros((200, 200, 3), np.float32)
    image[98:103, 98:103] = 1
    places: list[tuple[float, float]] = []
    for seed in range(60):
        out = crop(image, np.random.default_rng(seed), 48, HardNegative(0, 0.5, 0.5))[..., 0]
        y, x = np.unravel_index(int(out.argmax()), out.shape)
        places.append((float(y), float(x)))
    assert np.min(places) > 4 and np.max(places) < 44
    assert (np.std(places, 0) > 6).all()


@pytest.fixture
def shades() -> list[CleanPhoto]:
    """Twenty photos of one gray each, 10 / 255 apart."""
    grays = [np.full((60, 70, 3), 20 + 10 * i, np.uint8) for i in range(20)]
    return [CleanPhoto(str(i), cv2.imencode(".png", g)[1].tobytes()) for i, g in enumerate(grays)]


def shade(pair: Degraded) -> int:
    """Which of the shades a pair shows."""
    return round((float(pair.hq.mean()) * 255 - 20) / 10)


PLAIN = PairOptions(size=16, distractors=False)
NEGATIVES = [HardNegative(3, 0.5, 0.5), HardNegative(11, 0.1, 0.9)]


def test_hard_pairs_are_drawn_at_their_share(shades: list[CleanPhoto]) -> None:
    options = replace(PLAIN, hard=0.4)
    shown = [shade(old_photo_pair(shades, 0, n, options, NEGATIVES)) for n in range(300)]
    share = [np.mean(np.array(shown) == place) for place in (3, 11)]
    assert share == pytest.approx([0.2 + 0.6 / 20] * 2, abs=0.07)
    assert set(shown) == set(range(20))  # the rest shows all photos


@pytest.mark.parametrize("clean", [0.0, 1.0])
def test_half_of_the_hard_pairs_are_clean(shades: list[CleanPhoto], clean: float) -> None:
    options = replace(PLAIN, hard=1.0, clean=clean)
    pairs = [old_photo_pair(shades, 0, n, options, NEGATIVES) for n in range(200)]
    assert {shade(pair) for pair in pairs} == {3, 11}
    untouched = [np.array_equal(pair.lq, pair.toned) for pair in pairs]  # two thirds of the clean
    assert np.mean(untouched) == pytest.approx(0.5 * 2 / 3, abs=0.1)
    assert not any(pair.mask.any() for pair, same in zip(pairs, untouched, strict=True) if same)
    assert any(pair.mask.any() for pair in pairs)


def test_hard_pairs_hold_their_spot_and_depend_on_seed_and_number_alone() -> None:
    image = np.full((90, 120, 3), 100, np.uint8)
    image[20:25, 80:85] = (0, 0, 255)
    photos = [CleanPhoto("red", cv2.imencode(".png", image)[1].tobytes())]
    options = replace(PLAIN, size=32, hard=1.0)
    negatives = [HardNegative(0, 22.5 / 90, 82.5 / 120)]
    for number in range(30):
        pair = old_photo_pair(photos, 5, number, options, negatives)
        assert np.ptp(pair.hq[..., 0]) > 0.1  # red, or its gray
        assert same(pair, old_photo_pair(photos, 5, number, options, negatives))


def test_pairs_are_as_ever_when_there_are_no_hard_negatives(photos: list[CleanPhoto]) -> None:
    for number in range(12):
        pair = old_photo_pair(photos, 7, number, replace(SMALL, hard=0.9))
        assert same(pair, old_photo_pair(photos, 7, number, SMALL))
        plain = old_photo_pair(photos, 7, number, replace(SMALL, clean=1.0, distractors=False))
        photo = photos[photo_index(7, number, len(photos))]
        rng = generator(7, "pair", number)
        rng.random()  # whether the pair is soft is drawn before, and nothing else
        hq = crop(photo.decode(), rng, 48)
        gray = np.repeat(luma(hq)[..., None], 3, 2)
        assert np.array_equal(plain.hq, hq) or np.array_equal(plain.hq, gray)


SOFT = PairOptions(size=64, soft=1.0, clean=0.0, light=0.0, heavy=1.0, distractors=False)


def test_soft_pairs_have_the_size_asked_for_and_depend_on_seed_and_number_alone(
    photos: list[CleanPhoto],
) -> None:
    for number in range(10):
        pair = old_photo_pair(photos, 0, number, SOFT)
        assert all(getattr(pair, f).shape[:2] == (64, 64) for f in FIELDS)
        assert all(getattr(pair, f).dtype == np.float32 for f in FIELDS)
        for image in (pair.lq, pair.hq, pair.toned):
            assert image.min() >= 0 and image.max() <= 1
        assert set(np.unique(pair.mask)) <= {0.0, 1.0} and (pair.lost <= pair.mask).all()
        assert same(pair, old_photo_pair(photos, 0, number, SOFT))


def test_soft_pairs_are_drawn_at_their_share_and_leave_the_others_alone(
    shades: list[CleanPhoto],
) -> None:
    some, none = replace(SOFT, size=32, soft=0.4), replace(SOFT, size=32, soft=0.0)
    pairs = [[old_photo_pair(shades, 0, n, o) for o in (some, none)] for n in range(50)]
    assert np.mean([not same(*pair) for pair in pairs]) == pytest.approx(0.4, abs=0.15)


def test_soft_pairs_show_fewer_details() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    photos = [CleanPhoto("noise", cv2.imencode(".png", noise)[1].tobytes())]

    def detail(options: PairOptions) -> float:
        pairs = [old_photo_pair(photos, 0, n, options) for n in range(10)]
        return float(np.mean([np.abs(np.diff(p.hq, axis=1)).mean() for p in pairs]))

    assert detail(SOFT) < 0.6 * detail(replace(SOFT, soft=0.0))


def test_masks_of_soft_pairs_lie_on_the_damage(shades: list[CleanPhoto]) -> None:
    inside, outside = list[float](), list[float]()
    for number in range(40):
        pair = old_photo_pair(shades, 3, number, replace(SOFT, heavy=0.0))
        change = np.abs(pair.lq - pair.toned).max(2)
        if 0.01 < pair.mask.mean() < 0.5:
            inside.append(float(change[pair.mask > 0].mean()))
            outside.append(float(np.median(change[pair.mask == 0])))
    assert len(inside) > 10
    assert np.median(np.array(inside) / np.maximum(outside, 0.01)) > 3


def test_pairs_show_shapes_of_real_damage(shades: list[CleanPhoto]) -> None:
    cross = np.zeros((40, 40), np.uint8)
    cross[18:22], cross[:, 18:22] = 255, 255
    stencils = [Stencil("lint", cv2.imencode(".png", cross)[1].tobytes())]
    options = replace(PLAIN, clean=0.0, light=0.0, heavy=1.0)
    pairs = [old_photo_pair(shades, 0, n, options, stencils=stencils) for n in range(40)]
    real = [n for p in pairs for n in p.params if n.get("kind") == "hairs" and n["op"] != "hairs"]
    assert len(real) > 10
    for number, pair in enumerate(pairs[:5]):
        assert same(pair, old_photo_pair(shades, 0, number, options, stencils=stencils))


@pytest.fixture
def distinct() -> Callable[[], np.ndarray]:
    ramp = np.repeat(np.linspace(0, 1, 200, dtype=np.float32)[None], 100, 0)
    return lambda: np.repeat(ramp[..., None], 3, 2)
