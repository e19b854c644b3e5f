from __future__ import annotations

import cv2
import numpy as np

from unfade.data.backdrops import before_backdrop, person_mask, studio_crop
from unfade.data.colour import ColourOptions, colour_sample
from unfade.data.recolour import colour_of
from unfade.data.sources import CleanPhoto, LabelMap
from unfade.rng import generator

NAMES = {0: "null", 19: "hair", 24: "coat"}


def levels() -> np.ndarray:
    """A figure of 30 x 90 pixels in a street of 100 x 120: hair at the top, then a coat."""
    labels = np.zeros((120, 100), np.uint8)
    labels[20:40, 50:65] = 19
    labels[40:110, 42:72] = 24
    return labels


def street(seed: int = 0) -> np.ndarray:
    """Lab of a colourful street."""
    rng = np.random.default_rng(seed)
    lab = rng.uniform(-12, 12, (120, 100, 3)).astype(np.float32)
    lab[..., 0] = rng.uniform(30, 70, (120, 100))
    return lab


def test_crops_reach_from_the_head_to_the_whole_figure() -> None:
    crops = [studio_crop(levels(), NAMES, generator(0, "crop", i)) for i in range(40)]
    sides: list[int] = []
    for crop in crops:
        assert crop is not None
        rows, columns = crop
        assert rows.stop - rows.start == columns.stop - columns.start
        assert rows.start <= 20 < rows.stop and rows.stop <= 120 and columns.stop <= 100
        assert (levels()[rows, columns] == 19).mean() > 0.01
        sides.append(rows.stop - rows.start)
    assert min(sides) < 75 and max(sides) > 90
    empty = np.zeros((60, 60), np.uint8)
    assert studio_crop(empty, NAMES, generator(0, "crop", 0)) is None


def test_a_person_who_covers_nothing_or_all_gets_no_backdrop() -> None:
    assert person_mask(levels(), NAMES) is not None
    assert person_mask(levels()[:, :40], NAMES) is None
    assert person_mask(levels()[50:100, 44:70], NAMES) is None


def test_the_backdrop_is_smooth_and_of_one_faint_colour_and_the_person_stays() -> None:
    person = person_mask(levels(), NAMES)
    assert person is not None
    calm = 0
    for seed in range(20):
        lab = street(seed)
        out = before_backdrop(lab, person, generator(seed, "backdrop", 0))
        behind, inside = person < 0.001, person > 0.999
        np.testing.assert_allclose(out[inside], lab[inside], atol=0.5)
        chroma = np.hypot(out[..., 1], out[..., 2])[behind]
        assert chroma.max() < 30
        calm += int(chroma.max() < 6)
        light = cv2.blur(out[..., 0], (5, 5))[:, :30]
        assert np.abs(np.diff(light, axis=0)).max() < 5
    assert calm >= 8


def test_a_named_backdrop_has_that_hue() -> None:
    person = person_mask(levels(), NAMES)
    assert person is not None
    out = before_backdrop(street(), person, generator(1, "backdrop", 0), "blue")
    a, b = out[person < 0.001][:, 1:].mean(0)
    _, wanted_a, wanted_b = colour_of("blue")
    turn = np.degrees(np.angle(complex(a, b) / complex(wanted_a, wanted_b)))
    assert abs(turn) < 25 and np.hypot(a, b) > 8


def test_samples_of_labelled_people_get_backdrops_where_the_recipe_asks() -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (120, 100, 3), dtype=np.uint8)
    codes = [cv2.imencode(".png", x)[1].tobytes() for x in (rgb, levels())]
    photo = CleanPhoto("ccp-0000", codes[0], ("a person with red coat",), LabelMap(codes[1], NAMES))
    rough: dict[float, float] = {}
    for share in (0.0, 1.0):
        options = ColourOptions(
            size=64, labelled=1.0, backdrops=share, aged=0.0, film=0.0, recoloured=0.0
        )
        samples = [colour_sample([photo], [0], 3, i, options) for i in range(12)]
        corners = np.stack([s.lab[:8, :8, 1:] for s in samples])
        rough[share] = float(corners.std((1, 2)).mean())
    assert rough[1.0] < 0.3 * rough[0.0]
