from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unfade import masks as module
from unfade.masks import damaged_share, dilated, harden, inpainting_hole, large_share

masks = arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24)))
thresholds = st.floats(0.05, 0.99)


def test_hole_is_complete_from_the_threshold_on_and_one_radius_wider() -> None:
    mask = np.zeros((20, 40), np.uint8)
    mask[5, 5:30] = 153  # 0.6
    mask[12, 5:30] = 152
    expected = np.zeros((20, 40), np.float32)
    expected[5, 4:31] = expected[4, 5:30] = expected[6, 5:30] = 1
    np.testing.assert_array_equal(inpainting_hole(mask, 0.6, 1), expected)


@settings(max_examples=60, deadline=None)
@given(mask=masks, threshold=thresholds, radius=st.integers(1, 3))
def test_hole_of_a_soft_mask_is_that_of_the_hardened_mask(
    mask: np.ndarray, threshold: float, radius: int
) -> None:
    kept = mask.copy()
    hole = inpainting_hole(mask, threshold, radius)
    assert hole.shape == mask.shape and hole.dtype == np.float32
    np.testing.assert_array_equal(hole, inpainting_hole(harden(mask, threshold), 0.5, radius))
    np.testing.assert_array_equal(hole > 0, hole == 1)
    assert (hole[mask >= threshold * 255] == 1).all()
    np.testing.assert_array_equal(mask, kept)


@pytest.mark.parametrize("radius", [1, 2, 5])
def test_grown_spreads_a_value_over_a_disc(radius: int) -> None:
    hole = np.zeros((13, 13), np.float32)
    hole[6, 6] = 0.4
    out = dilated(hole, radius)
    y, x = np.mgrid[-6:7, -6:7]
    assert set(np.unique(out)) == {np.float32(0), np.float32(0.4)}
    assert (out[y**2 + x**2 <= radius**2] > 0).all()
    assert not out[np.maximum(abs(y), abs(x)) > radius].any()
    assert not out[y**2 + x**2 > (radius + 1) ** 2].any()


def test_grown_keeps_the_larger_value_where_two_meet() -> None:
    hole = np.zeros((5, 9), np.float32)
    hole[2, 3], hole[2, 5] = 0.3, 0.8
    assert dilated(hole, 1)[2, 3:7].tolist() == pytest.approx([0.3, 0.8, 0.8, 0.8])


def test_soft_mask_becomes_yes_and_no_from_the_threshold_on() -> None:
    mask = np.array([[0, 127, 128, 255]], np.uint8)
    assert harden(mask, 0.5).tolist() == [[0, 0, 255, 255]]
    assert damaged_share(mask, 0.5) == 0.5
    assert harden(mask, 0.001).tolist() == [[0, 255, 255, 255]]
    cracked = np.zeros((600, 900), np.uint8)
    cracked[::40, :] = cracked[:, ::60] = 255
    cracked[1::40, :] = 255
    assert damaged_share(cracked, 0.5) > 0.05 and large_share(cracked) == 0
    cracked[100:200, 300:500] = 255
    assert large_share(cracked) == pytest.approx(100 * 200 / (600 * 900), rel=0.05)


@pytest.mark.parametrize("block", [1, 50, 10**6])
def test_share_does_not_depend_on_how_much_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    mask = np.random.default_rng(0).integers(0, 256, (13, 17), dtype=np.uint8)
    kept = mask.copy()
    share = damaged_share(mask, 0.3)
    assert share == round(float((harden(mask, 0.3) == 255).mean()), 6)
    np.testing.assert_array_equal(mask, kept)
