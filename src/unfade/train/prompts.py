"""Builds the tokenizer of prompts, and turns prompts into tokens and embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, cast

import torch
from torch import Tensor
from transformers import CLIPTextModel, PreTrainedTokenizerBase

from unfade.data.captions import phrase_words
from unfade.data.sources import CleanPhoto
from unfade.models.vocabulary import build_tokenizer, learn_words


def learn_tokenizer(
    photos: Sequence[CleanPhoto], *, length: int, least: int
) -> PreTrainedTokenizerBase:
    """A tokenizer over the words of captions and of `data.captions.phrases`.

    Args:
        length: tokens of a prompt, those that begin and end it included.
        least: a word of the captions that occurs less often is unknown.
    """
    captions = chain.from_iterable(photo.captions for photo in photos)
    words = learn_words(chain(captions, phrase_words() * least), least=least)
    return build_tokenizer(words, length=length)


def tokenize(tokenizer: PreTrainedTokenizerBase, prompt: str, length: int) -> Tensor:
    """(L,), int64, padded or cut to `length`; "" is the null text."""
    tokens = cast(Any, tokenizer)(
        prompt, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
    )
    return tokens.input_ids[0].to(torch.int64)


def encode_tokens(text_encoder: CLIPTextModel, tokens: Tensor) -> Tensor:
    """(N, L) -> (N, L, D)."""
    return cast(Any, text_encoder)(tokens).last_hidden_state
