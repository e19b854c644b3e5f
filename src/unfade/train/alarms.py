"""Where a detector raises false alarms on clean photos: what it should see more often."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from unfade.data.pairs import Spot
from unfade.data.sources import CleanPhoto, fingerprint
from unfade.degrade.types import extent
from unfade.files import atomic_file
from unfade.manifest import make_folder
from unfade.models.inference import inference
from unfade.models.scratch import ScratchDetector
from unfade.models.tensors import from_array
from unfade.train.chunks import weights_digest
from unfade.train.launch import accelerator, wait_for

_FAINT = 0.3  # a probability below this is no alarm
_REACH = 18  # pixels, the sigma over which alarms add up


def _alarm(detector: ScratchDetector, photo: int, clean: CleanPhoto) -> tuple[float, Spot]:
    """How loud the loudest alarm of a photo is, [0, 1], and where."""
    image = clean.decode()
    h, w = extent(image)
    down, right = -h % detector.stride, -w % detector.stride
    padded = cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_REFLECT)
    lq = from_array(np.ascontiguousarray(padded.transpose(2, 0, 1)))[None]  # (1, 3, H, W)
    with inference(lq.device):
        p = detector(lq).float().sigmoid()[0, 0].cpu().numpy()[:h, :w]  # (H, W)
    alarms = np.where(p > _FAINT, p, np.float32(0))
    loud = cv2.GaussianBlur(alarms, (0, 0), _REACH, borderType=cv2.BORDER_CONSTANT)
    y, x = np.unravel_index(int(loud.argmax()), loud.shape)
    return float(loud[y, x]), Spot(photo, float(y) / h, float(x) / w)


def _kept(path: Path) -> list[Spot] | None:
    """The spots of an earlier run; None where there are none, or the file is damaged."""
    try:
        rows = json.loads(path.read_text("utf-8"))
        return [Spot(int(photo), float(y), float(x)) for photo, y, x in rows]
    except (OSError, ValueError, TypeError):
        return None


def loudest(
    detector: ScratchDetector, photos: Sequence[CleanPhoto], share: float, folder: Path,
    *, progress: Callable[[int], None] | None = None,
) -> list[Spot]:  # fmt: skip
    """The loudest false alarms, one a photo, of the share of the photos that have the loudest.

    Args:
        detector: in evaluation mode.
        folder: where they are kept for the next run.
        progress: called with the number of photos that were searched.

    Returns:
        The loudest first; photos without an alarm are left out.

    Raises:
        OutputError: they cannot be kept there.
    """
    parts = [weights_digest(detector), fingerprint(photos), share]
    name = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    path = folder / f"alarms-{name}.json"
    if not accelerator().is_main_process:
        wait_for(path.exists)
    kept = _kept(path)
    if kept is not None:
        return kept
    make_folder(folder)
    found: list[tuple[float, Spot]] = []
    for i, photo in enumerate(photos):
        found.append(_alarm(detector, i, photo))
        if progress is not None:
            progress(i + 1)
    found.sort(key=lambda alarm: -alarm[0])
    spots = [spot for loud, spot in found[: round(share * len(photos))] if loud > 0]
    with atomic_file(path) as file:
        file.write(json.dumps([[s.photo, s.y, s.x] for s in spots]).encode())
    return spots
