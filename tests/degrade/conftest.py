from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from unfade.degrade.types import Image

MakeImage = Callable[..., Image]


@pytest.fixture
def picture() -> MakeImage:
    """A smooth random picture, (height, width, 3) in [0, 1]."""

    def make(height: int = 64, width: int = 80, seed: int = 0) -> Image:
        rng = np.random.default_rng(seed)
        coarse = rng.uniform(0.1, 0.9, (5, 6, 3)).astype(np.float32)
        big = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        return np.clip(np.asarray(big, np.float32).reshape(height, width, 3), 0, 1)

    return make
