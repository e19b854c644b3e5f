"""Enlarges photos by the first stage of super-resolution, tile by tile."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from unfade.imaging import Photo
from unfade.models.checkpoint import load_model
from unfade.models.enlarger import MARGIN, SCALE, Enlarger
from unfade.models.inference import inference, reuse_freed_memory, to_device
from unfade.pipeline.detect import to_tensor
from unfade.pipeline.enlarge import passes, shrunk, with_print_size
from unfade.pipeline.tiling import Tile, map_tiles
from unfade.timing import Progress, part

logger = logging.getLogger(__name__)
_TILE = 512  # the most pixels of the small photo that are enlarged at once, along each axis


class Upscaler:
    """The first stage of super-resolution, ready to enlarge photos.

    Attributes:
        device: where the network runs.
    """

    def __init__(self, network: Enlarger, device: torch.device) -> None:
        """Takes a trained network in evaluation mode."""
        reuse_freed_memory()
        self.device = device
        self._network = to_device(network, device)

    @classmethod
    def load(cls, path: Path, device: torch.device) -> Upscaler:
        """From a file of weights. WeightsError where it is damaged or another network."""
        return cls(load_model(path, Enlarger), device)

    @property
    def adds_texture(self) -> bool:
        """Whether the network has a branch for texture."""
        return self._network.texture is not None

    def enlarge(
        self, photo: Photo, scale: float, *, progress: Progress, fidelity: float = 1.0
    ) -> Photo:
        """A photo at any scale: in passes of 4 and 2, the last one made smaller to fit.

        Args:
            scale: 1 or more.
            progress: called with the share that is done.
            fidelity: 0..1; 1 adds no texture. Less warns where the network has none.
        """
        if fidelity < 1 and not self.adds_texture:
            logger.warning("fidelity has no effect: the enlarger of this preset adds no texture")
        large, factors = photo, passes(scale)
        for i, factor in enumerate(factors):
            large = self.enlarge_once(
                large, factor, progress=part(progress, i, len(factors)), fidelity=fidelity
            )
        size = (round(scale * photo.height), round(scale * photo.width))
        return with_print_size(shrunk(large, size), scale)

    def enlarge_once(
        self, photo: Photo, factor: int, *, progress: Progress, fidelity: float = 1.0
    ) -> Photo:
        """One pass: a photo 2 or 4 times as large; 2 is the result of 4, reduced by area.

        The result does not depend on the tiles.
        """
        out = photo.blank(size=(factor * photo.height, factor * photo.width))
        map_tiles(
            photo.height, photo.width,
            lambda tile: out.put_srgb(
                *tile.core_at(factor), self._tile(photo, tile, factor, fidelity)
            ),
            tile=_TILE, margin=MARGIN, stride=self._network.stride, progress=progress,
        )  # fmt: skip
        return out

    def _tile(self, photo: Photo, tile: Tile, factor: int, fidelity: float) -> NDArray[np.float32]:
        """The core of a tile, enlarged: (factor h, factor w, 3)."""
        rgb = photo.srgb(*tile.computed)
        with inference(self.device):
            x = to_tensor(rgb, self.device, self._network.stride)  # (1, 3, h, w), padded
            large = self._network(x, fidelity)  # (1, 3, 4 h, 4 w)
            large = F.avg_pool2d(large.clamp(0, 1), SCALE // factor)  # (1, 3, factor h, factor w)
            result: torch.Tensor = large[0].permute(1, 2, 0).cpu()
        return np.ascontiguousarray(result.numpy()[tile.inner_at(factor)])
