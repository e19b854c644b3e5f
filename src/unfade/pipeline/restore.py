"""Mending a photo: detector, first stage and tone, tile by tile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from unfade.imaging import Photo
from unfade.models.checkpoint import load_model, pick_device
from unfade.models.erase import Hole, erased
from unfade.models.inference import fold_norms, inference, keep_blocks, placed
from unfade.models.presets import find_preset
from unfade.models.scratch import ScratchDetector
from unfade.models.stage1 import Stage1Net
from unfade.models.tone import Levels, ToneNet
from unfade.pipeline.detect import detect, thresholds, to_tensor
from unfade.pipeline.holes import MARGIN, Mask, feather, kept_beyond, put_faded, stroke_radius
from unfade.pipeline.tiling import Span, tiles
from unfade.pipeline.tone import estimate

Progress = Callable[[str, float], None]


class Mender:
    """The networks of a preset, ready to mend photos.

    Attributes:
        weights: the sha256 of each file of weights.
        thresholds: by sensitivity: a pixel of at least this probability is damage.
        device: where the networks run.
    """

    def __init__(
        self, detector: ScratchDetector, stage1: Stage1Net, tone: ToneNet, device: torch.device,
        weights: dict[str, str],
    ) -> None:  # fmt: skip
        """Takes trained networks in evaluation mode; the detector's norms are folded."""
        keep_blocks()
        self.thresholds = thresholds(detector.config)
        self.weights = weights
        self.device = device
        fold_norms(detector)
        self._detector = placed(detector, device)
        self._stage1 = placed(stage1, device)
        self._tone = tone  # a thumbnail's work: on the processor

    @property
    def threshold(self) -> float:
        """The threshold of normal sensitivity, 0..1."""
        return self.thresholds["normal"]

    @classmethod
    def from_pretrained(cls, preset: str | Path, *, device: str = "auto") -> Mender:
        """Loads a preset by name or from a folder.

        Raises:
            UsageError: no such preset or device.
            WeightsError: a file is missing, damaged, or not the one the preset names.
        """
        found = find_preset(preset)
        return cls(
            load_model(found.folder / "scratch.safetensors", ScratchDetector),
            load_model(found.folder / "stage1.safetensors", Stage1Net),
            load_model(found.folder / "tone.safetensors", ToneNet),
            pick_device(device),
            found.first_stage,
        )

    def detect(self, photo: Photo, *, tile: int, progress: Progress | None = None) -> Mask:
        """The probability of damage, (H, W) uint8 in 1/255."""
        return detect(photo, self._detector, self.device, tile=tile, progress=progress)

    def mend(
        self,
        photo: Photo,
        mask: Mask | None,
        *,
        only_damage: bool,
        tone: Literal["auto", "keep"],
        tile: int,
        threshold: float | None,
        progress: Progress | None = None,
    ) -> Photo:
        """Mends structure and tone.

        Args:
            mask: (H, W), probability of damage in 1/255; None fills nothing.
            only_damage: every pixel outside the feathered mask keeps its value, and so does
                the tone.
            tone: "keep" leaves tone and cast as they are.
            tile: side of a tile in pixels; memory is bounded by it.
            threshold: instead of the detector's own.
            progress: called with "mend" and the share done, [0, 1].

        Returns:
            A photo of the same size, depth and colour space.
        """
        limit = self.threshold if threshold is None else threshold
        levels = None
        if tone == "auto" and not only_damage:
            levels = estimate(photo, mask, limit, self._tone)
        out = photo.blank()
        radius = stroke_radius(photo.height, photo.width)
        done = 0
        for rows, cols in tiles(photo.height, photo.width, tile, MARGIN, self._stage1.stride):
            self._mend_tile(photo, out, mask, rows, cols, radius, limit, levels, only_damage)
            done += (rows.last - rows.first) * (cols.last - cols.first)
            if progress is not None:
                progress("mend", done / (photo.height * photo.width))
        return out

    def _mend_tile(
        self, photo: Photo, out: Photo, mask: Mask | None, rows: Span, cols: Span, radius: int,
        limit: float, levels: Levels | None, only_damage: bool,
    ) -> None:  # fmt: skip
        y, x = slice(rows.start, rows.stop), slice(cols.start, cols.stop)
        kept_y, kept_x = slice(rows.first, rows.last), slice(cols.first, cols.last)
        inner = (
            slice(rows.first - rows.start, rows.last - rows.start),
            slice(cols.first - cols.start, cols.last - cols.start),
        )
        hole = np.zeros((rows.stop - rows.start, cols.stop - cols.start), np.float32)
        if mask is not None:
            hole = erased(mask[y, x], limit, radius)
        rgb = photo.srgb(y, x)
        if not only_damage:
            beyond = kept_beyond(photo, kept_y, kept_x, hole[inner])
            out.put_srgb(kept_y, kept_x, self._run(rgb, hole, levels)[inner], beyond=beyond)
            return
        weight = feather(hole, radius)[inner]
        made = self._run(rgb, hole, levels) if bool((weight > 0).any()) else rgb
        put_faded(out, photo, kept_y, kept_x, made[inner], weight)

    def _run(
        self, rgb: NDArray[np.float32], hole: Hole, levels: Levels | None
    ) -> NDArray[np.float32]:
        """(H, W, 3) and (H, W) -> (H, W, 3), mended and, with levels, corrected."""
        h, w = hole.shape
        with inference(self.device):
            stride = self._stage1.stride
            lq = to_tensor(rgb, self.device, stride)  # (1, 3, H', W')
            m = to_tensor(hole[..., None], self.device, stride)  # (1, 1, H', W')
            out: torch.Tensor = self._stage1(lq, m)[..., :h, :w]  # (1, 3, H, W)
            x = out.float().clamp(0, 1).cpu()
        if levels is not None:
            x = levels.apply(x)
        return np.ascontiguousarray(x[0].permute(1, 2, 0).numpy())
