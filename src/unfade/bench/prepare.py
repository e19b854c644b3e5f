"""Chooses and crops photos of a dataset, and writes degraded inputs and clean references."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

import unfade.manifest as manifests
from unfade.bench.datasets import Dataset, Pair, size_of
from unfade.bench.degradations import degraded, scale_of
from unfade.degrade.reduce import reduced
from unfade.degrade.types import Image
from unfade.errors import UsageError
from unfade.eval.evaluation import read_rgb
from unfade.files import atomic_file
from unfade.manifest import sha256_file
from unfade.rng import generator

SIDE = 512  # pixels a side of the clean crops: the papers' 128 -> 512 protocol
FOLDER_SIDE = 256  # of those of a folder that is no published set, whose photos may be small
QUICK_SIDE = 192  # NIQE and MS-SSIM need it
QUICK_IMAGES = 4
_MADE = "made.json"
_REAL = "real"  # the damage is the set's own
_VERSION = 2  # of what the pictures look like


@dataclass(frozen=True)
class Plan:
    """The selected photos, and the size of their crops.

    Attributes:
        side: pixels of the clean crops, from the middle.
        seed: of the degradations.
        note: a sentence about what was chosen, "" where the protocol is the papers'.
    """

    dataset: Dataset
    pairs: tuple[Pair, ...]
    side: int
    seed: int
    note: str


def plan(dataset: Dataset, *, quick: bool, seed: int, images: int | None = None) -> Plan:
    """Chooses photos and the side of their crops.

    Args:
        quick: QUICK_IMAGES photos, spread evenly, and crops of QUICK_SIDE.
        seed: of the degradations, >= 0.
        images: at most so many photos, spread evenly.

    Raises:
        UsageError: a photo of a published set is too small, or all of a folder's are.
    """
    published = dataset.name in PUBLISHED
    side = QUICK_SIDE if quick else SIDE if published else FOLDER_SIDE
    sizes = {pair.name: min(size_of(pair.hq)) for pair in dataset.pairs}
    fit = [pair for pair in dataset.pairs if sizes[pair.name] >= side]
    if not fit or (published and len(fit) < len(dataset.pairs)):
        small = next(pair for pair in dataset.pairs if sizes[pair.name] < side)
        got = f"a photo with a short side of {sizes[small.name]} pixels"
        raise UsageError(got, f"{side} or more", "take larger photos", path=small.hq)
    limit = min(len(fit), images or len(fit), QUICK_IMAGES if quick else len(fit))
    chosen = [fit[(2 * i + 1) * len(fit) // (2 * limit)] for i in range(limit)]
    note = _note(dataset, len(fit), limit, side, published)
    return Plan(dataset, tuple(chosen), side, seed, note)


#: Sets whose protocol is the papers'.
PUBLISHED = ("DIV2K", "DIV2K (StableSR's crops)", "RealSR", "DRealSR", "GOPRO")


def _note(dataset: Dataset, fit: int, count: int, side: int, published: bool) -> str:
    if published and count == len(dataset.pairs) and side == SIDE:
        return ""
    left = len(dataset.pairs) - fit
    small = f"; {left} with a shorter side are left out" if left else ""
    return (
        f"{dataset.name}: {count} of {len(dataset.pairs)} photos, crops of {side} x {side} from "
        f"the middle{small}. The papers take {SIDE} x {SIDE}."
    )


def make_folders(work: Path, plan: Plan, degradation: str) -> tuple[Path, Path]:
    """Writes the inputs and references of one case, unless they exist and are valid.

    Args:
        work: gets a folder for each dataset and degradation.
        degradation: see `degradations.degraded`, or "real" for the set's own damaged photos.

    Returns:
        The folders of inputs and of references, 8-bit PNG under the names of the pairs.

    Raises:
        InputError: a photo cannot be read.
        OutputError: a folder cannot be written.
    """
    folder = work / f"{_plain(plan.dataset.name)}-{degradation}-{plan.side}"
    inputs, references = folder / "lq", folder / "hq"
    record_file, record = folder / _MADE, _record(plan, degradation)
    if (
        record_file.is_file()
        and record_file.read_text("utf-8") == record
        and _complete(folder, plan)
    ):
        return inputs, references
    record_file.unlink(missing_ok=True)
    for part in (inputs, references):
        manifests.make_folder(part)
        for old in part.glob("*.png"):
            old.unlink()
    for pair in plan.pairs:
        lq, hq = _pictures(plan, pair, degradation)
        write_png(inputs / f"{pair.name}.png", lq)
        write_png(references / f"{pair.name}.png", hq)
    with atomic_file(record_file) as file:
        file.write(record.encode())
    return inputs, references


def note_of(inputs: Path) -> str:
    """The note on the selection for a folder of inputs; "" if there is none."""
    try:
        return str(json.loads((inputs.parent / _MADE).read_text("utf-8"))["note"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def large_enough(pairs: Sequence[Pair], *, quick: bool) -> tuple[Pair, ...]:
    """The pairs whose clean photo is large enough for a crop."""
    side = QUICK_SIDE if quick else FOLDER_SIDE
    return tuple(pair for pair in pairs if min(size_of(pair.hq)) >= side)


def write_png(path: Path, image: Image) -> None:
    """(H, W, 3) or (H, W, 1) sRGB [0, 1] as 8 bits. OutputError if it cannot be written."""
    pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    _, code = cv2.imencode(".png", pixels[..., ::-1] if pixels.shape[2] == 3 else pixels)
    with atomic_file(path) as file:
        file.write(code.tobytes())


def _pictures(plan: Plan, pair: Pair, degradation: str) -> tuple[Image, Image]:
    """The damaged and the clean crop of one pair."""
    hq = _middle(read_rgb(pair.hq), plan.side, pair.scale)
    if degradation != _REAL:
        # a stream for each photo: the same damage whichever others are chosen
        return degraded(hq, degradation, generator(plan.seed, f"bench {pair.name}"))
    if pair.lq is None:
        raise UsageError("no damaged photo", "one in the set", "add it", path=pair.hq)
    lq = _middle(read_rgb(pair.lq), plan.side // pair.scale, 1)
    return (lq if pair.scale > 1 or not _enlarges(plan) else reduced(lq, 4)), hq


def _enlarges(plan: Plan) -> bool:
    """Whether damaged photos are to be smaller than clean ones."""
    return plan.dataset.name in ("RealSR", "DRealSR")


def _middle(image: Image, side: int, scale: int) -> Image:
    """The square in the middle, on the grid of the smaller photo."""
    top, left = ((length - side) // 2 // scale * scale for length in image.shape[:2])
    return np.ascontiguousarray(image[top : top + side, left : left + side])


def input_scale(plan: Plan, degradation: str) -> int:
    """The factor by which a method must enlarge."""
    if degradation != _REAL:
        return scale_of(degradation)
    return 4 if _enlarges(plan) else max(pair.scale for pair in plan.pairs)


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)


def _complete(folder: Path, plan: Plan) -> bool:
    """Whether the files of inputs and references are exactly those of the plan."""
    expected = {f"{pair.name}.png" for pair in plan.pairs}
    return all({p.name for p in (folder / part).glob("*")} == expected for part in ("lq", "hq"))


def _record(plan: Plan, degradation: str) -> str:
    """A record of everything that the pictures depend on."""
    files = [
        (pair.name, _digest(pair.hq), None if pair.lq is None else _digest(pair.lq))
        for pair in plan.pairs
    ]
    content: dict[str, object] = {
        "note": plan.note,
        "version": _VERSION,
        "side": plan.side,
        "seed": plan.seed,
        "degradation": degradation,
        "photos": files,
    }
    return json.dumps(content)


def _digest(path: Path) -> str:
    """SHA-256 of a photo, read once for all tables of a command."""
    state = path.stat()
    return _digest_of(path, state.st_size, state.st_mtime_ns)


@functools.cache
def _digest_of(path: Path, size: int, time_ns: int) -> str:
    return sha256_file(path)
