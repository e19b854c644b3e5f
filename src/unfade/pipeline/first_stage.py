"""The first stage of old photos: finds and fills damage, cleans the photo, corrects its tone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from unfade.imaging import Photo
from unfade.masks import Hole, Mask, inpainting_hole
from unfade.models.checkpoint import load_model, pick_device
from unfade.models.inference import fold_norms, inference, reuse_freed_memory, to_device
from unfade.models.presets import find_preset
from unfade.models.scratch import ScratchDetector
from unfade.models.stage1 import Stage1Net
from unfade.models.tone import Levels, ToneNet
from unfade.pipeline.composite import kept_beyond, put_blended
from unfade.pipeline.detect import detect, thresholds, to_tensor
from unfade.pipeline.holes import MARGIN, feather, stroke_radius
from unfade.pipeline.night import is_night, limit_specks
from unfade.pipeline.tiling import Tile, map_tiles
from unfade.pipeline.tone import estimate
from unfade.timing import Progress, ignore


@dataclass(frozen=True, eq=False)
class _Work:
    """One photo, its settings, and the result `out` that is filled tile by tile."""

    photo: Photo
    out: Photo
    mask: Mask | None
    threshold: float
    radius: int  # of the strokes, pixels
    levels: Levels | None  # of the tone
    only_damage: bool


class FirstStage:
    """The detector, the first stage and the tone stage of a preset, ready to restore photos.

    Attributes:
        weights: the SHA-256 of each file of weights.
        thresholds: by sensitivity: a pixel of at least this probability is damage.
        device: where the networks run.
    """

    def __init__(
        self, detector: ScratchDetector, stage1: Stage1Net, tone: ToneNet, device: torch.device,
        weights: dict[str, str],
    ) -> None:  # fmt: skip
        """Takes trained networks in evaluation mode; the detector's norms are folded."""
        reuse_freed_memory()
        self.thresholds = thresholds(detector.config)
        self.weights = weights
        self.device = device
        fold_norms(detector)
        self._detector = to_device(detector, device)
        self._stage1 = to_device(stage1, device)
        self._tone = tone  # small input: on the processor

    @property
    def threshold(self) -> float:
        """The threshold of normal sensitivity, 0..1."""
        return self.thresholds["normal"]

    @classmethod
    def from_pretrained(cls, preset: str | Path, *, device: str = "auto") -> FirstStage:
        """Loads a preset by name or from a folder.

        Raises:
            UsageError: no such preset or device.
            WeightsError: a file is missing, damaged, or not the one the preset names.
        """
        source = find_preset(preset)
        return cls(
            load_model(source.folder / "scratch.safetensors", ScratchDetector),
            load_model(source.folder / "stage1.safetensors", Stage1Net),
            load_model(source.folder / "tone.safetensors", ToneNet),
            pick_device(device),
            source.first_stage,
        )

    def detect(self, photo: Photo, *, tile: int, progress: Progress = ignore) -> Mask:
        """The probability of damage, (H, W) uint8 in 1/255."""
        mask = detect(photo, self._detector, self.device, tile=tile, progress=progress)
        if is_night(photo):
            limits = self.thresholds
            limit_specks(mask, limits["high"], (limits["high"] + limits["normal"]) / 2)
        return mask

    def restore(
        self,
        photo: Photo,
        mask: Mask | None,
        *,
        only_damage: bool,
        tone: Literal["auto", "keep"],
        tile: int,
        threshold: float | None,
        keep_colours: bool = False,
        progress: Progress = ignore,
    ) -> Photo:
        """Fills the damage, takes off blur, grain and compression, and corrects the tone.

        Args:
            mask: (H, W), probability of damage in 1/255; None fills nothing.
            only_damage: every pixel outside the feathered mask keeps its value, and so does
                the tone.
            tone: "keep" leaves tone and cast as they are.
            tile: side of a tile in pixels; memory is bounded by it.
            threshold: from which a pixel is damaged; None is that of normal sensitivity.
            keep_colours: the photo has colours, however little of it they cover; otherwise a
                photo that is nearly monochrome comes out gray where its tone is corrected.
            progress: called with the share that is done.

        Returns:
            A photo of the same size, depth and colour space.
        """
        threshold = self.threshold if threshold is None else threshold
        levels = None
        if tone == "auto" and not only_damage:
            levels = estimate(photo, mask, threshold, self._tone, keep_colours=keep_colours)
        radius = stroke_radius(photo.height, photo.width)
        work = _Work(photo, photo.blank(), mask, threshold, radius, levels, only_damage)
        map_tiles(
            photo.height, photo.width, lambda part: self._restore_tile(work, part),
            tile=tile, margin=MARGIN, stride=self._stage1.stride, progress=progress,
        )  # fmt: skip
        return work.out

    def _restore_tile(self, work: _Work, tile: Tile) -> None:
        photo, out = work.photo, work.out
        hole = np.zeros(tile.shape, np.float32)
        if work.mask is not None:
            hole = inpainting_hole(work.mask[tile.computed], work.threshold, work.radius)
        rgb = photo.srgb(*tile.computed)
        if not work.only_damage:
            beyond = kept_beyond(photo, *tile.core, hole[tile.inner])
            result = self._run(rgb, hole, work.levels)
            out.put_srgb(*tile.core, result[tile.inner], beyond=beyond)
            return
        weight = feather(hole, work.radius)[tile.inner]
        if bool((weight > 0).any()):
            rgb = self._run(rgb, hole, work.levels)
        put_blended(out, photo, *tile.core, rgb[tile.inner], weight)

    def _run(
        self, rgb: NDArray[np.float32], hole: Hole, levels: Levels | None
    ) -> NDArray[np.float32]:
        """(H, W, 3) and (H, W) -> (H, W, 3), restored and, with levels, corrected."""
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
