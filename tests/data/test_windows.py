from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from unfade.data.windows import (
    Pixels,
    ViewOptions,
    check_views,
    columns_of,
    draw_window,
    make_view,
    scale_photo,
)
from unfade.degrade.types import Image
from unfade.errors import UsageError

VIEWS = ViewOptions(sides=[32, 48], size=16)


def view_of(image: Image, view: int) -> Image:
    return make_view(scale_photo(image, VIEWS, view), VIEWS, view, 8)


def test_views_have_the_sides_asked_for_and_enlarge_up_to_the_smallest_alone() -> None:
    image = np.random.default_rng(0).random((60, 90, 3), dtype=np.float32)
    shapes = [view_of(image, v).shape[:2] for v in range(VIEWS.views)]
    assert shapes == [(32, 48), (48, 72)] * 2
    assert view_of(image.transpose(1, 0, 2).copy(), 0).shape == (48, 32, 3)
    small, medium = np.zeros((20, 30, 3), np.float32), np.zeros((40, 60, 3), np.float32)
    assert [view_of(small, v).shape[:2] for v in (0, 1)] == [(32, 48)] * 2
    assert [view_of(medium, v).shape[:2] for v in (0, 1)] == [(32, 48), (40, 56)]


def test_views_are_mirrored_in_their_second_half() -> None:
    image = np.random.default_rng(0).random((48, 48, 3), dtype=np.float32)
    np.testing.assert_allclose(view_of(image, 3), image[:, ::-1], rtol=0, atol=0.501 / 255)
    assert replace(VIEWS, mirrored=False).views == 2


@pytest.mark.parametrize("view", [1, 3])
def test_columns_of_a_scaled_photo_are_those_of_its_view(view: int) -> None:
    scaled: Pixels = np.random.default_rng(0).integers(0, 255, (48, 53, 3), dtype=np.uint8)
    whole, columns = make_view(scaled, VIEWS, view, 8), slice(16, 32)
    part = scaled[:, columns_of(view, VIEWS, columns, 53)]
    part = part[:, ::-1] if view == 3 else part
    np.testing.assert_array_equal(whole[:, columns], part.astype(np.float32) / np.float32(255))


def test_windows_reach_every_view_and_place_and_depend_on_the_number_alone() -> None:
    shapes = [[(4, 6), (6, 9)] * 2] * 3
    windows = [draw_window(shapes, 0, n, 2) for n in range(600)]
    assert windows == [draw_window(shapes, 0, n, 2) for n in range(600)]
    assert windows != [draw_window(shapes, 1, n, 2) for n in range(600)]
    assert sorted(w.photo for w in windows[:3]) == [0, 1, 2]
    for w in windows:
        height, width = shapes[w.photo][w.view]
        assert 0 <= w.y <= height - 2 and 0 <= w.x <= width - 2
    views = Counter(w.view for w in windows)
    assert views[1] > views[0] > 60  # larger views hold more
    assert {(w.y, w.x) for w in windows if w.view == 0} == {
        (y, x) for y in range(3) for x in range(5)
    }


@pytest.mark.parametrize(("sides", "size"), [([32], 40), ([32], 20), ([], 16)])
def test_check_views_refuses_windows_that_fit_no_view(sides: list[int], size: int) -> None:
    with pytest.raises(UsageError, match="windows of"):
        check_views(ViewOptions(sides=sides, size=size), 8)
    check_views(VIEWS, 8)
