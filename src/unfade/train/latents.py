"""Caches latents and pixels of photos with the colours of their cells; reads windows of them."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor

from unfade.data.captions import Names, colour_map
from unfade.data.sources import CleanPhoto, fingerprint
from unfade.data.windows import (
    Pixels,
    ViewOptions,
    Window,
    as_image,
    check_views,
    columns_of,
    draw_window,
    make_view,
    scale_photo,
)
from unfade.degrade.types import Image
from unfade.diffusion.condition import encode
from unfade.errors import InputError
from unfade.models.inference import inference
from unfade.models.patches import downscale_of
from unfade.models.tensors import from_array
from unfade.train.tensor_cache import TensorCache, weights_digest

log = logging.getLogger(__name__)
_LAYOUT = 2  # of the files: older ones hold no pixels
_DECODERS = 8  # threads that decode photos for the autoencoder


class LatentStore:
    """Cached latents of every view of some photos, and their windows by sample index.

    Files of 64 photos hold, by photo: "V" (C, h, w) and "V.colours" (h, w) for each view V, and
    "S.pixels" (H, W, 3) for each size S. A photo that cannot be decoded has none; it is left out
    with a warning.

    Args:
        folder: holds the cache in a subfolder named by a hash; trainings may share it.
        vae: encodes the missing latents, on its device.
        progress: called with the number of photos that are done.

    Attributes:
        photos: those that could be decoded.

    Raises:
        InputError: no photo can be decoded.
        UsageError: windows that do not fit the views.
        OutputError: the cache cannot be written.
    """

    def __init__(
        self, folder: Path, vae: AutoencoderKL, photos: Sequence[CleanPhoto], views: ViewOptions,
        *, progress: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        self.views, self.cell = views, downscale_of(vae)
        check_views(views, self.cell)
        scale = float(cast(Any, vae).config.scaling_factor)
        parts = [_LAYOUT, weights_digest(vae), scale, views.sides, views.mirrored]
        name = hashlib.sha256(json.dumps([*parts, fingerprint(photos)]).encode()).hexdigest()[:16]

        def make(items: range) -> Iterator[dict[str, Tensor]]:
            with ThreadPoolExecutor(min(_DECODERS, os.cpu_count() or 1)) as pool:
                scaled = pool.map(partial(_sizes, views), [photos[i] for i in items])
                for sizes in scaled:
                    yield self._tensors(vae, sizes)

        self.cache = TensorCache(folder / f"latents-{name}", len(photos), make, progress=progress)
        self._items = [i for i in range(len(photos)) if not self.cache.has(i, "none")]
        self.photos = [photos[i] for i in self._items]
        if len(self.photos) < len(photos):
            kept = set(self._items)
            bad = [photo.key for i, photo in enumerate(photos) if i not in kept]
            log.warning("%d photos cannot be decoded and are left out: %s", len(bad), bad[:5])
        if not self.photos:
            got = f"{len(photos)} photos that cannot be decoded"
            raise InputError(got, "JPEG, PNG, WebP, BMP or TIFF", "check the files")
        self._shapes = [
            [tuple(self.cache.slices(i, f"{v}").get_shape()[1:]) for v in range(views.views)]
            for i in self._items
        ]

    def _tensors(self, vae: AutoencoderKL, sizes: Sequence[Pixels]) -> dict[str, Tensor]:
        """The cached tensors of a photo, from its pixels at each size."""
        if not sizes:
            return {"none": torch.zeros(1)}
        out = {f"{s}.pixels": from_array(pixels) for s, pixels in enumerate(sizes)}
        for v in range(self.views.views):
            view = make_view(sizes[v % len(sizes)], self.views, v, self.cell)
            out[f"{v}"] = _encoded(vae, view)
            out[f"{v}.colours"] = from_array(colour_map(view, *out[f"{v}"].shape[1:]))
        return out

    def window(self, seed: int, index: int) -> Window:
        """The window of sample `index` of a run with this seed."""
        return draw_window(self._shapes, seed, index, self.views.size // self.cell)

    def latent(self, window: Window) -> Tensor:
        """(C, h, w), float32, a scaled latent."""
        rows, columns = window.slices()
        part = self.cache.slices(self._items[window.photo], f"{window.view}")
        return cast(Tensor, part[:, rows, columns]).float()

    def colours(self, window: Window) -> Names:
        """(h, w), the names of the cells' colours (`data.captions.colour_map`)."""
        part = self.cache.slices(self._items[window.photo], f"{window.view}.colours")
        return cast(Tensor, part[window.slices()]).numpy()

    def pixels(self, window: Window) -> Image:
        """(S, S, 3) float32, sRGB [0, 1]: what the window's latent encodes."""
        size, (rows, columns) = window.view % len(self.views.sides), window.slices(self.cell)
        part = self.cache.slices(self._items[window.photo], f"{size}.pixels")
        width = int(part.get_shape()[1])
        view_pixels = cast(Tensor, part[rows, columns_of(window.view, self.views, columns, width)])
        pixels: Pixels = view_pixels.numpy()
        return as_image(np.ascontiguousarray(pixels if window.view == size else pixels[:, ::-1]))


def _sizes(views: ViewOptions, photo: CleanPhoto) -> list[Pixels]:
    """A photo at each size of the views; empty if it cannot be decoded."""
    try:
        image = photo.decode()
    except InputError:
        return []
    return [scale_photo(image, views, size) for size in range(len(views.sides))]


def _encoded(vae: AutoencoderKL, view: Image) -> Tensor:
    """(H, W, 3) -> (C, h, w), the scaled mean latent in fp16."""
    hq = from_array(view).permute(2, 0, 1)[None].to(vae.device)  # (1, 3, H, W)
    with inference(vae.device):
        return encode(vae, hq)[0].half().cpu()
