from __future__ import annotations

from collections.abc import Callable

import numpy as np

from unfade.imaging import Photo
from unfade.pipeline.composite import put_blended

MakePhoto = Callable[..., Photo]


def test_put_blended_keeps_the_source_where_the_weight_is_zero(make_photo: MakePhoto) -> None:
    photo = make_photo(depth=16)
    out = photo.blank()
    weight = np.zeros((64, 80), np.float32)
    weight[:, 40:] = 1
    white = np.ones((64, 80, 3), np.float32)
    put_blended(out, photo, slice(0, 64), slice(0, 80), white, weight)
    np.testing.assert_array_equal(out.native[:, :40], photo.native[:, :40])
    assert (out.native[:, 40:] == 65535).all()
