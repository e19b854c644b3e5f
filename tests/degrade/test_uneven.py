from __future__ import annotations

import numpy as np

from unfade.degrade.uneven import uneven_fading


def test_uneven_fading_is_smooth_and_differs_from_place_to_place() -> None:
    photo = np.full((64, 96, 3), 0.5, np.float32)
    spread: list[float] = []
    for seed in range(60):
        out = uneven_fading(photo, np.random.default_rng(seed))
        assert out.shape == photo.shape and out.dtype == np.float32
        assert out.min() >= 0 and out.max() <= 1
        assert np.array_equal(out, uneven_fading(photo, np.random.default_rng(seed)))
        steps = np.abs(np.diff(out, axis=0)).max(), np.abs(np.diff(out, axis=1)).max()
        assert max(steps) < 0.12
        spread.append(float(np.ptp(out, axis=(0, 1)).max()))
    assert np.median(spread) > 0.03 and max(spread) > 0.2
