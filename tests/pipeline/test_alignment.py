from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from unfade.errors import InputError
from unfade.pipeline.alignment import (
    alignment,
    alignment_map,
    degraded_alignment,
    similarity,
    similarity_grid,
    tail_mean,
)
from unfade.pipeline.content import content_features


def unit(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels, np.float32) / np.float32(255)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return unit(data.astronaut()[:300, :240])


@pytest.fixture(scope="module")
def edited(photo: np.ndarray) -> np.ndarray:
    """With a part of another photo in 60 x 60 pixels."""
    out = photo.copy()
    out[100:160, 80:140] = unit(data.coffee()[100:160, 200:260])
    return out


def blurred(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), 1)


def test_edit_scores_below_harmless_changes(photo: np.ndarray, edited: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    noisy = np.clip(photo + rng.normal(0, 0.03, photo.shape), 0, 1).astype(np.float32)
    toned = (0.05 + 0.85 * photo**0.9).astype(np.float32)
    harmless = [alignment(o, photo, content_features) for o in (blurred(photo), noisy, toned)]
    assert alignment(edited, photo, content_features) < min(harmless)


def test_map_is_low_where_the_edit_is(photo: np.ndarray, edited: np.ndarray) -> None:
    found = alignment_map(blurred(edited), photo, content_features)
    assert found.shape == (300, 240) and found.dtype == np.float32
    assert found.min() >= -1 and found.max() <= 1
    inside = np.zeros((300, 240), bool)
    inside[110:150, 90:130] = True
    beside = np.ones((300, 240), bool)
    beside[80:180, 60:160] = False
    assert found[inside].mean() < found[beside].mean() - 0.15


def test_number_is_the_mean_of_the_lowest_places(photo: np.ndarray, edited: np.ndarray) -> None:
    places = np.sort(similarity_grid(edited, photo, content_features), None)
    lowest = places[: int(np.ceil(0.02 * places.size))]
    assert alignment(edited, photo, content_features) == pytest.approx(lowest.mean())
    whole = alignment(edited, photo, content_features, tail=1)
    assert whole == pytest.approx(places.mean(), abs=1e-5)


def test_similarity_is_the_cosine_and_a_short_tail_one_place() -> None:
    first = np.array([[[1, 0], [1, 1], [0, 0], [0, 0]]], np.float32)
    second = np.array([[[-2, 0], [0, 3], [0, 0], [1, 0]]], np.float32)
    assert similarity(first, second)[0] == pytest.approx([-1, np.sqrt(0.5), 1, 0])
    assert tail_mean(np.array([[0.5, 0.25, 1.0]], np.float32)) == 0.25


def test_degraded_output_is_compared_with_the_input(photo: np.ndarray, edited: np.ndarray) -> None:
    def degrade(image: np.ndarray) -> np.ndarray:
        return cv2.resize(image, (120, 150), interpolation=cv2.INTER_AREA)

    lq = degrade(photo)
    faithful = degraded_alignment(photo, lq, degrade, content_features)
    invented = degraded_alignment(edited, lq, degrade, content_features)
    assert faithful == pytest.approx(1, abs=1e-5) and invented < 0.7


def test_other_size_is_refused(photo: np.ndarray) -> None:
    with pytest.raises(InputError, match="240 x 299 pixels"):
        alignment_map(photo[:299], photo, content_features)
