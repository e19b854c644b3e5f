from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from unfade.pipeline.tiling import Span, Tile, bands, map_tiles, spans

LENGTHS = st.integers(1, 20_000)
STRIDE = 32
TILES = st.integers(STRIDE, 2000)
MARGINS = st.integers(0, 200)


@settings(max_examples=400, deadline=None)
@given(length=LENGTHS, tile=TILES, margin=MARGINS)
def test_kept_spans_part_the_axis_fit_the_limit_and_have_context(
    length: int, tile: int, margin: int
) -> None:
    found = spans(length, tile, margin, STRIDE)
    assert found[0].first == 0 and found[-1].last == length
    assert all(a.last == b.first for a, b in pairwise(found))
    assert all(s.first < s.last for s in found)
    for span in spans(length, tile, margin, STRIDE):
        assert span.start % STRIDE == 0
        assert 0 <= span.start <= span.first < span.last <= span.stop <= length
        assert span.stop - span.start <= tile
    context = min(margin, (tile - STRIDE) // 2) // STRIDE * STRIDE
    for span in spans(length, tile, margin, STRIDE):
        assert span.start == 0 or span.first - span.start >= context
        assert span.stop == length or span.stop - span.last >= context


@settings(max_examples=200, deadline=None)
@given(length=LENGTHS, tile=st.integers(128, 2000), margin=st.integers(0, 48))
def test_there_are_no_more_tiles_than_needed(length: int, tile: int, margin: int) -> None:
    margin = margin // STRIDE * STRIDE
    core = (tile - 2 * margin) // STRIDE * STRIDE
    found = spans(length, tile, margin, STRIDE)
    assert len(found) <= max(1, -(-(length - 2 * margin) // core))


@settings(max_examples=50, deadline=None)
@given(length=LENGTHS, tile=st.integers(1, STRIDE - 1), margin=MARGINS)
def test_a_tile_below_the_stride_still_covers_the_axis(length: int, tile: int, margin: int) -> None:
    found = spans(length, tile, margin, STRIDE)
    assert sum(s.last - s.first for s in found) == length
    assert all(s.stop - s.start <= STRIDE for s in found)


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 300), width=st.integers(1, 300), tile=st.integers(16, 200))
def test_tiles_keep_every_pixel_once(height: int, width: int, tile: int) -> None:
    seen = np.zeros((height, width), np.uint8)
    shares: list[float] = []

    def compute(part: Tile) -> None:
        plane = np.zeros((height, width), np.uint8)
        plane[part.core] = 1
        assert plane[part.computed].shape == part.shape
        np.testing.assert_array_equal(plane[part.computed][part.inner], plane[part.core])
        assert plane.sum() == part.area
        seen[part.core] += 1

    map_tiles(height, width, compute, tile=tile, margin=32, stride=16, progress=shares.append)
    assert (seen == 1).all()
    assert shares == sorted(shares) and shares[-1] == 1


def test_regions_of_a_tile_scale_with_the_plane_and_bands_meet() -> None:
    part = Tile(Span(16, 64, 32, 48), Span(0, 40, 0, 40))
    assert part.core_at(4) == (slice(128, 192), slice(0, 160))
    assert part.inner_at(4) == (slice(64, 128), slice(0, 160))
    assert list(bands(7, 3)) == [slice(0, 3), slice(3, 6), slice(6, 7)]
    assert list(bands(3, 3)) == [slice(0, 3)]
