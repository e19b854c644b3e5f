from __future__ import annotations

from pathlib import Path

from unfade.models.folder import Base, load_tokenizer
from unfade.models.vocabulary import build_tokenizer, learn_words, unknown_words, words_beyond

CAPTIONS = ["A red dress, green grass.", "a RED car", "the café's red door"]


def test_learn_words_counts_without_case_accents_and_marks() -> None:
    assert learn_words(CAPTIONS, least=2) == ["red", "a"]
    assert learn_words(CAPTIONS, least=1) == [
        "red", "a", "cafe", "car", "door", "dress", "grass", "green", "s", "the",
    ]  # fmt: skip
    assert learn_words([]) == []


def test_tokenizer_frames_cuts_and_pads() -> None:
    tokenizer = build_tokenizer(learn_words(CAPTIONS, least=1), length=6)
    long = tokenizer("Red, red: CAFÉ zebra red", padding="max_length", truncation=True)
    assert long.input_ids == [2, 4, 4, 6, 1, 3]
    assert tokenizer("", padding="max_length").input_ids == [2, 3, 0, 0, 0, 0]
    assert len(tokenizer) == 14


def test_tokenizer_comes_back_from_its_folder(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(learn_words(CAPTIONS, least=1), length=6)
    tokenizer.save_pretrained(tmp_path)
    again = load_tokenizer(tmp_path)
    text = "Red, red: CAFÉ zebra"
    assert again(text).input_ids == tokenizer(text).input_ids and len(again) == len(tokenizer)


def test_unknown_words_are_named_once_and_in_order(tiny_sd: Base) -> None:
    tokenizer = build_tokenizer(["red", "cafe"], length=6)
    assert unknown_words(tokenizer, "Blimp, red CAFÉ zebra blimp") == ["blimp", "zebra"]
    assert unknown_words(tokenizer, "red") == [] and unknown_words(tokenizer, "") == []
    assert unknown_words(tiny_sd.tokenizer, "a red zebra, é 漢字") == []


def test_words_beyond_are_those_that_are_cut_off(tiny_sd: Base) -> None:
    tokenizer = build_tokenizer(["a", "red", "dress"], length=6)
    text = "a red dress, green grass; a CAFÉ"  # four words fit beside begin and end
    assert words_beyond(tokenizer, text, 6) == ["grass", "a", "CAFÉ"]
    kept = tokenizer(text, truncation=True).input_ids[1:-1]
    assert len(kept) == 4
    assert words_beyond(tokenizer, "a red dress, green", 6) == []
    assert words_beyond(tokenizer, "", 6) == []
    # One token for "red", one for each other letter: "green" is cut after "gr".
    assert words_beyond(tiny_sd.tokenizer, "red green, red", 5) == ["green", "red"]
    assert words_beyond(tiny_sd.tokenizer, "red red red", 5) == []
