from __future__ import annotations

import pickle
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch

from unfade.data.sources import CleanPhoto
from unfade.diffusion.condition import embed
from unfade.models.folder import Base
from unfade.models.vocabulary import build_tokenizer
from unfade.train import tensor_cache
from unfade.train.texts import TextStore


def store(folder: Path, base: Base, photos: list[CleanPhoto], **changes: object) -> TextStore:
    tokenizer = changes.get("tokenizer", base.tokenizer)
    encoder = changes.get("text_encoder", base.text_encoder)
    return TextStore(folder, tokenizer, encoder, photos)  # pyright: ignore[reportArgumentType]


def captioned(*captions: str) -> CleanPhoto:
    return CleanPhoto("photo", b"", captions)


def embedded(base: Base, *prompts: str) -> torch.Tensor:
    with torch.no_grad():
        return embed(base.tokenizer, base.text_encoder, prompts)


def test_draw_gives_each_of_a_photos_own_captions(base: Base, tmp_path: Path) -> None:
    photos = [captioned("a dog"), captioned("a red ball", "grass"), captioned("a ball")]
    found = store(tmp_path, base, photos)
    for photo, clean in enumerate(photos):
        texts = embedded(base, *clean.captions)
        drawn: set[int] = set()
        for seed in range(20):
            text = found.draw(photo, np.random.default_rng(seed))
            assert text.shape == (8, 8) and text.dtype == torch.float32
            near = (texts - text).abs().amax((1, 2))
            assert near.min() < 5e-3  # fp16 on disk
            drawn.add(int(near.argmin()))
        assert drawn == set(range(len(clean.captions)))


def test_draw_gives_the_null_text_without_captions_and_depends_on_the_generator_alone(
    base: Base, tmp_path: Path
) -> None:
    found = store(tmp_path, base, [captioned(), captioned()])
    assert torch.equal(found.null, embedded(base, "")[0])
    for photo in (0, 1):
        text = found.draw(photo, np.random.default_rng(0))
        torch.testing.assert_close(text, found.null, rtol=0, atol=5e-3)
    photos = [captioned("a", "dog", "ball", "red", "grass", "on")]
    found = store(tmp_path, base, photos)
    copy = pickle.loads(pickle.dumps(found))  # as data workers get it
    for seed in range(8):
        one = found.draw(0, np.random.default_rng(seed))
        assert torch.equal(one, copy.draw(0, np.random.default_rng(seed)))
    assert torch.equal(found.null, copy.null)


def test_captions_are_embedded_once(
    base: Base, photos: list[CleanPhoto], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensor_cache, "_ITEMS_PER_FILE", 2)
    calls: list[int] = []
    hook = base.text_encoder.register_forward_hook(lambda *_: calls.append(1))
    try:
        done: list[int] = []
        TextStore(tmp_path, base.tokenizer, base.text_encoder, photos, progress=done.append)
        assert done == [2, 4, 6] and len(calls) == 6 + 1
        found = store(tmp_path, base, photos)
        assert len(calls) == 6 + 2  # the null text is not kept
        next(found.cache.folder.iterdir()).unlink()  # as a kill between two files leaves it
        store(tmp_path, base, photos)
        assert len(calls) == 6 + 3 + 2
    finally:
        hook.remove()


def test_another_cache_is_made_when_captions_words_or_weights_are_others(
    base: Base, tmp_path: Path
) -> None:
    photos = [captioned("a dog")]
    store(tmp_path, base, photos)
    store(tmp_path, base, [captioned("a ball")])
    words = [word for word in base.tokenizer.get_vocab() if word.isalpha()]
    store(tmp_path, base, photos, tokenizer=build_tokenizer(words[::-1], length=8))
    encoder = deepcopy(base.text_encoder)
    with torch.no_grad():
        next(encoder.parameters()).add_(0.01)
    store(tmp_path, base, photos, text_encoder=encoder)
    assert len(list(tmp_path.iterdir())) == 4
    store(tmp_path, base, photos)
    assert len(list(tmp_path.iterdir())) == 4
