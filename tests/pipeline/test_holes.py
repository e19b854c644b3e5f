from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from unfade.masks import inpainting_hole
from unfade.pipeline.holes import feather, hole_map, stroke_radius, weight_rows

MakeMask = Callable[..., NDArray[np.uint8]]


def test_holes_do_not_depend_on_the_bands_they_are_made_in(make_mask: MakeMask) -> None:
    mask = make_mask(1200, 90)
    mask[500:530, 30:60] = 255  # across the edge of a band
    whole = inpainting_hole(mask, 0.5, stroke_radius(1200, 90))
    np.testing.assert_array_equal(hole_map(mask, 0.5), np.rint(whole * 255))


def test_weights_are_one_in_the_damage_fade_to_zero_and_are_the_same_in_any_rows(
    make_mask: MakeMask,
) -> None:
    mask = make_mask(400, 90)
    whole = feather(inpainting_hole(mask, 0.5, 1), 1)
    for rows in (slice(0, 60), slice(190, 203), slice(395, 400)):
        np.testing.assert_array_equal(weight_rows(mask, 0.5, rows), whole[rows])
    mask = make_mask(100, 80)
    weight = weight_rows(mask, 0.5, slice(0, 100))
    assert (weight[mask > 0] == 1).all()
    assert (weight[70:] == 0).all()
    assert ((weight > 0) & (weight < 1)).any()
