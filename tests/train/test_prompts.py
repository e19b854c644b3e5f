from __future__ import annotations

import torch

from unfade.data.captions import COLOURS
from unfade.data.sources import CleanPhoto
from unfade.models.folder import Base
from unfade.models.vocabulary import unknown_words
from unfade.train.prompts import encode_tokens, learn_tokenizer, tokenize


def test_tokenizer_knows_frequent_words_and_all_colour_phrases() -> None:
    photos = [CleanPhoto(str(i), b"", ("A dog runs.", "a zebra")[: 1 + (i == 0)]) for i in range(3)]
    tokenizer = learn_tokenizer(photos, length=8, least=3)
    assert unknown_words(tokenizer, "a dog runs, red on the left, mostly tan") == []
    assert unknown_words(tokenizer, " ".join(COLOURS)) == []
    assert unknown_words(tokenizer, "a zebra") == ["zebra"]


def test_tokens_have_one_length_and_tell_prompts_apart(base: Base) -> None:
    short, long = (tokenize(base.tokenizer, p, 8) for p in ("", "red " * 50))
    assert short.shape == long.shape == (8,) and short.dtype == torch.int64
    assert not torch.equal(short, long)
    prompts = ("", "red top", "blue top")
    tokens = torch.stack([tokenize(base.tokenizer, p, 8) for p in prompts])
    with torch.no_grad():
        out = encode_tokens(base.text_encoder, tokens)
    assert out.shape == (3, 8, 8)
    assert (out[1] - out[2]).abs().max() > 1e-3
