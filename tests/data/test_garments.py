from __future__ import annotations

import re

import numpy as np

from unfade.colours import NAMES
from unfade.data.garments import (
    garment_words,
    label_regions,
    named_parts,
    recolour_garments,
    sentence,
)
from unfade.data.recolour import colour_of, to_lab
from unfade.data.sources import CleanPhoto, LabelMap

NAMED = {0: "null", 14: "dress", 24: "jacket", 41: "skin", 57: "watch"}


def labels() -> np.ndarray:
    out = np.zeros((40, 40), np.uint8)
    out[2:20, 5:35], out[20:38, 5:35], out[0:2, 10:20], out[30, 30] = 24, 14, 41, 57
    return out


def test_regions_are_garments_that_are_large_enough() -> None:
    found = label_regions(labels(), NAMED)
    assert set(found) == {"null", "dress", "jacket"}
    inside = found["dress"]
    assert inside.shape == (40, 40) and inside.dtype == np.float32
    assert inside[29, 20] == 1 and inside[5, 20] == 0 and 0.2 < inside[19, 20] < 0.5


def test_parts_of_a_caption_are_garments_with_colours() -> None:
    text = "a person with light blue jeans, a navy coat, bag, white t-shirt"
    assert named_parts(text) == {"jeans": "light blue", "coat": "navy", "t-shirt": "white"}
    assert named_parts("") == {}


def test_the_caption_says_what_is_recoloured() -> None:
    lab = to_lab(np.full((40, 40, 3), 0.5, np.float32))
    regions = label_regions(labels(), NAMED)
    del regions["null"]
    both = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        out, caption, changed = recolour_garments(
            lab, regions, ("a person with black dress, brown jacket, white shoes",), rng
        )
        both += len(changed) == 2
        np.testing.assert_array_equal(out[..., 0], lab[..., 0])
        for name, region in regions.items():
            moved = np.abs(out - lab)[region == 1].max() > 1e-3
            assert moved == any(region is x for x in changed) or "gray" in caption
            said = re.search(rf"([a-z ]*?) {name}\b", caption)
            if any(region is x for x in changed):
                assert said is not None, caption
    assert 15 < both < 35  # two of them at 40 %


def test_the_new_colour_is_the_one_that_the_caption_names() -> None:
    lab = to_lab(np.full((40, 40, 3), 0.45, np.float32))
    regions = {"dress": label_regions(labels(), NAMED)["dress"]}
    checked = 0
    for seed in range(80):
        out, caption, _ = recolour_garments(lab, regions, (), np.random.default_rng(seed))
        found = re.search(r"(?:^|\b(?:an?|with|in|wearing) )(\w+) dress$", caption)
        said = found[1] if found else ""
        a, b = out[24:36, 10:30, 1:].mean((0, 1))
        if said not in NAMES or np.hypot(*colour_of(said)[1:]) < 10:
            continue
        checked += 1
        _, x, y = colour_of(said)
        turn = np.degrees(np.arctan2(a * y - b * x, a * x + b * y))
        assert abs(turn) < 25, caption
    assert checked > 30


def test_sentences_hold_every_part_in_any_order_and_words_name_labels_and_people() -> None:
    parts = {"dress": "red", "shoes": "black", "coat": "olive"}
    said = {sentence(parts, np.random.default_rng(seed)) for seed in range(40)}
    assert len(said) > 20
    for text in said:
        for noun, colour in parts.items():
            assert f"{colour} {noun}" in text
        assert "a black shoes" not in text and "a olive" not in text
    photo = CleanPhoto("a", b"", (), LabelMap(b"", {1: "cape", 2: "hat"}))
    words = garment_words([photo, CleanPhoto("b", b"")])
    assert {"cape", "hat", "a woman", "background"} <= set(words)
