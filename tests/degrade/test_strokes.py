from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from unfade.degrade import strokes


def test_wander_keeps_its_step_and_is_straight_without_a_wiggle() -> None:
    points = strokes.wander(np.random.default_rng(0), (5.0, 7.0), 0.3, 100.0, 4.0, 0.1, kink=0.2)
    assert points.shape == (26, 2)
    np.testing.assert_array_equal(points[0], [5, 7])
    np.testing.assert_allclose(np.hypot(*np.diff(points, axis=0).T), 4.0)
    points = strokes.wander(np.random.default_rng(0), (0.0, 0.0), math.pi / 2, 50.0, 5.0, 0.0)
    np.testing.assert_allclose(points[:, 0], 0, atol=1e-9)
    np.testing.assert_allclose(points[-1], [0, 50], atol=1e-9)


def test_branching_gets_thinner_with_every_generation_of_its_depth() -> None:
    rng = np.random.default_rng(1)
    found = strokes.branching(rng, (0.0, 0.0), 0.0, 300.0, 5.0, 8.0, 0.2, 2)
    assert len(found) > 5
    assert all(len(s.points) == len(s.widths) and s.widths.min() > 0 for s in found)
    means = [s.widths.mean() for s in found]
    assert max(means[1:]) < 1.3 * means[0] and np.mean(means[1:]) < means[0]
    assert len(strokes.branching(np.random.default_rng(0), (0.0, 0.0), 0, 99, 5, 2, 1.0, 0)) == 1
    assert strokes.draw([], 3, 4).tolist() == np.zeros((3, 4)).tolist()


@pytest.mark.parametrize("width", [0.5, 1.0, 3.0, 12.0])
def test_draw_covers_length_times_width(width: float) -> None:
    points = np.array([[10.0, 40.0], [90.0, 40.0]])
    mask = strokes.draw([strokes.Stroke(points, np.full(2, width))], 80, 100)
    assert mask.shape == (80, 100) and mask.dtype == np.float32
    assert mask.min() >= 0 and mask.max() <= 1
    column = float(mask[:, 50].sum())
    assert width <= column <= width + 0.8  # anti-aliasing adds to it


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (64, 80)])
def test_fields_have_the_size_asked_for(size: tuple[int, int]) -> None:
    for cell in (0.01, 3.0, 500.0):
        for make in (strokes.field, strokes.fractal):
            out = make(np.random.default_rng(0), *size, cell)
            assert out.shape == size and out.dtype == np.float32 and np.isfinite(out).all()


def test_field_is_about_standard() -> None:
    values = strokes.field(np.random.default_rng(0), 300, 300, 10.0)
    assert abs(values.mean()) < 0.15 and 0.5 < values.std() < 1.2
    neighbours = np.corrcoef(values[:, :-2].ravel(), values[:, 2:].ravel())[0, 1]
    assert neighbours > 0.85


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1), (64, 80)])
@pytest.mark.parametrize("pitch", [0.5, 10.0, 500.0])
def test_cells_have_borders_of_any_size_and_pitch(size: tuple[int, int], pitch: float) -> None:
    out = strokes.cells(np.random.default_rng(0), *size, pitch, 0.3 * pitch)
    assert out.shape == size and out.dtype == np.float32
    assert set(np.unique(out)) <= {0.0, 1.0}
    np.testing.assert_array_equal(
        out, strokes.cells(np.random.default_rng(0), *size, pitch, 0.3 * pitch)
    )


def test_cells_part_the_photo_into_as_many_as_its_pitch_says() -> None:
    borders = strokes.cells(np.random.default_rng(1), 200, 200, 20.0, 0.0)
    count, _, stats, _ = cv2.connectedComponentsWithStats(
        (borders == 0).astype(np.uint8), connectivity=4
    )
    areas = stats[1:count, cv2.CC_STAT_AREA]
    assert 85 <= (areas > 4).sum() <= 100  # of 100 centres
    assert borders.mean() < 0.2 and 200 < np.mean(areas[areas > 4]) < 450
