from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from unfade.errors import InputError
from unfade.eval.alignment import ssim_map


def test_map_equals_scikit_image_inside_the_border(photo: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    noisy = np.clip(photo + rng.normal(0, 0.1, photo.shape), 0, 1).astype(np.float32)
    found: Any = structural_similarity(
        noisy,
        photo,
        channel_axis=2,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    expected = found[1]
    found = ssim_map(noisy, photo)
    assert found.shape == photo.shape[:2]
    assert np.abs(found - expected.mean(2))[5:-5, 5:-5].max() < 1e-4
    assert (found[:5] == found[5]).all() and (found[:, -3] == found[:, -6]).all()


def test_small_picture_is_refused() -> None:
    with pytest.raises(InputError, match="at least 11"):
        ssim_map(np.zeros((10, 20, 3), np.float32), np.zeros((10, 20, 3), np.float32))
