"""Learns a vocabulary of whole words from captions, and builds its tokenizer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, cast

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

PAD, UNKNOWN, BEGIN, END = "<pad>", "<unk>", "<begin>", "<end>"  # ids 0, 1, 2, 3
_WORD = re.compile(r"[a-z0-9]+")


def learn_words(captions: Iterable[str], *, least: int = 3) -> list[str]:
    """The words of captions, the most frequent first, equally frequent ones by the alphabet.

    Args:
        least: a word that occurs less often is left out: too few pictures to learn it from.
    """
    plain = _normalizer().normalize_str
    count = Counter(word for caption in captions for word in _WORD.findall(plain(caption)))
    return sorted((w for w, n in count.items() if n >= least), key=lambda w: (-count[w], w))


def build_tokenizer(words: Sequence[str], *, length: int) -> PreTrainedTokenizerFast:
    """A tokenizer that knows these words, without regard to case and accents.

    Args:
        words: without repetition; `learn_words` gives them.
        length: tokens of a prompt, those that begin and end it included (`TextConfig.length`).

    Returns:
        Its `save_pretrained(folder)` writes the folder tokenizer/ of a preset.
    """
    ids = {word: i for i, word in enumerate([PAD, UNKNOWN, BEGIN, END, *words])}
    tokenizer: Any = Tokenizer(WordLevel(ids, unk_token=UNKNOWN))
    tokenizer.normalizer = _normalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(f"[^{_WORD.pattern[1:-2]}]+"), "removed")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A {END}", special_tokens=[(BEGIN, ids[BEGIN]), (END, ids[END])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=length,
        pad_token=PAD,
        unk_token=UNKNOWN,
        bos_token=BEGIN,
        eos_token=END,
    )


def unknown_words(tokenizer: PreTrainedTokenizerBase, text: str) -> list[str]:
    """The words of a prompt that a tokenizer has no token for, in order, each once.

    A tokenizer of word pieces, as Stable Diffusion's, knows them all.
    """
    tokens = cast(Any, tokenizer)(
        text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
    )
    pairs = zip(tokens["input_ids"], tokens["offset_mapping"], strict=True)
    unknown = (
        text[start:stop] for token, (start, stop) in pairs if token == tokenizer.unk_token_id
    )
    return list(dict.fromkeys(word.lower() for word in unknown))


def words_beyond(tokenizer: PreTrainedTokenizerBase, text: str, length: int) -> list[str]:
    """The words of a prompt that are cut off, in order; a word that is cut apart counts.

    Args:
        length: tokens of a prompt, those that begin and end it included.
    """
    tokens = cast(Any, tokenizer)(
        text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
    )
    beyond = tokens["offset_mapping"][length - tokenizer.num_special_tokens_to_add() :]
    if not beyond:
        return []
    first = int(beyond[0][0])
    while first > 0 and text[first - 1].isalnum() and text[first].isalnum():
        first -= 1
    return re.findall(r"\w+", text[first:])


def _normalizer() -> Any:
    return normalizers.Sequence(
        [normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
