from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from unfade import manifest as manifests
from unfade.errors import InputError
from unfade.inputs import load


def test_file_is_loaded_with_its_record(make_photo: Callable[..., Path]) -> None:
    path = make_photo("a.png")
    source, photo, record = load(str(path), 10**6)
    assert source == path and (photo.height, photo.width) == (64, 80)
    assert record["name"] == "a.png" and record["sha256"] == manifests.sha256_file(path)
    with pytest.raises(InputError):
        load(path, 100)


def test_array_has_no_file() -> None:
    source, photo, record = load(np.zeros((4, 6), np.uint8), 100)
    assert source is None and record["name"] is None
    assert (record["height"], record["width"], photo.gray) == (4, 6, True)
