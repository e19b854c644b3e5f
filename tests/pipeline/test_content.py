from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from unfade.pipeline.alignment import similarity
from unfade.pipeline.content import content_features


def flat(*colour: float) -> np.ndarray:
    return np.full((64, 80, 3), colour, np.float32)


def portrait() -> np.ndarray:
    """128 x 128 pixels of a photo."""
    return np.asarray(data.astronaut()[:128, :128], np.float32) / np.float32(255)


def least(first: np.ndarray, second: np.ndarray) -> float:
    return float(similarity(content_features(first), content_features(second)).min())


@pytest.mark.parametrize(
    ("size", "grid"), [((64, 80), (8, 10)), ((512, 640), (32, 40)), ((5, 3), (1, 1))]
)
def test_grid_has_a_place_for_every_cell(size: tuple[int, int], grid: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((*size, 3), np.float32)
    found = content_features(image)
    assert found.shape == (*grid, 55) and found.dtype == np.float32


def test_flat_places_are_alike_whatever_their_brightness() -> None:
    assert least(flat(0.2, 0.2, 0.2), flat(0.9, 0.9, 0.9)) == pytest.approx(1, abs=1e-4)


def test_other_colour_is_other_content() -> None:
    assert least(flat(0.8, 0.2, 0.2), flat(0.2, 0.5, 0.8)) < 0.8


def test_an_edge_turned_or_inverted_is_other_content() -> None:
    edge = flat(0.2, 0.2, 0.2)
    edge[:, 40:] = 0.8
    turned = np.ascontiguousarray(np.moveaxis(edge[:64, 8:72], 0, 1))
    assert least(edge, 1 - edge) < 0.4
    assert least(np.ascontiguousarray(edge[:64, 8:72]), turned) < 0.6


def test_contrast_counts_less_than_content() -> None:
    photo = portrait()
    dull = (0.2 + 0.6 * photo).astype(np.float32)
    mirrored = np.ascontiguousarray(photo[:, ::-1])
    features = content_features(photo)
    means = [similarity(content_features(other), features).mean() for other in (dull, mirrored)]
    assert means[0] > 0.95 > means[1] + 0.1
