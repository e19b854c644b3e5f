from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unfade.data.pairs import PairOptions, crop, old_photo_pair, photo_index
from unfade.data.sources import CleanPhoto
from unfade.degrade import Degraded

SMALL = PairOptions(size=48)
FIELDS = ("lq", "hq", "toned", "mask", "lost")


def same(a: Degraded, b: Degraded) -> bool:
    return all(np.array_equal(getattr(a, f), getattr(b, f)) for f in FIELDS)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1 << 40), count=st.integers(1, 50), epoch=st.integers(0, 1 << 30))
def test_photo_index_shows_every_photo_each_epoch(seed: int, count: int, epoch: int) -> None:
    shown = [photo_index(seed, epoch * count + i, count) for i in range(count)]
    assert sorted(shown) == list(range(count))


def test_photo_index_shuffles_anew_each_epoch() -> None:
    orders = {tuple(photo_index(0, e * 20 + i, 20) for i in range(20)) for e in range(6)}
    assert len(orders) == 6


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


def test_old_photo_pair_changes_nothing_but_tone_in_clean_ones(photos: list[CleanPhoto]) -> None:
    untouched = 0
    for number in range(20):
        pair = old_photo_pair(photos, 0, number, replace(SMALL, clean=1.0))
        np.testing.assert_array_equal(pair.lq, pair.toned)
        assert not pair.mask.any() and not pair.lost.any()
        untouched += np.array_equal(pair.lq, pair.hq)
    assert 5 <= untouched < 20


def test_old_photo_pair_draws_the_share_of_clean_ones(photos: list[CleanPhoto]) -> None:
    options = PairOptions(size=16, clean=0.3)
    pairs = [old_photo_pair(photos, 0, n, options) for n in range(200)]
    share = np.mean([np.array_equal(p.lq, p.toned) for p in pairs])
    assert share == pytest.approx(0.3, abs=0.1)


@pytest.mark.parametrize("size", [(60, 70), (48, 48), (10, 90), (1, 1), (300, 200)])
def test_crop_gives_a_square_from_any_photo(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((*size, 3), dtype=np.float32)
    kept = image.copy()
    for seed in range(10):
        out = crop(image, np.random.default_rng(seed), 48)
        assert out.shape == (48, 48, 3) and out.dtype == np.float32
        assert out.flags.c_contiguous and out.min() >= 0 and out.max() <= 1
    np.testing.assert_array_equal(image, kept)


def test_crop_shows_all_parts_of_a_photo(distinct: Callable[[], np.ndarray]) -> None:
    seen = np.zeros(10, bool)
    for seed in range(80):
        out = crop(distinct(), np.random.default_rng(seed), 48)
        seen[np.unique((out[..., 0] * 9.99).astype(int))] = True
    assert seen.all()


@pytest.fixture
def distinct() -> Callable[[], np.ndarray]:
    ramp = np.repeat(np.linspace(0, 1, 200, dtype=np.float32)[None], 100, 0)
    return lambda: np.repeat(ramp[..., None], 3, 2)
