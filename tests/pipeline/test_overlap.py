from __future__ import annotations

from itertools import pairwise

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unfade.pipeline.overlap import Grid, blend, pieces


@st.composite
def cuts(draw: st.DrawFn) -> tuple[int, int, int, int]:
    multiple = draw(st.sampled_from([1, 2, 4, 8, 32]))
    length = draw(st.integers(1, 60)) * multiple
    tile = draw(st.integers(1, 20 * multiple))
    return length, tile, draw(st.integers(0, tile)), multiple


@settings(max_examples=300, deadline=None)
@given(cut=cuts())
def test_pieces_are_equal_aligned_and_within_the_limit_and_their_weights_sum_to_one(
    cut: tuple[int, int, int, int],
) -> None:
    length, tile, overlap, multiple = cut
    found = pieces(*cut)
    size = found[0].stop - found[0].start
    assert found[0].start == 0 and found[-1].stop == length
    assert size <= max(tile, multiple) and size % multiple == 0
    for piece in found:
        assert piece.start % multiple == 0 and piece.stop - piece.start == size
    whole = max(multiple, tile // multiple * multiple)
    least = min(overlap, whole // 2) // multiple * multiple
    assert all(a.stop - b.start >= least for a, b in pairwise(found))
    length = cut[0]
    total = torch.zeros(length)
    for piece in pieces(*cut):
        assert (piece.weights >= 0).all()
        total[piece.slice] += piece.weights
    torch.testing.assert_close(total, torch.ones(length))


def test_pieces_are_as_small_as_their_number_allows_and_the_same_in_cells() -> None:
    found = pieces(1024, 1000, 64, 32)
    assert [(p.start, p.stop) for p in found] == [(0, 544), (480, 1024)]
    pixels, cells = pieces(2016, 512, 64, 32), pieces(252, 64, 8, 4)
    assert [p.start for p in pixels] == [8 * c.start for c in cells]


@settings(max_examples=50, deadline=None)
@given(rows=cuts(), cols=cuts(), tiles_per_pass=st.integers(1, 5))
def test_blend_of_a_planes_own_tiles_is_the_plane(
    rows: tuple[int, int, int, int], cols: tuple[int, int, int, int], tiles_per_pass: int
) -> None:
    plane = torch.rand(2, 3, min(rows[0], 200), min(cols[0], 200))
    plane = plane.repeat(1, 1, -(-rows[0] // 200), -(-cols[0] // 200))[..., : rows[0], : cols[0]]
    grid = Grid(pieces(*rows), pieces(*cols))
    out = blend(
        grid,
        tiles_per_pass,
        lambda tiles: torch.cat([plane[..., y.slice, x.slice] for y, x in tiles]),
    )
    torch.testing.assert_close(out, plane)
