from __future__ import annotations

import pytest

from unfade.colours import NAMES, WORDS
from unfade.models.words import BEGIN, NOUNS, SYNONYMS, Vocabulary, learn_vocabulary, split_words

WORDS_LEARNT = learn_vocabulary(["A puppy's ball", "a puppy, a kite"], least=2, most=500)


def test_vocabulary_holds_the_colours_of_the_page_and_more() -> None:
    known = Vocabulary(WORDS_LEARNT)
    assert len(NAMES) >= 60 and set(WORDS) <= set(NAMES)
    for word in (*NAMES, *NOUNS, *SYNONYMS, "grey", "navy blue", "crimson", "Olive", "Kleid"[:0]):
        assert known.encode(word, 8).unknown == [], word


def test_vocabulary_learns_frequent_words_in_one_order() -> None:
    assert "puppy" in WORDS_LEARNT and "kite" not in WORDS_LEARNT
    assert len(set(WORDS_LEARNT)) == len(WORDS_LEARNT)
    assert learn_vocabulary(["b a b a c"], least=1, most=1000)[-3:] == ["a", "b", "c"]
    assert learn_vocabulary(["b a b a c"], least=1, most=10) == list(NAMES)[:10]


def test_words_are_split_without_case_and_accents() -> None:
    assert split_words("A T-shirt, CRÈME-coloured!") == ["a", "t", "shirt", "creme", "coloured"]


@pytest.mark.parametrize(
    ("text", "same"),
    [("grey", "gray"), ("Dresses", "dress"), ("trousers", "pants"), ("kitties", "kitty"),
     ("gowns", "dress"), ("berries", "berry")],
)  # fmt: skip
def test_synonyms_and_plurals_are_the_same_word(text: str, same: str) -> None:
    known = Vocabulary(["gray", "dress", "pants", "kitty", "berry"])
    assert known.encode(text, 4).tokens == known.encode(same, 4).tokens
    assert len(known.encode(text, 4).tokens) == 2


def test_unknown_and_lost_words_are_named_once() -> None:
    known = Vocabulary(["red", "dress", "blue"])
    found = known.encode("A red dress with a zorb, and a Zorb and glim: blue", 3)
    assert found.tokens == [BEGIN, 2, 3]
    assert found.unknown == ["zorb", "glim"] and found.lost == ["blue"]
    known = Vocabulary(["red"])
    assert known.encode("", 8).tokens == known.encode("the a of", 8).tokens == [BEGIN]
    assert len(known) == 3
