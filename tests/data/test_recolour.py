from __future__ import annotations

import numpy as np
import pytest

from unfade.colours import NAMES
from unfade.data.recolour import (
    HUES,
    colour_of,
    draw_name,
    everyday_name,
    in_gamut,
    name_of,
    recoloured,
    to_lab,
    to_rgb,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def hue(colour: np.ndarray) -> float:
    return float(np.degrees(np.arctan2(colour[..., 2].mean(), colour[..., 1].mean())))


def test_colours_come_back_from_lab() -> None:
    rgb = rng().random((8, 9, 3)).astype(np.float32)
    np.testing.assert_allclose(to_rgb(to_lab(rgb)), rgb, atol=4e-3)
    white = to_lab(np.ones((1, 1, 3), np.float32))[0, 0]
    np.testing.assert_allclose(white, [100, 0, 0], atol=0.1)


def test_chroma_gives_way_where_srgb_has_no_such_colour() -> None:
    wild = np.array([[95, 90, 60], [50, 10, 10], [5, 0, 100]], np.float32)
    out = in_gamut(wild)
    np.testing.assert_array_equal(out[:, 0], wild[:, 0])
    np.testing.assert_array_equal(out[1], wild[1])
    for got, asked in zip(out[[0, 2]], wild[[0, 2]], strict=True):
        assert 0 < np.hypot(*got[1:]) < 0.5 * np.hypot(*asked[1:])
        np.testing.assert_allclose(np.arctan2(*got[1:]), np.arctan2(*asked[1:]), atol=1e-3)
    np.testing.assert_allclose(to_lab(to_rgb(out[None]))[0], out, atol=1)


@pytest.mark.parametrize("name", NAMES)
def test_a_colour_has_its_own_name(name: str) -> None:
    assert name_of(np.array(colour_of(name))) == name


def test_names_fit_the_lightness_and_hues_fit_any() -> None:
    dark = [draw_name(12, rng(seed)) for seed in range(200)]
    light = [draw_name(92, rng(seed)) for seed in range(200)]
    assert "navy" in dark and "ivory" in light
    for names, opposite in ((dark, "ivory"), (light, "navy")):
        assert opposite not in names and len(set(names)) > 15
        assert 0.05 < np.mean([name in HUES for name in names]) < 0.8


def test_names_are_said_in_several_ways() -> None:
    assert {everyday_name("navy", 20, rng(seed)) for seed in range(60)} == {
        "navy",
        "navy blue",
        "dark blue",
    }
    assert {everyday_name("green", 10, rng(seed)) for seed in range(20)} == {"green", "dark green"}
    assert {everyday_name("teal", 90, rng(seed)) for seed in range(20)} == {"teal"}


def test_recoloured_keeps_the_lightness_and_what_lies_outside() -> None:
    gray = rng().uniform(0.1, 0.45, (24, 24, 1)) * np.array([1, 0.95, 0.9])
    lab = to_lab(gray.astype(np.float32))
    mask = np.zeros((24, 24), np.float32)
    mask[4:20, 4:20] = 1
    out = recoloured(lab, mask, "red", rng())
    np.testing.assert_array_equal(out[mask == 0], lab[mask == 0])
    np.testing.assert_array_equal(out[..., 0], lab[..., 0])
    assert hue(out[8:16, 8:16]) == pytest.approx(hue(np.array([colour_of("red")])), abs=15)
    chroma = np.hypot(out[..., 1], out[..., 2])
    inside, light = mask > 0, lab[..., 0]
    dark = inside & (light < np.median(light[inside]))
    assert chroma[dark].mean() < chroma[inside & ~dark].mean()  # a shadow is less chromatic
    np.testing.assert_allclose(to_lab(to_rgb(out)), out, atol=1.5)  # sRGB has them all


def test_recoloured_changes_by_the_share_of_its_region() -> None:
    lab = to_lab(np.full((6, 6, 3), 0.5, np.float32))
    full, half = (recoloured(lab, np.full((6, 6), m, np.float32), "blue", rng()) for m in (1, 0.5))
    np.testing.assert_allclose(half - lab, (full - lab) / 2, atol=1e-4)
    lab = to_lab(np.full((4, 4, 3), 0.5, np.float32))
    np.testing.assert_array_equal(recoloured(lab, np.zeros((4, 4), np.float32), "red", rng()), lab)
