from __future__ import annotations

from pathlib import Path

import pytest

from unfade.colours import WORDS, ColourRegion, rgb_of
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
