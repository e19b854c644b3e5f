from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from unfade.errors import InputError, OutputError, UnfadeError, UsageError, WeightsError, explain


def test_message_names_file_and_says_got_expected_and_fix():
    error = InputError("an empty file", "a photo", "copy it again", path=Path("a/b.jpg"))
    assert str(error) == f"{Path('a/b.jpg')}: got an empty file, expected a photo; copy it again"
    assert (error.got, error.expected, error.fix) == ("an empty file", "a photo", "copy it again")


def test_message_has_no_name_when_there_is_no_file():
    assert str(UsageError("--tile 3", "64 or more", "raise it")) == (
        "got --tile 3, expected 64 or more; raise it"
    )


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (InputError("an empty file", "a photo", "copy it again", path=Path("b.jpg")),
         "b.jpg is an empty file. Needed: a photo. Copy it again."),
        (InputError("no such file", "a photo", "check the name", path=Path("b.jpg")),
         "b.jpg: no such file. Needed: a photo. Check the name."),
        (UsageError("threshold 3.0", "between 0 and 1", "try 0.5"),
         "threshold 3.0. Needed: between 0 and 1. Try 0.5."),
        (UsageError("a folder", "a photo", "did you mean 'b.jpg'?"),
         "a folder. Needed: a photo. Did you mean 'b.jpg'?"),
        (InputError("a file that has 2 pages", "one photo", "run magick b.tif b-%03d.tif"),
         "a file that has 2 pages. Needed: one photo. Run magick b.tif b-%03d.tif"),
        (UsageError("no package gradio", "the packages of the page", "pip install '.[web]' here"),
         "no package gradio. Needed: the packages of the page. Run: pip install '.[web]' here."),
        (UsageError("a scale", "task='super-resolution'", "add max_pixels=N or offload=True"),
         "a scale. Needed: --task super-resolution. Add --max-pixels N or --offload"),
    ],
)  # fmt: skip
def test_people_are_told_in_sentences(error: UnfadeError, text: str) -> None:
    assert error.message() == text


def test_explained_error_names_the_photo_once() -> None:
    photo = Path("b.jpg")
    about = InputError("a folder", "a photo", "name a file", path=photo)
    assert explain(about, photo) == "b.jpg is a folder. Needed: a photo. Name a file."
    nameless = InputError("a photo of 3 pixels", "64", "scan it again")
    assert explain(nameless, photo) == "b.jpg is a photo of 3 pixels. Needed: 64. Scan it again."
    mask = InputError("a folder", "a mask", "name a file", path=Path("mask"))
    assert explain(mask, photo) == "b.jpg: mask is a folder. Needed: a mask. Name a file."


def test_message_prints_in_one_line_when_the_name_is_not_utf8():
    path = Path(os.fsdecode(b"caf\xe9\nprint.jpg"))
    text = str(InputError("x", "y", "z", path=path))
    text.encode("utf-8")
    assert "\n" not in text
    assert text.startswith("caf\\xe9\\nprint.jpg: got x")


@pytest.mark.parametrize("kind", [InputError, OutputError, UsageError, WeightsError])
def test_every_error_is_an_unfade_error_and_survives_pickling(kind: type[UnfadeError]):
    error = kind("a", "b", "c", path=Path("p"))
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(error, UnfadeError)
    assert (str(again), again.path) == (str(error), Path("p"))
