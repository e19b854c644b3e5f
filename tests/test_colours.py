from __future__ import annotations

from pathlib import Path

import pytest

from unfade.colours import WORDS, ColourRegion, rgb_of, with_words, word_for
from unfade.errors import UsageError


def test_words_and_codes_are_colours() -> None:
    assert rgb_of("#0a10FF") == (10, 16, 255) == rgb_of(" #0A10ff ")
    assert rgb_of("Gray") == (128, 128, 128)
    assert all(len(rgb_of(word)) == 3 for word in WORDS)


@pytest.mark.parametrize("colour", ["", "reddish", "#12345", "#12345g", "12, 3, 4", "rgb(1,2,3)"])
def test_colour_is_refused_when_it_is_none(colour: str) -> None:
    with pytest.raises(UsageError, match="expected #rrggbb or one of red, pink"):
        ColourRegion(Path("mask.png"), colour)


def test_region_comes_back_from_its_text(tmp_path: Path) -> None:
    mask = tmp_path / "a=b.png"
    mask.write_bytes(b"")
    region = ColourRegion(mask, "#aabbcc")
    assert ColourRegion.from_text(region.text) == region


@pytest.mark.parametrize("text", ["red", "=red", "none.png=red", ""])
def test_text_is_refused_when_it_names_no_mask_and_colour(text: str) -> None:
    with pytest.raises(UsageError, match=r"dress\.png=red|a mask of the region"):
        ColourRegion.from_text(text)


@pytest.mark.parametrize(
    ("colour", "word"),
    [("Red", "red"), ("#ff0000", "red"), ("#0000ff", "blue"), ("#00ff00", "green"),
     ("#d0d8d0", "gray"), ("#101838", "navy"), ("#3f7a3a", "green"), ("#ffe4c4", "skin"),
     ("#ffff00", "yellow"), ("#8b4513", "brown"), ("#00ffff", "turquoise"), ("#ffc0cb", "pink")],
)  # fmt: skip
def test_nearest_word_names_a_colour(colour: str, word: str) -> None:
    assert word_for(colour) == word


def test_prompt_names_the_colour_of_each_region_once() -> None:
    def regions(*colours: str) -> list[ColourRegion]:
        return [ColourRegion(Path("m.png"), colour) for colour in colours]

    assert with_words("a girl, red dress", regions("red")) == "a girl, red dress"
    assert with_words("a girl", regions("red", "#0000ff", "red")) == "a girl, red, blue"
    assert with_words("a tired girl", regions("red")) == "a tired girl, red"
    assert with_words("", regions("red", "blue")) == "red, blue"
    assert with_words("a girl", []) == "a girl"
