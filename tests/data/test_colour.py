from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from unfade.data.colour import (
    ColourOptions,
    aged_light,
    colour_sample,
    draw_region_colours,
    is_held_out,
    on_film,
    plain_sample,
    split_photos,
)
from unfade.data.sources import CleanPhoto, LabelMap
from unfade.errors import UsageError

Encode = Callable[..., bytes]
OPTIONS = ColourOptions(size=64)


@pytest.fixture
def people(encode: Encode) -> list[CleanPhoto]:
    """Four photos, of which the first two have a coat (24) and a background."""
    levels = np.zeros((60, 70), np.uint8)
    levels[10:50, 15:55] = 24
    labels = LabelMap(cv2.imencode(".png", levels)[1].tobytes(), {0: "null", 24: "coat"})
    caption = ("a person with red coat",)
    photos = [CleanPhoto(f"ccp-{i}", encode(i), caption, labels) for i in range(2)]
    return [*photos, CleanPhoto("a", encode(2), ("A dog on grass .",)), CleanPhoto("b", encode(3))]


def test_the_split_depends_on_the_key_alone() -> None:
    keys = [f"ccp-{i:04}" for i in range(2098)]
    held = [key for key in keys if is_held_out(key)]
    assert 70 < len(held) < 140
    assert held[:3] == ["ccp-0001", "ccp-0009", "ccp-0025"]  # fixed: a change leaks into training
    assert is_held_out("deep/ccp-0009") and not is_held_out("ccp-0000")
    others = [f"f8k-{i}" for i in range(5000)]
    assert 20 < sum(map(is_held_out, others)) < 90


def test_no_photo_is_on_both_sides_of_the_split(encode: Encode) -> None:
    photos = [CleanPhoto(f"ccp-{i:04}", b"") for i in range(60)]
    kept, held = split_photos(photos)
    assert len(kept) + len(held) == 60 and held
    assert not {p.key for p in kept} & {p.key for p in held}
    few = photos[2:6]  # none of these by its hash
    assert split_photos(few) == (few, few)


def test_samples_are_the_same_for_a_seed_and_number(people: list[CleanPhoto]) -> None:
    for number in range(6):
        one, other = (colour_sample(people, [0, 1], 3, number, OPTIONS) for _ in range(2))
        assert one.prompt == other.prompt
        for name in ("seen", "lab", "region_colours", "region"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert one.seen.shape == one.region.shape == (64, 64)
        assert one.lab.shape == one.region_colours.shape == (64, 64, 3)
        assert one.seen.min() >= 0 and one.seen.max() <= 1
    assert colour_sample(people, [0], 3, 0, OPTIONS).seen.sum() != pytest.approx(
        colour_sample(people, [0], 4, 0, OPTIONS).seen.sum()
    )


def test_a_recoloured_sample_has_words_or_hints_for_its_region(people: list[CleanPhoto]) -> None:
    options = replace(OPTIONS, labelled=1.0, recoloured=1.0, region_colours=0.5)
    hinted = 0
    for number in range(40):
        sample = colour_sample(people, [0, 1], 0, number, options)
        assert sample.region.max() > 0.9
        if sample.prompt:
            assert any(word in sample.prompt for word in ("coat", "background", "wall", "backdrop"))
        else:
            hinted += 1
            assert (sample.region_colours[..., 2] * (sample.region > 0.3)).any()
    assert 2 < hinted < 20


def test_prompts_are_null_at_their_share(people: list[CleanPhoto]) -> None:
    options = replace(OPTIONS, labelled=0.0, recoloured=0.0, sure=0.0, region_colours=0.0)
    drawn = [colour_sample(people, [], 0, number, options) for number in range(80)]
    assert sum(not sample.prompt for sample in drawn) == pytest.approx(40, abs=14)
    assert not any(sample.region_colours.any() or sample.region.any() for sample in drawn)
    silent = replace(options, captions=0.0)
    assert not any(colour_sample(people, [], 0, n, silent).prompt for n in range(10))


def test_an_unaged_sample_shows_its_own_lightness(people: list[CleanPhoto]) -> None:
    plain = replace(OPTIONS, aged=0.0, film=0.0)
    for number in range(5):
        sample = colour_sample(people, [0, 1], 0, number, plain)
        np.testing.assert_array_equal(sample.seen, sample.lab[..., 0] / np.float32(100))


def test_plain_sample_is_the_middle_with_a_caption_that_names_colours(encode: Encode) -> None:
    photo = CleanPhoto("a", encode(1), ("A dog .", "A dog on green grass ."))
    sample = plain_sample(photo, 64)
    assert sample.prompt == "A dog on green grass"
    assert not sample.region_colours.any() and not sample.region.any()
    np.testing.assert_array_equal(sample.lab, plain_sample(photo, 64).lab)
    assert plain_sample(CleanPhoto("b", encode(2)), 64).prompt == ""


def test_hints_are_the_chroma_below_them_and_the_first_lies_in_the_region() -> None:
    chroma = np.zeros((64, 64, 2), np.float32)
    chroma[:, :32], chroma[:, 32:] = (40, 20), (-20, -40)
    counts, right = list[float](), list[float]()
    for seed in range(50):
        region_colours = draw_region_colours(chroma, np.random.default_rng(seed))
        painted = region_colours[..., 2] == 1
        counts.append(painted.mean())
        assert painted.any() and not region_colours[~painted].any()
        away = np.hypot(*np.moveaxis(region_colours[..., :2] - chroma, 2, 0))[painted]
        right.append((away < 25).mean())
    assert np.mean(right) > 0.8  # a stroke may go over the edge, as users' do
    assert min(counts) < 0.005 and max(counts) > 0.05
    region = np.zeros((64, 64), np.float32)
    region[40:60, 40:60] = 1
    for seed in range(20):
        region_colours = draw_region_colours(chroma, np.random.default_rng(seed), region)
        assert (region_colours[..., 2] * region).any()


def test_ageing_keeps_the_scene_and_adds_grain() -> None:
    light = np.tile(np.linspace(0.1, 0.9, 64, dtype=np.float32), (64, 1))
    changes = []
    for seed in range(40):
        out = aged_light(light, np.random.default_rng(seed))
        assert out.shape == (64, 64) and out.dtype == np.float32
        assert out.min() >= 0 and out.max() <= 1
        np.testing.assert_array_equal(out, aged_light(light, np.random.default_rng(seed)))
        changes.append(float(np.abs(out - light).mean()))
        columns = out.mean(0)
        assert np.corrcoef(columns, light[0])[0, 1] > 0.95
    assert np.median(changes) > 0.02


def test_film_weighs_the_channels_to_one() -> None:
    gray = np.full((4, 4, 3), 0.6, np.float32)
    np.testing.assert_allclose(on_film(gray, np.random.default_rng(0)), 0.6, rtol=1e-5)
    red = np.zeros((4, 4, 3), np.float32)
    red[..., 0] = 1
    shown = [float(on_film(red, np.random.default_rng(seed))[0, 0]) for seed in range(50)]
    assert min(shown) < 0.1 and max(shown) > 0.4


def test_shares_beyond_one_are_refused() -> None:
    with pytest.raises(UsageError, match=r"samples\.region_colours = 1\.5, expected 0 to 1"):
        ColourOptions(region_colours=1.5)
