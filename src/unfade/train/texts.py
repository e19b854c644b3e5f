"""Caches embedded captions of photos, for trainings whose prompts are captions only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPTextModel, PreTrainedTokenizerBase

from unfade.data.sources import CleanPhoto
from unfade.diffusion.condition import embed
from unfade.train.tensor_cache import TensorCache, weights_digest


class TextStore:
    """Cached embeddings of photos' captions, from a frozen text encoder.

    Args:
        folder: holds the cache in a subfolder named by a hash; trainings may share it.
        progress: called with the number of photos that are done.

    Attributes:
        null: (L, D), float32, the embedding of the null text.

    Raises:
        OutputError: the cache cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        tokenizer: PreTrainedTokenizerBase,
        text_encoder: CLIPTextModel,
        photos: Sequence[CleanPhoto],
        *,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self.prompts = [photo.captions or ("",) for photo in photos]
        parts = [weights_digest(text_encoder), tokenizer.get_vocab(), self.prompts]
        name = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

        def embedded(prompts: Sequence[str]) -> Tensor:
            with torch.no_grad():
                return embed(tokenizer, text_encoder, prompts).cpu()  # (P, L, D)

        def make(photos: range) -> Iterator[dict[str, Tensor]]:
            for photo in photos:
                yield {"text": embedded(self.prompts[photo]).half()}

        self.null = embedded([""])[0].float()
        self.cache = TensorCache(folder / f"texts-{name}", len(photos), make, progress=progress)

    def draw(self, photo: int, rng: np.random.Generator) -> Tensor:
        """A random caption of a photo as (L, D) float32; the null text if it has none."""
        caption = int(rng.integers(len(self.prompts[photo])))
        return cast(Tensor, self.cache.slices(photo, "text")[caption]).float()
