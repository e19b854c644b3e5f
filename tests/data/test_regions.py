from __future__ import annotations

import numpy as np
import pytest

from unfade.data.recolour import to_lab
from unfade.data.regions import recolour_region, sure_regions, true_colours


def scene(top: tuple[float, ...], bottom: tuple[float, ...]) -> np.ndarray:
    """A smooth sky over rough ground, 60 x 80, in Lab."""
    rgb = np.empty((60, 80, 3), np.float32)
    rgb[:30], rgb[30:] = top, bottom
    rgb[30:] += np.random.default_rng(0).normal(0, 0.03, (30, 80, 1))
    return to_lab(np.clip(rgb, 0, 1).astype(np.float32))


BLUE, GREEN, WHITE, RED = (0.45, 0.6, 0.85), (0.25, 0.45, 0.15), (0.95, 0.95, 0.95), (0.7, 0.1, 0.1)


def test_sky_and_grass_are_found_where_the_caption_names_them() -> None:
    found = sure_regions(scene(BLUE, GREEN), ["Blue sky above a lawn ."])
    assert set(found) == {"sky", "grass"}
    assert found["sky"][:24].min() > 0.99 and found["sky"][34:].max() == 0
    assert found["grass"][36:].min() > 0.9 and found["grass"][:24].max() == 0


@pytest.mark.parametrize(
    ("top", "bottom", "caption"),
    [
        (BLUE, GREEN, "a dog"),  # nothing is named
        (RED, RED, "grass below the sky"),  # nothing looks like it
        (GREEN, BLUE, "grass, sky"),  # both stand where they cannot be
        (BLUE, BLUE, "the sky"),  # all of the photo is not sure
    ],
)
def test_what_is_not_sure_is_left_out(
    top: tuple[float, ...], bottom: tuple[float, ...], caption: str
) -> None:
    assert sure_regions(scene(top, bottom), [caption]) == {}


def test_water_sand_and_snow_touch_the_bottom() -> None:
    assert set(sure_regions(scene(RED, BLUE), ["a lake"])) == {"water"}
    assert set(sure_regions(scene(BLUE, (0.8, 0.7, 0.5)), ["on the beach"])) == {"sand"}
    assert set(sure_regions(scene(RED, WHITE), ["snow"])) == {"snow"}


def test_a_region_gets_a_colour_that_is_said() -> None:
    lab = scene(BLUE, GREEN)
    regions = sure_regions(lab, ["sky, grass"])
    said = set[str]()
    for seed in range(20):
        out, words, region = recolour_region(lab, regions, np.random.default_rng(seed))
        noun = words.split()[-1]
        assert region is regions[noun]
        np.testing.assert_array_equal(out[region == 0], lab[region == 0])
        np.testing.assert_array_equal(out[..., 0], lab[..., 0])
        said.add(words)
    assert len(said) > 10


def test_true_colours_are_those_of_the_photo() -> None:
    lab = scene(BLUE, GREEN)
    text = true_colours(lab, sure_regions(lab, ["sky, grass"]), np.random.default_rng(1))
    sky, grass = text.split(", ")
    assert sky in ("sky sky", "azure sky", "sky blue sky", "periwinkle sky", "light blue sky")
    assert grass.endswith("grass") and grass.split()[0] in ("green", "forest", "moss", "dark")
