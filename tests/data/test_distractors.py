from __future__ import annotations

import numpy as np
import pytest

from unfade.data.distractors import _frame, distract  # pyright: ignore


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


def test_distract_changes_over_a_quarter_and_frames_reach_to_a_third() -> None:
    image = np.full((96, 96, 3), 0.5, np.float32)
    changed = [
        not np.array_equal(distract(image, np.random.default_rng(seed)), image)
        for seed in range(300)
    ]
    assert 0.2 < np.mean(changed) < 0.34
    widths = list[int]()
    for seed in range(60):
        image = np.full((120, 200, 3), 0.5, np.float32)
        out = _frame(image, np.random.default_rng(seed))
        changed = np.asarray((np.abs(out - 0.5) > 0.1).all(2))
        widths += [
            int(row.argmin())
            for row in (changed[:, 100], changed[::-1, 100])
            if row[0] and not row.all()
        ]
    assert 3 <= min(widths) < 8 and 25 < max(widths) <= 42
