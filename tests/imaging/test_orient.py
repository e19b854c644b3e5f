from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from unfade.imaging.orient import stored_view, upright_size


@pytest.mark.parametrize("orientation", range(1, 9))
def test_writing_through_the_view_turns_as_pillow_does(orientation: int):
    stored = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    image = Image.fromarray(stored)
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    upright = np.zeros((*upright_size(5, 7, orientation), 3), np.uint8)
    stored_view(upright, orientation)[...] = stored
    np.testing.assert_array_equal(upright, expected)


def test_a_wrong_orientation_turns_nothing():
    plane = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(stored_view(plane, 9), plane)
