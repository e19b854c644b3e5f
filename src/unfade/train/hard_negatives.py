"""Finds hard negatives: clean places in photos that a damage detector takes for damage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from unfade.data.pairs import HardNegative
from unfade.data.sources import CleanPhoto, fingerprint
from unfade.degrade.types import extent
from unfade.files import atomic_file
from unfade.manifest import make_folder
from unfade.models.inference import inference
from unfade.models.scratch import ScratchDetector
from unfade.models.tensors import from_array
from unfade.train.launch import accelerator, wait_for
from unfade.train.tensor_cache import weights_digest

_MIN_PROBABILITY = 0.3  # lower probabilities are no false alarm
_SIGMA = 18  # pixels: false alarms within this distance add up


def _strongest(
    detector: ScratchDetector, index: int, photo: CleanPhoto
) -> tuple[float, HardNegative]:
    """Strength, in [0, 1], and place of the strongest false alarm of one photo."""
    image = photo.decode()
    h, w = extent(image)
    down, right = -h % detector.stride, -w % detector.stride
    padded = cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_REFLECT)
    lq = from_array(np.ascontiguousarray(padded.transpose(2, 0, 1)))[None]  # (1, 3, H, W)
    with inference(lq.device):
        p = detector(lq).float().sigmoid()[0, 0].cpu().numpy()[:h, :w]  # (H, W)
    false_alarms = np.where(p > _MIN_PROBABILITY, p, np.float32(0))
    strength = cv2.GaussianBlur(false_alarms, (0, 0), _SIGMA, borderType=cv2.BORDER_CONSTANT)
    y, x = np.unravel_index(int(strength.argmax()), strength.shape)
    return float(strength[y, x]), HardNegative(index, float(y) / h, float(x) / w)


def _read_cache(path: Path) -> list[HardNegative] | None:
    """The hard negatives of an earlier run; None if the file is missing or damaged."""
    try:
        rows = json.loads(path.read_text("utf-8"))
        return [HardNegative(int(photo), float(y), float(x)) for photo, y, x in rows]
    except (OSError, ValueError, TypeError):
        return None


def mine_hard_negatives(
    detector: ScratchDetector,
    photos: Sequence[CleanPhoto],
    share: float,
    folder: Path,
    *,
    progress: Callable[[int], None] | None = None,
) -> list[HardNegative]:
    """Finds the strongest false alarm of each photo and returns the strongest of all photos.

    Args:
        detector: in evaluation mode.
        share: of the photos, 0..1: at most this many false alarms are returned.
        folder: holds the result as a cache for the next run.
        progress: called with the number of photos that were searched.

    Returns:
        Hard negatives, strongest first; photos without a false alarm have none.

    Raises:
        OutputError: the cache cannot be written.
    """
    key = [weights_digest(detector), fingerprint(photos), share]
    name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
    path = folder / f"alarms-{name}.json"
    if not accelerator().is_main_process:
        wait_for(path.exists)
    cached = _read_cache(path)
    if cached is not None:
        return cached
    make_folder(folder)
    candidates: list[tuple[float, HardNegative]] = []
    for i, photo in enumerate(photos):
        candidates.append(_strongest(detector, i, photo))
        if progress is not None:
            progress(i + 1)
    candidates.sort(key=lambda candidate: -candidate[0])
    strongest = candidates[: round(share * len(photos))]
    negatives = [negative for strength, negative in strongest if strength > 0]
    with atomic_file(path) as file:
        file.write(json.dumps([[n.photo, n.y, n.x] for n in negatives]).encode())
    return negatives
