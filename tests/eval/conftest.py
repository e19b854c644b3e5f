from __future__ import annotations

import numpy as np
import pytest
from skimage import data


def unit(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels, np.float32) / np.float32(255)


@pytest.fixture(scope="session")
def photos() -> dict[str, np.ndarray]:
    """Public-domain photographs that scikit-image ships: (H, W, 3) float32 [0, 1]."""
    return {
        "astronaut": unit(data.astronaut()),
        "coffee": unit(data.coffee()),
        "cat": unit(data.cat()),
        "rocket": unit(data.rocket()),
    }


@pytest.fixture(scope="session")
def photo(photos: dict[str, np.ndarray]) -> np.ndarray:
    """(300, 451, 3)."""
    return photos["cat"]
