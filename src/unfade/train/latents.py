"""Latents of photos on disk, with the colours of their cells: made once, read in windows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from safetensors import safe_open
from torch import Tensor

from unfade.data.captions import Names, colour_map
from unfade.data.sources import CleanPhoto, fingerprint
from unfade.data.windows import ViewOptions, Window, check_views, draw_window, make_view
from unfade.degrade.types import Image
from unfade.diffusion.condition import encode
from unfade.models.inference import inference
from unfade.models.patches import downscale_of
from unfade.models.tensors import from_array, write_tensors

_CHUNK = 64  # photos a file


def _identity(vae: AutoencoderKL, photos: Sequence[CleanPhoto], views: ViewOptions) -> str:
    """A name for latents that changes with whatever they depend on."""
    digest = hashlib.sha256()
    for name, tensor in vae.state_dict().items():
        digest.update(name.encode() + tensor.float().cpu().numpy().tobytes())
    scale = float(cast(Any, vae).config.scaling_factor)
    digest.update(json.dumps([scale, views.sides, views.mirrored]).encode())
    digest.update(fingerprint(photos).encode())
    return digest.hexdigest()[:16]


def _encoded(vae: AutoencoderKL, view: Image) -> Tensor:
    """(H, W, 3) -> (C, h, w), the scaled mean latent in fp16."""
    hq = from_array(view).permute(2, 0, 1)[None].to(vae.device)  # (1, 3, H, W)
    with inference(vae.device):
        return encode(vae, hq)[0].half().cpu()


class LatentStore:
    """The latents of every view of some photos, and their windows by sample number.

    Args:
        folder: where they are cached, below a name of their own; several trainings may share it.
        vae: encodes what is not there yet; a kill loses one file's worth of work.
        progress: called with the number of photos that are done.

    Raises:
        UsageError: windows that do not fit the views.
        OutputError: the cache cannot be written.
    """

    def __init__(
        self, folder: Path, vae: AutoencoderKL, photos: Sequence[CleanPhoto], views: ViewOptions,
        *, progress: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        self.photos, self.views = photos, views
        self.cell = downscale_of(vae)
        check_views(views, self.cell)
        self.folder = folder / f"latents-{_identity(vae, photos, views)}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._open: dict[int, Any] = {}
        self.shapes: list[list[tuple[int, int]]] = []
        for first in range(0, len(photos), _CHUNK):
            path = self._file(first)
            if not path.exists():
                write_tensors(path, self._chunk(vae, first), {})
            self.shapes += self._shapes(path, first)
            if progress is not None:
                progress(len(self.shapes))

    def _file(self, photo: int) -> Path:
        return self.folder / f"{photo // _CHUNK:05d}.safetensors"

    def _chunk(self, vae: AutoencoderKL, first: int) -> dict[str, Tensor]:
        out: dict[str, Tensor] = {}
        for i in range(first, min(first + _CHUNK, len(self.photos))):
            image = self.photos[i].decode()
            for v in range(self.views.views):
                view = make_view(image, self.views, v, self.cell)
                latent = _encoded(vae, view)
                out[f"{i}.{v}"] = latent
                out[f"{i}.{v}.colours"] = from_array(colour_map(view, *latent.shape[1:]))
        return out

    def _shapes(self, path: Path, first: int) -> list[list[tuple[int, int]]]:
        with cast(Any, safe_open)(path, "pt") as handle:
            return [
                [
                    tuple(handle.get_slice(f"{i}.{v}").get_shape()[1:])
                    for v in range(self.views.views)
                ]
                for i in range(first, min(first + _CHUNK, len(self.photos)))
            ]

    def window(self, seed: int, number: int) -> Window:
        """The window of sample `number` of a run with this seed."""
        return draw_window(self.photos, self.shapes, seed, number, self.views.size // self.cell)

    def latent(self, window: Window) -> Tensor:
        """(C, h, w), float32, a scaled latent."""
        rows, columns = window.slices()
        return cast(Tensor, self._slice(window)[:, rows, columns]).float()

    def pixels(self, window: Window) -> Image:
        """(S, S, 3) float32, sRGB [0, 1]: what the window's latent encodes."""
        image = self.photos[window.photo].decode()
        view = make_view(image, self.views, window.view, self.cell)
        return np.ascontiguousarray(view[window.slices(self.cell)])

    def colours(self, window: Window) -> Names:
        """(h, w), the names of the cells' colours (`data.captions.colour_map`)."""
        part = self._slice(window, ".colours")[window.slices()]
        return cast(Tensor, part).numpy()

    def _slice(self, window: Window, suffix: str = "") -> Any:
        chunk = window.photo // _CHUNK
        if chunk not in self._open:  # opened where it is read: workers do not share handles
            self._open[chunk] = cast(Any, safe_open)(self._file(window.photo), "pt")
        return self._open[chunk].get_slice(f"{window.photo}.{window.view}{suffix}")
