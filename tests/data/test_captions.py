from __future__ import annotations

import cv2
import numpy as np
import pytest

from unfade.data.captions import COLOURS, colour_map, describe, phrase_words, phrases

PAINTS = {
    "black": (15, 15, 15), "gray": (128, 128, 130), "white": (245, 245, 240),
    "red": (200, 20, 30), "orange": (250, 140, 20), "brown": (110, 70, 30),
    "tan": (210, 180, 140), "yellow": (250, 230, 40), "green": (40, 140, 50),
    "blue": (40, 80, 200), "purple": (120, 40, 160), "pink": (250, 150, 190),
}  # fmt: skip


def flat(colour: str, height: int = 40, width: int = 40) -> np.ndarray:
    return np.full((height, width, 3), PAINTS[colour], np.float32) / np.float32(255)


def names_of(image: np.ndarray) -> np.ndarray:
    return colour_map(image, 16, 16)


def many(image: np.ndarray, count: int = 60) -> list[str]:
    return [phrases(names_of(image), np.random.default_rng(i)) for i in range(count)]


@pytest.mark.parametrize("colour", PAINTS)
def test_colour_map_names_a_paint(colour: str) -> None:
    names = colour_map(flat(colour), 12, 10)
    assert (
        names.shape == (12, 10)
        and names.dtype == np.uint8
        and {COLOURS[i] for i in np.unique(names)} == {colour}
    )


def test_colour_map_names_every_colour() -> None:
    cube = np.stack(np.meshgrid(*[np.linspace(0, 1, 24, dtype=np.float32)] * 3), -1)
    names = colour_map(np.ascontiguousarray(cube.reshape(24, -1, 3)), 24, 24 * 24)
    assert set(np.unique(names)) == set(range(len(COLOURS)))


def test_phrases_say_where_a_colour_is() -> None:
    image = np.concatenate([flat("blue"), flat("green")])
    said = " | ".join(many(image))
    assert "blue above" in said and "green below" in said
    assert "blue below" not in said and "green at the top" not in said
    assert {w for w in said.replace(",", "").split() if w in COLOURS} == {"blue", "green"}
    beside = " | ".join(many(np.concatenate([flat("red"), flat("yellow")], 1)))
    assert "red on the left" in beside and "yellow on the right" in beside


def test_phrases_follow_the_colours_and_call_a_gray_picture_monochrome() -> None:
    scene = flat("gray", 60, 60)
    for colour in ("red", "blue"):
        scene[20:44, 20:44] = flat(colour)[0, 0]
        said = " ".join(many(scene))
        other = {"red": "blue", "blue": "red"}[colour]
        assert colour in said and other not in said
    ramp = np.repeat(np.linspace(0, 1, 50, dtype=np.float32)[None, :, None], 50, 0)
    said = set(many(np.ascontiguousarray(np.repeat(ramp, 3, 2))))
    assert said == {"a black and white photo", "gray and white", "monochrome"}


def test_phrases_use_known_words_alone_and_are_never_empty() -> None:
    known = set(" ".join(phrase_words()).split())
    for seed in range(80):
        rng = np.random.default_rng(seed)
        coarse = rng.random((int(rng.integers(1, 6)), 4, 3), dtype=np.float32)
        image = cv2.resize(coarse, (48, 36), interpolation=cv2.INTER_CUBIC).clip(0, 1)
        said = phrases(colour_map(image, *rng.integers(1, 20, 2)), rng)
        assert said and set(said.replace(",", "").split()) <= known


def test_describe_mixes_captions_and_colours() -> None:
    red = names_of(flat("red"))
    said = [describe(["a ball .", "a toy"], red, np.random.default_rng(i)) for i in range(80)]
    assert {"a ball", "a toy"} <= set(said)
    assert any("red" in s and "a " not in s for s in said)
    assert any("red" in s and s.startswith("a ball, ") for s in said)
    assert all("red" in describe([], red, np.random.default_rng(i)) for i in range(10))
