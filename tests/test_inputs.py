from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from unfade import inputs
from unfade import manifest as manifests
from unfade.errors import InputError
from unfade.inputs import harden, load, share_of


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


def test_soft_mask_becomes_yes_and_no_from_the_threshold_on() -> None:
    mask = np.array([[0, 127, 128, 255]], np.uint8)
    assert harden(mask, 0.5).tolist() == [[0, 0, 255, 255]]
    assert share_of(mask, 0.5) == 0.5
    assert harden(mask, 0.001).tolist() == [[0, 255, 255, 255]]


@pytest.mark.parametrize("block", [1, 50, 10**6])
def test_share_does_not_depend_on_how_much_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(inputs, "_BLOCK", block)
    mask = np.random.default_rng(0).integers(0, 256, (13, 17), dtype=np.uint8)
    kept = mask.copy()
    share = share_of(mask, 0.3)
    assert share == round(float((harden(mask, 0.3) == 255).mean()), 6)
    np.testing.assert_array_equal(mask, kept)
