"""Makes samples of the restoring tasks: a window's latent, the degraded window, a prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPTextModel

from unfade.data.captions import describe
from unfade.data.pairs import check_size
from unfade.data.restoration import RestorationOptions, TaskInput, draw_task
from unfade.data.sources import CleanPhoto, hold_out
from unfade.data.windows import ViewOptions, Window
from unfade.degrade.ops import LUMA
from unfade.diffusion.condition import ConditionKind, encode, make_condition, prompt_length
from unfade.models.checkpoint import load_model
from unfade.models.enlarger import SCALE, Enlarger
from unfade.models.folder import Base
from unfade.models.presets import ENLARGER, find_preset
from unfade.models.stage1 import CELL, Stage1Net
from unfade.models.tensors import from_array
from unfade.rng import generator
from unfade.train.latents import LatentStore
from unfade.train.prompts import encode_tokens, tokenize
from unfade.train.stage1 import imperfect
from unfade.train.task import Batch, Split, WithoutNetworks, random_index
from unfade.train.texts import TextStore


class Restorations(WithoutNetworks):
    """Samples of restorations, the same for the same seed, split and index.

    Args:
        base: its autoencoder makes the latents, its tokenizer the tokens; on the device of the
            training.
        cache: folder for latents and embedded captions.
        progress: called with the number of photos whose latents, then whose captions, are there.

    Attributes:
        base: without the text encoder's weights if prompts are cached.

    Raises:
        UsageError: shares that do not add up, or windows that do not fit the views.
    """

    _networks = ("base", "first_stage", "enlarger")

    def __init__(
        self,
        base: Base,
        photos: Sequence[CleanPhoto],
        cache: Path,
        views: ViewOptions,
        options: RestorationOptions,
        seed: int,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        options.check()
        self.base, self.options, self.seed = base, options, seed
        self.tokenizer = base.tokenizer
        self.first_stage: Stage1Net | None = None
        self.enlarger: Enlarger | None = None
        if options.first_stage:
            compact = find_preset("compact")
            self.first_stage = load_model(compact.folder / "stage1.safetensors", Stage1Net)
            if compact.optional(ENLARGER) and options.super_resolution > 0:
                check_size(views.size, SCALE * CELL)
                self.enlarger = load_model(compact.folder / ENLARGER, Enlarger)
        self.enlarges = self.enlarger is not None  # known where the network is not
        train, held_out = hold_out(photos)
        self.store = LatentStore(cache, base.vae, train, views, progress=progress)
        self.held_out = LatentStore(cache, base.vae, held_out, views)
        self.texts: dict[LatentStore, TextStore] = {}
        if not options.phrases:
            for store, report in ((self.store, progress), (self.held_out, None)):
                self.texts[store] = TextStore(
                    cache, base.tokenizer, base.text_encoder, store.photos, progress=report
                )
            self.base = replace(base, text_encoder=_without_weights(base.text_encoder))
        self.length = prompt_length(base.text_encoder)

    def sample(self, split: Split, index: int) -> Batch:
        """The z0 (C, h, w), hq and lq (3, S, S), mask (1, S, S), aged () and gray (); the prompt.

        The prompt is tokens (L,) or, where prompts are cached, text (L, D). Where small photos are
        enlarged by the first stage: small (3, S / 2, S / 2), of which the upper left (3, S / scale,
        S / scale) counts, and scale (), 0 where there is none.
        """
        store = self.held_out if split == "validation" else self.store
        window = store.window(self.seed, index)
        rng = generator(self.seed, "restoration", random_index(split, index))
        hq = store.pixels(window)
        task = draw_task(hq, rng, self.options)
        prompted = task.prompted and rng.random() < self.options.prompts
        return {
            "z0": store.latent(window),
            "hq": from_array(hq).permute(2, 0, 1).contiguous(),
            "lq": from_array(task.lq).permute(2, 0, 1).contiguous(),
            "mask": from_array(imperfect(task.mask, rng) if task.aged else task.mask)[None],
            "aged": torch.tensor(task.aged),
            "gray": torch.tensor(task.gray),
            **self._prompt(store, window, rng, prompted),
            **(self._small(task) if self.enlarges else {}),
        }

    def _small(self, given: TaskInput) -> Batch:
        """The small photo of a sample and its scale, as tensors of one shape for all samples."""
        size = given.lq.shape[0]
        small = torch.zeros(3, size // 2, size // 2)
        if given.small is None:
            return {"small": small, "scale": torch.tensor(0)}
        side = given.small.shape[0]
        small[:, :side, :side] = from_array(given.small).permute(2, 0, 1)
        return {"small": small, "scale": torch.tensor(size // side)}

    def _prompt(
        self, store: LatentStore, window: Window, rng: np.random.Generator, prompted: bool
    ) -> Batch:
        if store in self.texts:
            texts = self.texts[store]
            return {"text": texts.draw(window.photo, rng) if prompted else texts.null}
        prompt = ""
        if prompted:
            prompt = describe(store.photos[window.photo].captions, store.colours(window), rng)
        return {"tokens": tokenize(self.tokenizer, prompt, self.length)}

    def first_stage_output(self, batch: Batch) -> Tensor:
        """The degraded photos (N, 3, S, S) after the first stages for aged and small photos.

        The one for old photos works in colours; where colours are to be found, its luma is what
        remains.
        """
        lq, index = self._enlarged(batch), batch["aged"].nonzero()[:, 0]
        if self.first_stage is None or len(index) == 0:
            return lq
        first = self.first_stage.to(lq.device)
        with torch.no_grad():
            out = first(lq[index], batch["mask"][index]).float().clamp(0, 1)
        restored = lq.index_copy(0, index, out.to(lq.dtype))
        gray = torch.einsum("c,nchw->nhw", lq.new_tensor(LUMA), restored)[:, None]  # (N, 1, H, W)
        return torch.where(batch["gray"][:, None, None, None], gray, restored)

    def _enlarged(self, batch: Batch) -> Tensor:
        """The degraded photos (N, 3, S, S); small ones are enlarged by the first stage."""
        lq = batch["lq"]
        if self.enlarger is None or "small" not in batch:
            return lq
        enlarger = self.enlarger.to(lq.device)
        for scale in (2, 4):
            index = (batch["scale"] == scale).nonzero()[:, 0]  # (M,)
            if len(index):
                side = lq.shape[-1] // scale
                small = batch["small"][index, :, :side, :side]  # (M, 3, S / scale, S / scale)
                with torch.no_grad():
                    large = enlarger(small).float().clamp(0, 1)  # (M, 3, 4 S / scale, ...)
                out = F.avg_pool2d(large, SCALE // scale)  # (M, 3, S, S)
                lq = lq.index_copy(0, index, out.to(lq.dtype))
        return lq

    def condition(self, kind: ConditionKind, picture: Tensor, mask: Tensor) -> Tensor:
        """The condition of a ControlNet for photos (N, 3, H, W) and masks (N, 1, H, W)."""
        if kind.space == "latent":
            with torch.no_grad():
                picture = encode(self.base.vae, picture).float()  # (N, C, h, w)
        return make_condition(kind, picture, mask)

    def text(self, batch: Batch) -> Tensor:
        """The embedded prompts of a batch, (N, L, D)."""
        if "text" in batch:
            return batch["text"]
        with torch.no_grad():
            return encode_tokens(self.base.text_encoder, batch["tokens"])

    def to_device(self, device: torch.device) -> Base:
        """Moves the frozen networks to a device."""
        networks: list[nn.Module] = [self.base.vae, self.base.unet]
        networks += [] if self.texts else [cast(nn.Module, self.base.text_encoder)]
        for network in networks:
            network.to(device)
        return self.base


def _without_weights(text_encoder: CLIPTextModel) -> CLIPTextModel:
    """A text encoder with the same configuration and without weights, to save memory."""
    with torch.device("meta"):
        return CLIPTextModel(cast(Any, text_encoder).config)
