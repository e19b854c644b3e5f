from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from unfade.degrade import real_sr
from unfade.degrade.types import Image
from unfade.rng import generator

MakeImage = Callable[..., Image]


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("size", [(64, 80), (61, 47), (4, 4), (1, 1), (1, 200), (3, 2)])
def test_real_sr_gives_a_small_photo(picture: MakeImage, scale: int, size: tuple[int, int]) -> None:
    image = picture(*size)
    kept = image.copy()
    small = (max(1, size[0] // scale), max(1, size[1] // scale))
    for number in range(8):
        d = real_sr(image, generator(0, "sr", number), scale)
        assert d.lq.shape == (*small, 3) and d.lq.dtype == np.float32
        assert np.isfinite(d.lq).all() and d.lq.min() >= 0 and d.lq.max() <= 1
        assert d.mask.shape == d.lost.shape == small and not d.mask.any()
        np.testing.assert_array_equal(d.hq, kept)
    np.testing.assert_array_equal(image, kept)


def test_real_sr_is_pure_and_recorded(picture: MakeImage) -> None:
    seen = set[str]()
    for number in range(40):
        a = real_sr(picture(), generator(0, "sr", number))
        b = real_sr(picture(), generator(0, "sr", number))
        np.testing.assert_array_equal(a.lq, b.lq)
        assert a.params == b.params == json.loads(json.dumps(a.params))
        assert not np.array_equal(a.lq, real_sr(picture(), generator(1, "sr", number)).lq)
        assert [n["op"] for n in a.params].count("jpeg") == 2
        assert [n["op"] for n in a.params].count("resize") == 2
        seen |= {str(n["op"]) for n in a.params}
    assert seen == {"blur", "sinc", "resize", "gaussian", "poisson", "jpeg"}


def test_real_sr_shows_the_same_scene(picture: MakeImage) -> None:
    image = picture(128, 128)
    plain = image.reshape(32, 4, 32, 4, 3).mean((1, 3))
    likeness = [
        np.corrcoef(plain.ravel(), real_sr(image, generator(0, "sr", i)).lq.ravel())[0, 1]
        for i in range(12)
    ]
    assert np.mean(likeness) > 0.8
