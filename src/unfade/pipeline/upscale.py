"""Enlarging by the first stage of super-resolution, tile by tile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from unfade.imaging import Photo
from unfade.models.checkpoint import load_model
from unfade.models.enlarger import MARGIN, SCALE, Enlarger
from unfade.models.inference import inference, keep_blocks, placed
from unfade.pipeline.detect import to_tensor
from unfade.pipeline.enlarge import passes, shrunk, with_print_size
from unfade.pipeline.tiling import Span, tiles

_TILE = 512  # the most pixels of the small photo that are enlarged at once, along each axis


class Upscaler:
    """The first stage of super-resolution, ready to enlarge photos.

    Attributes:
        device: where the network runs.
    """

    def __init__(self, network: Enlarger, device: torch.device) -> None:
        """Takes a trained network in evaluation mode."""
        keep_blocks()
        self.device = device
        self._network = placed(network, device)

    @classmethod
    def load(cls, path: Path, device: torch.device) -> Upscaler:
        """From a file of weights. WeightsError where it is damaged or another network."""
        return cls(load_model(path, Enlarger), device)

    def enlarge(self, photo: Photo, scale: float, *, tick: Callable[[float], None]) -> Photo:
        """A photo at any scale: in passes of 4 and 2, the last one made smaller to fit.

        Args:
            scale: 1 or more.
            tick: called with the share done, 0..1.
        """
        large, steps = photo, passes(scale)
        for i, step in enumerate(steps):
            large = self.once(large, step, tick=_part(tick, i, len(steps)))
        size = (round(scale * photo.height), round(scale * photo.width))
        return with_print_size(shrunk(large, size), scale)

    def once(self, photo: Photo, step: int, *, tick: Callable[[float], None]) -> Photo:
        """A photo 2 or 4 times as large; at 2 the means of what 4 gives.

        The result does not depend on the tiles.
        """
        out = photo.blank(size=(step * photo.height, step * photo.width))
        done = 0
        for rows, cols in tiles(photo.height, photo.width, _TILE, MARGIN, self._network.stride):
            self._enlarge_tile(photo, out, step, rows, cols)
            done += (rows.last - rows.first) * (cols.last - cols.first)
            tick(done / (photo.height * photo.width))
        return out

    def _enlarge_tile(self, photo: Photo, out: Photo, step: int, rows: Span, cols: Span) -> None:
        rgb = photo.srgb(slice(rows.start, rows.stop), slice(cols.start, cols.stop))
        with inference(self.device):
            large = self._network(
                to_tensor(rgb, self.device, self._network.stride)
            )  # (1, 3, 4h, 4w), padded
            large = F.avg_pool2d(large.clamp(0, 1), SCALE // step)  # (1, 3, step h, step w)
            made: torch.Tensor = large[0].permute(1, 2, 0).cpu()
        y, x = _scaled(rows, step), _scaled(cols, step)
        top, left = step * (rows.first - rows.start), step * (cols.first - cols.start)
        kept = made[top : top + y.stop - y.start, left : left + x.stop - x.start]
        out.put_srgb(y, x, np.ascontiguousarray(kept.numpy()))


def _scaled(span: Span, step: int) -> slice:
    """Where the kept part of a tile lies in the enlarged photo."""
    return slice(step * span.first, step * span.last)


def _part(tick: Callable[[float], None], done: int, parts: int) -> Callable[[float], None]:
    return lambda share: tick((done + share) / parts)
