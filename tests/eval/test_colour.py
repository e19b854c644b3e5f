"""Colour measures against scikit-image, published pairs, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import deltaE_ciede2000, rgb2lab

from unfade.errors import InputError
from unfade.eval.colour import chroma_error, ciede2000, colour_error, colourfulness, lab

# Of Sharma, Wu and Dalal (2005), Table 1: the ones that catch wrong hues, and some others.
PUBLISHED = [
    ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
    ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0000),
    ((50, 0, 0), (50, -1, 2), 2.3669),
    ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
    ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
    ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((22.7233, 20.0904, -46.694), (23.0331, 14.973, -42.5619), 2.0373),
    ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
]


def test_lab_equals_scikit_image(photo: np.ndarray) -> None:
    # scikit-image rounds the primaries to other digits
    assert np.allclose(lab(photo), rgb2lab(photo.astype(np.float64)), atol=0.01)


@pytest.mark.parametrize(("first", "second", "expected"), PUBLISHED)
def test_ciede2000_equals_the_published_value(first, second, expected: float) -> None:
    one, two = np.array(first, float), np.array(second, float)
    assert ciede2000(one, two) == pytest.approx(expected, abs=5e-5)
    assert ciede2000(two, one) == pytest.approx(expected, abs=5e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_ciede2000_equals_scikit_image(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low, high = [0, -128, -128], [100, 128, 128]
    first, second = rng.uniform(low, high, (200, 3)), rng.uniform(low, high, (200, 3))
    first[:5, 1:] = 0  # grays
    assert np.allclose(ciede2000(first, second), deltaE_ciede2000(first, second), atol=1e-9)


def test_colour_error_is_the_mean_over_pixels(photo: np.ndarray) -> None:
    image = photo[::-1].copy()
    expected = deltaE_ciede2000(rgb2lab(image), rgb2lab(photo)).mean()
    assert colour_error(image, photo) == pytest.approx(expected, abs=1e-3)
    assert colour_error(photo, photo) == 0


@pytest.mark.parametrize("error", [colour_error, chroma_error])
def test_errors_are_the_same_in_strips(
    photo: np.ndarray, error, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = error(photo[::-1], photo)
    monkeypatch.setattr("unfade.eval.colour._PIXELS_AT_ONCE", 7 * photo.shape[1])
    assert error(photo[::-1], photo) == pytest.approx(whole)
    with pytest.raises(InputError, match="as its reference has"):
        error(photo[1:], photo)


def test_chroma_error_sees_colour_and_not_lightness(photo: np.ndarray) -> None:
    grays = np.repeat(np.linspace(0, 1, 300, dtype=np.float32).reshape(10, 30, 1), 3, axis=2)
    assert chroma_error(grays, np.flip(grays, 1)) == pytest.approx(0, abs=1e-4)
    gray = np.repeat(photo.mean(2, keepdims=True), 3, axis=2)
    expected = np.hypot(*np.moveaxis(rgb2lab(photo.astype(float))[..., 1:], 2, 0)).mean()
    assert chroma_error(gray, photo) == pytest.approx(expected, rel=1e-3)


def test_colourfulness_equals_the_formula_and_is_zero_for_gray(photo: np.ndarray) -> None:
    halves = np.zeros((4, 4, 3), np.float32)
    halves[:, :2, 0], halves[:, 2:, 2] = 1, 1  # red beside blue
    # rg is 255 and 0, yb is 127.5 and -255
    spread = np.hypot(127.5, 191.25)
    expected = spread + 0.3 * np.hypot(127.5, -63.75)
    assert colourfulness(halves) == pytest.approx(expected)
    gray = np.repeat(photo[..., :1], 3, axis=2)
    assert colourfulness(gray) == pytest.approx(0, abs=1e-5)
    assert colourfulness(photo) > 20
