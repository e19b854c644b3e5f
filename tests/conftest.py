from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from unfade.api import Restorer

MakePhoto = Callable[..., Path]


@pytest.fixture(scope="session")
def restorer() -> Restorer:
    """The shipped weights, on the processor."""
    return Restorer.from_pretrained("compact", device="cpu")


@pytest.fixture
def make_photo(tmp_path: Path) -> MakePhoto:
    """Writes a small, smooth, scratched picture below tmp_path; missing folders are made."""

    def make(name: str | bytes, *, height: int = 64, width: int = 80, seed: int = 0) -> Path:
        path = tmp_path / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed)
        coarse = rng.integers(60, 190, (4, 5, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        cv2.line(image, (width // 4, 0), (width // 3, height), (255, 255, 255), 2)
        done, data = cv2.imencode(path.suffix, image)
        assert done
        path.write_bytes(data.tobytes())
        return path

    return make
