from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from unfade.errors import InputError, OutputError, UnfadeError, UsageError, WeightsError


def test_message_names_file_and_says_got_expected_and_fix():
    error = InputError("an empty file", "a photo", "copy it again", path=Path("a/b.jpg"))
    assert str(error) == f"{Path('a/b.jpg')}: got an empty file, expected a photo; copy it again"
    assert (error.got, error.expected, error.fix) == ("an empty file", "a photo", "copy it again")


def test_message_has_no_name_when_there_is_no_file():
    assert str(UsageError("--tile 3", "64 or more", "raise it")) == (
        "got --tile 3, expected 64 or more; raise it"
    )


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
