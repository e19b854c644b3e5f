from __future__ import annotations

import numpy as np
import pytest

from unfade.data.enlarging import SmallOptions, downsampled, first_order, small_pair
from unfade.data.sources import CleanPhoto

OPTIONS = SmallOptions(size=64)


@pytest.mark.parametrize("simple", [0.0, 1.0])
def test_small_pair_has_a_quarter_of_the_size_when_scale_is_four(
    photos: list[CleanPhoto], simple: float
) -> None:
    lq, hq = small_pair(photos, 0, 3, SmallOptions(size=64, simple=simple), 4)
    assert lq.shape == (16, 16, 3) and hq.shape == (64, 64, 3)
    assert lq.dtype == hq.dtype == np.float32
    assert lq.min() >= 0 and lq.max() <= 1


def test_small_pair_is_the_same_when_drawn_again(photos: list[CleanPhoto]) -> None:
    first, again = (small_pair(photos, 1, 5, OPTIONS, 4) for _ in range(2))
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], small_pair(photos, 2, 5, OPTIONS, 4)[0])


def test_first_order_keeps_what_a_photo_shows() -> None:
    hq = np.zeros((64, 64, 3), np.float32)
    hq[:, 32:] = 0.8
    for seed in range(20):
        lq = first_order(hq, np.random.default_rng(seed), 4)
        assert lq.shape == (16, 16, 3)
        assert lq[:, :5].mean() < 0.1 and lq[:, 11:].mean() == pytest.approx(0.8, abs=0.05)


def test_plain_pairs_are_reduced_and_nothing_else() -> None:
    y, x = np.mgrid[:66, :64].astype(np.float32)
    hq = np.stack([x / 64, y / 66, (x + y) / 130], 2).astype(np.float32)
    means = hq[:64].reshape(16, 4, 16, 4, 3).mean((1, 3))
    for seed in range(10):
        lq = downsampled(hq, np.random.default_rng(seed), 4)
        assert lq.shape == (16, 16, 3)
        assert np.abs(lq - means)[2:-2, 2:-2].max() < 0.03
