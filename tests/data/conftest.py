from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from unfade.data.sources import CleanPhoto

Encode = Callable[..., bytes]


@pytest.fixture
def encode() -> Encode:
    """A smooth random picture as a file in memory."""

    def make(seed: int = 0, height: int = 60, width: int = 70, suffix: str = ".png") -> bytes:
        rng = np.random.default_rng(seed)
        coarse = rng.integers(20, 230, (4, 5, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        done, code = cv2.imencode(suffix, image)
        assert done
        return code.tobytes()

    return make


@pytest.fixture
def photos(encode: Encode) -> list[CleanPhoto]:
    return [CleanPhoto(f"{i:03}", encode(i)) for i in range(5)]


@pytest.fixture
def make_shard(tmp_path: Path) -> Callable[..., Path]:
    """Writes a tar of the given members: bytes, or what JSON can hold."""

    def make(name: str, members: dict[str, object]) -> Path:
        path = tmp_path / name
        with tarfile.open(path, "w") as tar:
            for member, content in members.items():
                code = content if isinstance(content, bytes) else json.dumps(content).encode()
                info = tarfile.TarInfo(member)
                info.size = len(code)
                tar.addfile(info, io.BytesIO(code))
        return path

    return make
