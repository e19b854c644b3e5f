from __future__ import annotations

import numpy as np
import pytest

from unfade.data.distractors import _frame, _stripes, distract  # pyright: ignore


@pytest.mark.parametrize("size", [(128, 128), (16, 16), (1, 1), (5, 90)])
def test_distract_is_pure_and_in_range(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 0.5, np.float32)
    changed = 0
    for seed in range(60):
        out = distract(image, np.random.default_rng(seed))
        assert out.shape == image.shape and out.dtype == np.float32
        assert out.min() >= 0 and out.max() <= 1
        np.testing.assert_array_equal(out, distract(image, np.random.default_rng(seed)))
        changed += not np.array_equal(out, image)
    assert (image == 0.5).all()
    assert changed < 30


def test_distract_changes_over_a_quarter() -> None:
    image = np.full((96, 96, 3), 0.5, np.float32)
    changed = [
        not np.array_equal(distract(image, np.random.default_rng(seed)), image)
        for seed in range(300)
    ]
    assert 0.2 < np.mean(changed) < 0.36


@pytest.mark.parametrize("size", [(128, 128), (16, 16), (1, 1), (5, 90)])
def test_stripes_are_straight_bars_of_one_colour(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 0.5, np.float32)
    shown = 0
    for seed in range(20):
        out = _stripes(image, np.random.default_rng(seed))
        assert out.shape == image.shape and out.dtype == np.float32
        assert out.min() >= 0 and out.max() <= 1
        change = np.abs(out - image).max(2)
        if change.max() < 0.1:
            continue
        shown += 1
        full = out[change > 0.98 * change.max()]
        assert np.ptp(full, axis=0).max() < 0.05
        if size == (128, 128):
            assert (change > 0.9 * change.max()).mean() < 0.5
    assert shown > 10 or min(size) < 16


def test_stripes_keep_their_distance() -> None:
    image = np.full((128, 128, 3), 0.5, np.float32)
    regular = 0
    for seed in range(30):
        change = np.abs(_stripes(image, np.random.default_rng(seed)) - image).max(2)
        on = change.max(0) > 0.5 * max(float(change.max()), 0.1)
        starts = np.flatnonzero(np.diff(on.astype(int)) == 1)
        if len(starts) > 3 and not on.all():
            gaps = np.diff(starts)
            regular += int(np.ptp(gaps) <= 2)
    assert regular > 2


def test_frames_reach_from_three_pixels_to_a_third_of_the_photo() -> None:
    widths = list[int]()
    for seed in range(60):
        image = np.full((120, 200, 3), 0.5, np.float32)
        out = _frame(image, np.random.default_rng(seed))
        changed = (np.abs(out - 0.5) > 0.1).all(2)
        widths += [int(row.argmin()) for row in (changed[:, 100], changed[::-1, 100])
                   if row[0] and not row.all()]  # fmt: skip
    assert 3 <= min(widths) < 8 and 25 < max(widths) <= 42
