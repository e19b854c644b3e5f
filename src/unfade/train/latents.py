"""Latents of photos, with the colours of their cells: made once, read in windows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor

from unfade.data.captions import Names, colour_map
from unfade.data.sources import CleanPhoto, fingerprint
from unfade.data.windows import ViewOptions, Window, check_views, draw_window, make_view
from unfade.degrade.types import Image
from unfade.diffusion.condition import encode
from unfade.models.inference import inference
from unfade.models.patches import downscale_of
from unfade.models.tensors import from_array
from unfade.train.chunks import Chunks, weights_digest


class LatentStore:
    """The latents of every view of some photos, and their windows by sample number.

    Args:
        folder: where they are kept, below a name of their own; several trainings may share it.
        vae: encodes what is not there yet.
        progress: called with the number of photos that are done.

    Raises:
        UsageError: windows that do not fit the views.
        OutputError: the cache cannot be written.
    """

    def __init__(
        self, folder: Path, vae: AutoencoderKL, photos: Sequence[CleanPhoto], views: ViewOptions,
        *, progress: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        self.photos, self.views, self.cell = photos, views, downscale_of(vae)
        check_views(views, self.cell)
        scale = float(cast(Any, vae).config.scaling_factor)
        parts = [weights_digest(vae), scale, views.sides, views.mirrored, fingerprint(photos)]
        name = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

        def make(photo: int) -> dict[str, Tensor]:
            image, out = photos[photo].decode(), dict[str, Tensor]()
            for v in range(views.views):
                view = make_view(image, views, v, self.cell)
                out[f"{v}"] = _encoded(vae, view)
                out[f"{v}.colours"] = from_array(colour_map(view, *out[f"{v}"].shape[1:]))
            return out

        self.chunks = Chunks(folder / f"latents-{name}", len(photos), make, progress=progress)
        self.shapes: list[list[tuple[int, int]]] = [
            [tuple(self.chunks.part(i, f"{v}").get_shape()[1:]) for v in range(views.views)]
            for i in range(len(photos))
        ]

    def window(self, seed: int, number: int) -> Window:
        """The window of sample `number` of a run with this seed."""
        return draw_window(self.photos, self.shapes, seed, number, self.views.size // self.cell)

    def latent(self, window: Window) -> Tensor:
        """(C, h, w), float32, a scaled latent."""
        rows, columns = window.slices()
        part = self.chunks.part(window.photo, f"{window.view}")
        return cast(Tensor, part[:, rows, columns]).float()

    def colours(self, window: Window) -> Names:
        """(h, w), the names of the cells' colours (`data.captions.colour_map`)."""
        part = self.chunks.part(window.photo, f"{window.view}.colours")
        return cast(Tensor, part[window.slices()]).numpy()

    def pixels(self, window: Window) -> Image:
        """(S, S, 3) float32, sRGB [0, 1]: what the window's latent encodes."""
        image = self.photos[window.photo].decode()
        view = make_view(image, self.views, window.view, self.cell)
        return np.ascontiguousarray(view[window.slices(self.cell)])


def _encoded(vae: AutoencoderKL, view: Image) -> Tensor:
    """(H, W, 3) -> (C, h, w), the scaled mean latent in fp16."""
    hq = from_array(view).permute(2, 0, 1)[None].to(vae.device)  # (1, 3, H, W)
    with inference(vae.device):
        return encode(vae, hq)[0].half().cpu()
