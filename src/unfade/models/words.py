"""The colouriser's vocabulary: maps words and their synonyms to numbers, in pure Python."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unfade.colours import NAMES

PAD, BEGIN = 0, 1  # tokens that are no word
_FIRST = 2
_WORD = re.compile(r"[a-z0-9]+")
#: Words that say how a colour is.
MODIFIERS = ("dark", "light", "pale", "deep", "bright", "hot", "royal", "golden", "colorful")
#: Words for things that old photos show, known whether or not a caption holds them.
NOUNS = (
    "person", "man", "woman", "boy", "girl", "child", "baby", "people", "face", "hair", "skin",
    "lips", "eyes", "beard", "dress", "shirt", "blouse", "skirt", "pants", "jeans", "shorts",
    "coat", "jacket", "sweater", "suit", "vest", "scarf", "hat", "tie", "shoes", "boots", "socks",
    "stockings", "gloves", "bag", "belt", "uniform", "background", "wall", "sky", "clouds",
    "grass", "field", "tree", "leaves", "forest", "flower", "snow", "sand", "beach", "water",
    "sea", "lake", "river", "mountain", "rock", "road", "street", "building", "house", "roof",
    "church", "brick", "wood", "door", "window", "car", "truck", "bus", "bicycle", "boat", "train",
    "dog", "cat", "horse", "cow", "bird", "fish", "table", "chair", "sofa", "carpet", "curtain",
)  # fmt: skip
#: Spellings and words that mean what another word of the vocabulary does.
SYNONYMS: dict[str, str] = {
    "grey": "gray", "greyish": "gray", "grayish": "gray", "blond": "blonde",
    "colourful": "colorful", "vivid": "bright", "vibrant": "bright", "faded": "pale",
    "darker": "dark", "lighter": "light", "reddish": "red", "bluish": "blue", "greenish": "green",
    "yellowish": "yellow", "brownish": "brown", "pinkish": "pink", "vermilion": "scarlet",
    "carmine": "crimson", "claret": "burgundy", "bordeaux": "burgundy", "ochre": "mustard",
    "ocher": "mustard", "ecru": "beige", "taupe": "khaki", "sepia": "brown", "hazel": "brown",
    "ginger": "copper", "brunette": "brown", "pearl": "ivory", "ebony": "black",
    "ultramarine": "cobalt", "aquamarine": "aqua", "cerulean": "azure", "lilas": "lilac",
    "orchid": "mauve", "amethyst": "violet", "pistachio": "sage", "chartreuse": "lime",
    "terracotta": "rust", "cinnamon": "rust", "caramel": "camel", "coffee": "chocolate",
    "lady": "woman", "female": "woman", "gentleman": "man", "guy": "man", "male": "man",
    "kid": "child", "toddler": "child", "infant": "baby", "lad": "boy", "portrait": "face",
    "trousers": "pants", "slacks": "pants", "gown": "dress", "frock": "dress", "robe": "dress",
    "jumper": "sweater", "pullover": "sweater", "overcoat": "coat", "blazer": "jacket",
    "waistcoat": "vest", "tee": "shirt", "sneakers": "shoes", "footwear": "shoes",
    "handbag": "bag", "backpack": "bag", "cap": "hat", "necktie": "tie", "shawl": "scarf",
    "lawn": "grass", "meadow": "grass", "turf": "grass", "foliage": "leaves", "woods": "forest",
    "sidewalk": "street", "pavement": "street", "ocean": "sea", "pond": "lake", "stream": "river",
    "hill": "mountain", "stone": "rock", "automobile": "car", "vehicle": "car", "lorry": "truck",
    "bike": "bicycle", "ship": "boat", "puppy": "dog", "pup": "dog", "kitten": "cat",
    "pony": "horse", "backdrop": "background", "couch": "sofa", "rug": "carpet",
    "drapes": "curtain",
    "home": "house", "timber": "wood", "wooden": "wood", "blossom": "flower", "bloom": "flower",
}  # fmt: skip
#: Words that say nothing about colours: not knowing them is no loss.
_EMPTY = frozenset(
    {
        "a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "has", "have", "he", "her",
        "his", "image", "in", "is", "it", "its", "of", "on", "or", "photo", "picture", "she",
        "that", "the", "their", "them", "there", "this", "to", "was", "wearing", "were", "while",
        "who", "with",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Encoded:
    """A prompt as numbers.

    Attributes:
        tokens: `BEGIN` and the words, at most as many as asked for.
        unknown: words that the vocabulary lacks, in order, each once.
        lost: known words that found no place.
    """

    tokens: list[int]
    unknown: list[str]
    lost: list[str]


def split_words(text: str) -> list[str]:
    """The words of a text in lower case, without accents."""
    decomposed = unicodedata.normalize("NFD", text.lower())
    return _WORD.findall("".join(c for c in decomposed if not unicodedata.combining(c)))


def learn_vocabulary(captions: Iterable[str], *, least: int, most: int) -> list[str]:
    """The words that a colouriser is to know: all colours, common things, frequent words.

    Args:
        captions: of the training photos.
        least: a word of the captions that occurs less often is left out.
        most: how many words there are at most; the least frequent go first.

    Returns:
        Distinct words; the same captions give the same order.
    """
    count = Counter(word for caption in captions for word in split_words(caption))
    frequent = [word for word, n in count.items() if n >= least]
    frequent.sort(key=lambda word: (-count[word], word))
    return list(dict.fromkeys([*NAMES, *MODIFIERS, *NOUNS, *frequent]))[:most]


class Vocabulary:
    """Words and their numbers.

    Args:
        words: distinct, in the order of their numbers.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._numbers = {word: i + _FIRST for i, word in enumerate(words)}

    def __len__(self) -> int:
        """How many numbers there are, those that are no word included."""
        return len(self._numbers) + _FIRST

    def number(self, word: str) -> int | None:
        """The number of a word in lower case, of its synonym or its singular; None: unknown."""
        for form in _forms(word):
            for known in (form, SYNONYMS.get(form, "")):
                if known in self._numbers:
                    return self._numbers[known]
        return None

    def encode(self, prompt: str, length: int) -> Encoded:
        """A prompt as at most `length` numbers; "" is the null text, `BEGIN` alone."""
        tokens, unknown, lost = [BEGIN], list[str](), list[str]()
        for word in split_words(prompt):
            number = self.number(word)
            if number is None:
                if word not in _EMPTY:
                    unknown.append(word)
            elif len(tokens) < length:
                tokens.append(number)
            else:
                lost.append(word)
        return Encoded(tokens, list(dict.fromkeys(unknown)), lost)


def _forms(word: str) -> list[str]:
    """A word and what it may be the plural of."""
    forms = [word]
    if word.endswith("ies") and len(word) > 4:
        forms.append(word[:-3] + "y")
    if word.endswith("es") and len(word) > 4:
        forms.append(word[:-2])
    if word.endswith("s") and len(word) > 3:
        forms.append(word[:-1])
    return forms
