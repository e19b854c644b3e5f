"""A second recipe that ages clean photos, written apart from the first: for validation only.

It follows what conservators call the deterioration of photographs and gives each photo a
plausible history: how it was made, how it faded, what its surface does to the light, how it was
scanned or copied, and what became of the file. Damage comes before, between or after these, so
it may be faded, tinted, blurred, noisy and compressed like the picture, or lie sharp upon it.

What the mask holds: all of a tear, crack, loss, scratch, hair, speck, crease, border, scuff,
trail or line of writing that can be seen; of stains only what strongly changes the picture
(foxing spots, rims of tide lines, edges of tape, opaque tape, drops, strong fingerprints), not
their faint insides and halos. Smooth changes (silver mirroring, ferrotyping, cockling, paper
texture, glare, uneven light, faded edges) are never in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from unfade.degrade import deterioration_process as process
from unfade.degrade.deterioration_marks import MARKS, Mark
from unfade.degrade.deterioration_process import Step
from unfade.degrade.deterioration_shapes import Rng, Size, between, chance, pick, ranging
from unfade.degrade.deterioration_visible import COVERED, backdrop, visible
from unfade.degrade.severity import MODERATE, Severity
from unfade.degrade.types import Degraded, Image, Mask, Params, extent

KINDS = (
    "hairs", "scratches", "cracks", "networks", "creases", "specks", "blobs", "borders",
    "abrasion", "stains", "writing", "other",
)  # fmt: skip


@dataclass(frozen=True)
class _Level:
    """Parameters of one severity.

    Attributes:
        clean: chance of a history without structured damage.
        marks: least and most pieces of damage.
        least, most: limits of the share of pixels that damage is to take (before what cannot be
            seen is left out), drawn between in the logarithm.
        much: factor on how much each piece has.
        fade: least and most fading.
        wear: least and most blur, noise and loss by copying.
        quality: lowest JPEG quality.
    """

    clean: float
    marks: tuple[int, int]
    least: float
    most: float
    much: float
    fade: tuple[float, float]
    wear: tuple[float, float]
    quality: int


_LEVELS = {
    "light": _Level(0.5, (1, 2), 0.004, 0.05, 0.7, (0.0, 0.45), (0.0, 0.4), 70),
    "moderate": _Level(0.13, (1, 4), 0.009, 0.11, 1.4, (0.05, 0.8), (0.05, 0.75), 45),
    "heavy": _Level(0.02, (3, 8), 0.05, 0.34, 2.2, (0.3, 1.0), (0.3, 1.0), 25),
}

_ORIGINS = {
    "silver": 0.36, "albumen": 0.13, "collodion": 0.06, "cyanotype": 0.03,
    "chromogenic": 0.3, "slide": 0.07, "press": 0.05,
}  # fmt: skip

_COLOUR = ("chromogenic", "slide")

# How often each piece of damage is met.
_COMMON = {
    "scratches": 1.5, "fibres": 0.8, "dust": 1.5, "flaking": 1.3, "islands": 0.7, "breaks": 1.0,
    "tears": 0.7, "crazing": 1.7, "creases": 1.5, "losses": 0.6, "margins": 0.55, "scuffs": 1.3,
    "rubbing": 0.8, "foxing": 0.9, "tide": 0.6, "fingerprint": 0.4, "tape": 0.45, "drops": 0.5,
    "writing": 0.7, "stamp": 0.3, "grazing": 0.4, "retouching": 0.4, "mould": 0.4,
}  # fmt: skip

# Where a process differs from that.
_PRONE = {
    "albumen": {"foxing": 2.5, "crazing": 1.5, "creases": 0.7, "tape": 0.5, "rubbing": 1.5},
    "collodion": {
        "flaking": 2.5, "islands": 2.5, "scratches": 1.5, "creases": 0.3, "tears": 0.0,
        "foxing": 0.2, "tide": 0.4, "writing": 0.4, "breaks": 1.5,
    },
    "cyanotype": {"foxing": 2.0, "flaking": 0.2, "crazing": 0.3, "creases": 1.5},
    "chromogenic": {"foxing": 0.25, "crazing": 0.5, "fingerprint": 2.0, "dust": 1.2, "tape": 1.4},
    "slide": {
        "scratches": 2.5, "fibres": 2.5, "dust": 2.0, "mould": 3.0, "creases": 0.15, "tears": 0.0,
        "foxing": 0.0, "writing": 0.1, "stamp": 0.2, "tape": 0.2, "losses": 0.2,
    },
    "press": {"creases": 2.0, "crazing": 0.2, "flaking": 0.4, "writing": 1.5, "foxing": 1.5},
}  # fmt: skip

# When damage came, by its name: on the negative, on the new print, on the faded print, on the
# scanner's glass, in the file.
_WHEN: tuple[str, ...] = ("negative", "print", "faded", "glass", "file")
_USUAL = (0.05, 0.4, 0.4, 0.1, 0.05)
_TIMES = {
    "scratches": (0.3, 0.25, 0.3, 0.1, 0.05),
    "fibres": (0.3, 0.05, 0.1, 0.45, 0.1),
    "dust": (0.3, 0.1, 0.2, 0.3, 0.1),
    "mould": (0.3, 0.3, 0.4, 0.0, 0.0),
    "tears": (0.0, 0.35, 0.55, 0.1, 0.0),
    "losses": (0.0, 0.25, 0.6, 0.15, 0.0),
    "margins": (0.05, 0.35, 0.2, 0.3, 0.1),
    "retouching": (0.3, 0.35, 0.15, 0.0, 0.2),
    "writing": (0.08, 0.35, 0.35, 0.12, 0.1),
    "creases": (0.0, 0.45, 0.5, 0.05, 0.0),
    "foxing": (0.0, 0.2, 0.8, 0.0, 0.0),
}


Event = Step | tuple[str, Mark]


def _child(rng: Rng) -> Rng:
    return np.random.default_rng(int(rng.integers(0, 2**62)))


def _damage(
    size: Size, unit: float, rng: Rng, level: _Level, origin: str
) -> list[tuple[str, Mark]]:
    """Pieces of damage for one photo, within a share of its pixels drawn first."""
    if chance(rng, level.clean):
        return []
    enough = ranging(rng, level.least, level.most)
    allowed = 1.6 * enough + level.least
    wanted = int(rng.integers(level.marks[0], level.marks[1] + 1))
    weights = {
        name: share * _PRONE.get(origin, {}).get(name, 1.0) for name, share in _COMMON.items()
    }
    marks: list[tuple[str, Mark]] = []
    covered_share = 0.0
    for attempt in range(wanted + 6):
        if len(marks) >= wanted and covered_share >= enough:
            break
        name = pick(rng, weights)
        mark_rng = _child(rng)
        much = level.much * ranging(mark_rng, 0.5, 1.6) * (0.6 if attempt > wanted else 1.0)
        mark = MARKS[name](size, unit, mark_rng, much)
        share = float((mark.cover > COVERED).mean())
        if share == 0.0 or (covered_share + share > allowed and (marks or share > 1.5 * allowed)):
            continue
        weights[name] *= 0.35
        covered_share += share
        marks.append((name, mark))
    return marks


def _making(size: Size, unit: float, rng: Rng, origin: str, wear: float) -> tuple[list[Step], ...]:
    """The steps of making the print, before and after the negative."""
    mono = origin not in _COLOUR and not (origin == "press" and chance(rng, 0.4))
    before: list[Step] = []
    if mono:
        old = origin in ("albumen", "collodion", "cyanotype") or chance(rng, 0.3)
        before.append(process.emulsion(_child(rng), old))
    if chance(rng, 0.75):
        before.append(process.lens(size, unit, _child(rng), wear))
    after = [process.contrast(_child(rng), between(rng, 0.1, 0.7))]
    if chance(rng, 0.3):
        after.append(process.focus(unit, _child(rng), 0.6 * wear))
    if chance(rng, 0.75):
        after.append(process.grain(size, unit, _child(rng), wear, mono))
    if origin == "press":
        after.append(process.halftone(size, unit, _child(rng), mono))
    return before, after


def _fading(size: Size, unit: float, rng: Rng, origin: str, mono: bool, fade: float) -> list[Step]:
    step_rng = _child(rng)
    steps: list[Step] = []
    if not mono:
        if origin != "slide" or chance(rng, 0.5):
            steps.append(process.chromogenic(step_rng, fade))
        if chance(rng, 0.5):
            steps.append(process.saturation(_child(rng), fade))
    else:
        makers: dict[str, Callable[[Rng, float], Step]] = {
            "albumen": process.albumen,
            "collodion": process.collodion,
            "cyanotype": process.cyanotype,
        }
        steps.append(makers.get(origin, process.silver)(step_rng, fade))
    if chance(rng, 0.3 * (0.3 + fade)):
        steps.append(process.edge_fading(size, unit, _child(rng), fade))
    return steps


def _surface(size: Size, unit: float, rng: Rng, origin: str) -> list[Step]:
    steps: list[Step] = []
    if origin == "silver" and chance(rng, 0.22):
        steps.append(process.mirroring(size, unit, _child(rng)))
    if chance(rng, 0.06):
        steps.append(process.ferrotyping(size, unit, _child(rng)))
    if chance(rng, 0.18):
        steps.append(process.cockling(size, unit, _child(rng)))
    if origin in ("silver", "chromogenic") and chance(rng, 0.12):
        steps.append(process.paper(size, unit, _child(rng)))
    return [steps[int(i)] for i in rng.permutation(len(steps))]


def _capture(size: Size, unit: float, rng: Rng, wear: float) -> tuple[list[Step], list[Step]]:
    """The steps of capture: light on the print, then scanner or camera."""
    camera = chance(rng, 0.4)
    light: list[Step] = []
    if chance(rng, 0.7 if camera else 0.25):
        light.append(process.uneven_light(size, _child(rng), 1.0 if camera else 0.4))
    if camera and chance(rng, 0.25):
        light.append(process.glare(size, unit, _child(rng)))
    if chance(rng, 0.5):
        light.append(process.white_balance(_child(rng), 1.0 if camera else 0.5))
    device: list[Step] = []
    if chance(rng, 0.7):
        device.append(process.focus(unit, _child(rng), wear * (1.0 if camera else 0.6)))
    if chance(rng, 0.7):
        device.append(process.sensor(size, unit, _child(rng), wear * (1.0 if camera else 0.5)))
    return light, device


def _file(size: Size, unit: float, rng: Rng, wear: float, quality: int) -> list[Step]:
    steps: list[Step] = []
    if chance(rng, 0.45):
        steps.append(process.resample(size, unit, _child(rng), wear))
    for share in (0.8, 0.3):
        if chance(rng, share):
            steps.append(process.jpeg(_child(rng), quality))
    if chance(rng, 0.22):
        steps.append(process.sharpen(unit, _child(rng)))
    if chance(rng, 0.15):
        steps.append(process.contrast(_child(rng), 0.3))
    return [steps[int(i)] for i in rng.permutation(len(steps))]


def _history(size: Size, unit: float, rng: Rng, level: _Level) -> tuple[str, bool, list[Event]]:
    """The photographic process, whether all colour is lost, and all steps in order."""
    origin = pick(rng, _ORIGINS)
    fade, wear = between(rng, *level.fade), between(rng, *level.wear)
    before, after = _making(size, unit, _child(rng), origin, wear)
    mono = any(step.name == "emulsion" for step in before)
    stages: list[tuple[str, list[Step]]] = [
        ("", before),
        ("negative", after),
        ("print", _fading(size, unit, _child(rng), origin, mono, fade)),
        ("faded", _surface(size, unit, _child(rng), origin)),
    ]
    light, device = _capture(size, unit, _child(rng), wear)
    glass_first = chance(rng, 0.5)
    stages += [("glass", light), ("", device)] if glass_first else [("", light), ("glass", device)]
    damage = _damage(size, unit, _child(rng), level, origin)
    timing = _child(rng)
    times: dict[str, list[tuple[str, Mark]]] = {when: [] for when in _WHEN}
    for piece in damage:
        shares = dict(zip(_WHEN, _TIMES.get(piece[0], _USUAL), strict=True))
        times[pick(timing, shares)].append(piece)
    events: list[Event] = []
    for when, steps in stages:
        events += times.get(when, [])
        events += steps
    tail: list[Event] = list(_file(size, unit, _child(rng), wear, level.quality))
    for piece in times["file"]:
        tail.insert(int(timing.integers(len(tail) + 1)), piece)
    return origin, mono, events + tail


def deterioration(
    hq: Image, rng: np.random.Generator, severity: Severity = MODERATE, *, unit: float | None = None
) -> Degraded:
    """Ages a clean photo by a plausible history, for validation.

    Args:
        hq: (H, W, 3) float32, sRGB [0, 1].
        rng: all randomness comes from it.
        severity: light, moderate or heavy, by its name; its numbers are not used.
        unit: pixels for 1/256 of the photo's short side, the measure of all lengths; by
            default min(H, W) / 256. Give it for a part cut out of a photo.

    Returns:
        `lq` of the size of `hq` and in register with it; `hq` itself, or its Rec.709 luma in
        three channels where the process had no colour; `toned`, that target with the changes
        of tone that are alike everywhere; the visible damage in `mask`, by kind in `kinds`; the
        part of it that is a lost edge in `lost`; and each operation in its order in `params`.

    Raises:
        ValueError: where the severity has another name.
    """
    if severity.name not in _LEVELS:
        raise ValueError(f"severity {severity.name!r}, expected one of {', '.join(_LEVELS)}")
    size = extent(hq)
    scale = min(size) / 256 if unit is None else unit
    origin, mono, events = _history(size, scale, rng, _LEVELS[severity.name])
    aged = undamaged = toned = np.asarray(hq, np.float32)
    params: list[Params] = [{"op": "origin", "process": origin}]
    marks: list[tuple[str, Mark]] = []
    for event in events:
        if isinstance(event, Step):
            # Until the first piece of damage both are the same photo.
            alike = aged is undamaged
            undamaged = event.run(undamaged)
            aged = undamaged if alike else event.run(aged)
            if event.tone:
                toned = event.run(toned)
            params.append({"op": event.name, **event.numbers})
        else:
            name, mark = event
            aged = np.clip(mark.paint(mark.under(aged)), 0, 1).astype(np.float32)
            undamaged = np.clip(mark.under(undamaged), 0, 1).astype(np.float32)
            marks.append(event)
            params.append({"op": name, "kind": mark.kind, **mark.numbers})
    mask, lost, kinds = _masks(size, scale, aged, undamaged, [mark for _, mark in marks])
    return Degraded(
        lq=aged.copy() if aged is hq else aged,
        hq=process.gray(hq) if mono else hq,
        toned=toned.copy() if toned is hq else toned,
        mask=mask,
        lost=lost,
        params=params,
        kinds=kinds,
    )


def _masks(
    size: Size, unit: float, aged: Image, undamaged: Image, marks: list[Mark]
) -> tuple[Mask, Mask, dict[str, Mask]]:
    mask, lost = np.zeros(size, np.float32), np.zeros(size, np.float32)
    kinds: dict[str, Mask] = {}
    if not marks:
        return mask, lost, kinds
    delta, behind = aged - undamaged, backdrop(undamaged, unit)
    for kind in KINDS:
        covers = [mark.cover for mark in marks if mark.kind == kind]
        if not covers:
            continue
        seen = visible(delta, behind, np.max(covers, axis=0), unit, kind)
        if seen.any():
            kinds[kind] = seen
            mask = np.maximum(mask, seen)
        edges = [mark.cover for mark in marks if mark.kind == kind and mark.lost]
        if edges:
            lost = np.maximum(lost, _from_edge(seen * (np.max(edges, axis=0) > 0)))
    return mask, lost, kinds


def _from_edge(mask: Mask) -> Mask:
    """The parts of a mask that reach the edge of the photo."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    labels = np.asarray(labels)
    rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    reached = np.unique(rim[rim > 0])
    return np.isin(labels, reached).astype(np.float32)
