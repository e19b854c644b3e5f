from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2ycbcr

from unfade.errors import InputError
from unfade.eval.images import Protocol, luma, separable, studio_luma


def test_studio_luma_equals_scikit_image_and_luma_of_gray_the_gray(photo: np.ndarray) -> None:
    expected = rgb2ycbcr(photo.astype(np.float64))[..., 0] / 255
    assert np.allclose(studio_luma(photo)[..., 0], expected, atol=2e-5)  # rounded coefficients
    gray = np.repeat(np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5, 1), 3, axis=2)
    assert np.allclose(luma(gray), gray[..., 0])


def test_border_is_cropped_on_every_side_if_that_leaves_something(photo: np.ndarray) -> None:
    assert np.array_equal(Protocol("rgb", 4).cropped(photo), photo[4:-4, 4:-4])
    assert Protocol("rgb", 0).cropped(photo) is photo
    with pytest.raises(InputError, match="narrower border"):
        Protocol("rgb", 4).cropped(photo[:8])
    assert Protocol("y").view(photo).shape == (*photo.shape[:2], 1)
    assert Protocol("rgb").view(photo) is photo


@pytest.mark.parametrize("taps", [3, 4])
def test_separable_places_the_kernel_where_it_says(taps: int) -> None:
    plane = np.zeros((9, 9))
    plane[4, 4] = 1
    across = np.arange(1.0, taps + 1)
    found = separable(plane, across, np.array([1.0]))[4]
    first = 4 - taps // 2  # the last tap lies on the pixel n = taps // 2 to the right
    assert np.array_equal(found[first : first + taps], across[::-1])
    assert found.sum() == across.sum()
