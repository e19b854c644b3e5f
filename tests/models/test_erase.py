from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unfade.models.erase import erased, grown

masks = arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24)))
limits = st.floats(0.05, 0.99)


def test_a_doubtful_find_is_erased_in_part_and_a_patch_whole() -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[5, 5:30] = 255  # a sure line
    mask[10, 5:30] = 170  # a doubtful one
    mask[20:32, 10:22] = 170  # a doubtful patch
    hole = erased(mask, 0.6, 1)
    assert (hole[5, 5:30] == 1).all() and not hole[12:18].any()
    assert 0 < hole[10, 17] < 0.5
    assert hole[26, 16] == 1


@settings(max_examples=60, deadline=None)
@given(mask=masks, limit=limits, radius=st.integers(1, 3))
def test_erased_is_nothing_below_the_limit_and_all_of_what_is_sure(
    mask: np.ndarray, limit: float, radius: int
) -> None:
    kept = mask.copy()
    hole = erased(mask, limit, radius)
    assert hole.shape == mask.shape and hole.dtype == np.float32
    assert hole.min() >= 0 and hole.max() <= 1
    found = mask >= limit * 255
    near = grown(found.astype(np.float32), radius) > 0
    assert (hole[near] >= 0.25).all() and not hole[~near].any()
    assert (hole[mask == 255] == 1).all()
    np.testing.assert_array_equal(mask, kept)


@settings(max_examples=60, deadline=None)
@given(mask=masks, limit=limits, more=st.integers(0, 255))
def test_erased_grows_with_the_probability(mask: np.ndarray, limit: float, more: int) -> None:
    surer = np.minimum(mask.astype(int) + more, 255).astype(np.uint8)
    assert (erased(surer, limit, 1) >= erased(mask, limit, 1)).all()


def test_erased_rises_from_a_quarter_to_all_between_limit_and_certainty() -> None:
    mask = np.zeros((5, 41), np.uint8)
    mask[2, 4::8] = [127, 128, 190, 230, 255]
    peaks = erased(mask, 0.5, 1)[2, 4::8]
    expected = [0, 0.25, 2 * 190 / 255 - 1, 2 * 230 / 255 - 1, 1]
    np.testing.assert_allclose(peaks, expected, atol=1e-4)


@pytest.mark.parametrize("radius", [1, 2, 4])
def test_a_find_is_a_patch_from_three_times_the_width_of_a_stroke(radius: int) -> None:
    height = 20 * radius
    for width, whole in ((2 * radius + 1, False), (6 * radius + 1, True)):
        mask = np.zeros((height, height), np.uint8)
        mask[:, 5 * radius : 5 * radius + width] = 160
        middle = erased(mask, 0.5, radius)[height // 2, 5 * radius + width // 2]
        assert (middle == 1) == whole


def test_a_patch_stays_whole_when_the_edge_cuts_it() -> None:
    mask = np.zeros((20, 30), np.uint8)
    mask[:, :4] = 160
    assert (erased(mask, 0.5, 1)[:, :4] == 1).all()


@pytest.mark.parametrize("radius", [1, 2, 5])
def test_grown_spreads_a_value_over_a_disc(radius: int) -> None:
    hole = np.zeros((13, 13), np.float32)
    hole[6, 6] = 0.4
    out = grown(hole, radius)
    y, x = np.mgrid[-6:7, -6:7]
    assert set(np.unique(out)) == {np.float32(0), np.float32(0.4)}
    assert (out[y**2 + x**2 <= radius**2] > 0).all()
    assert not out[np.maximum(abs(y), abs(x)) > radius].any()
    assert not out[y**2 + x**2 > (radius + 1) ** 2].any()


def test_grown_keeps_the_larger_value_where_two_meet() -> None:
    hole = np.zeros((5, 9), np.float32)
    hole[2, 3], hole[2, 5] = 0.3, 0.8
    assert grown(hole, 1)[2, 3:7].tolist() == pytest.approx([0.3, 0.8, 0.8, 0.8])
