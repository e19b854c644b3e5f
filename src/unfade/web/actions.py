"""What the page does, without the page: open a photo, restore it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from unfade.colours import WORDS, ColourRegion
from unfade.errors import InputError, UsageError
from unfade.imaging import read_mask, read_photo, write_mask
from unfade.imaging.photo import resize
from unfade.manifest import make_folder
from unfade.memory import release_memory
from unfade.options import SENSITIVITIES, Sensitivity, Task
from unfade.types import Progress
from unfade.web import masks, pictures, results
from unfade.web.session import Desk, Made, Opened, Order
from unfade.web.settings import Settings, threshold_from

#: The share of the time that the restoration takes; writing and showing its result take the rest.
_RESTORED = 0.85


def load_photo(desk: Desk, upload: str | Path) -> Opened:
    """Takes an uploaded photo, whose damage is not known yet.

    Raises:
        InputError: it is no upload, too large, or no photo.
    """
    path = desk.store.adopt(upload, max_bytes=desk.limits.max_bytes)
    most = desk.limits.max_pixels
    quick = pictures.quick_sketch(path, masks.PREVIEW, max_pixels=most)
    if quick is None:
        whole = read_photo(path, max_pixels=most)
        quick = pictures.Sketch(whole, (whole.height, whole.width))
    height, width = quick.size
    small = pictures.display(pictures.sketch(quick.photo, masks.preview_size(height, width)))
    shown = pictures.jpeg(small)
    thumb = pictures.jpeg(pictures.limited(small, pictures.THUMB))
    opened = Opened(
        path, height, width, pictures.data_url("jpeg", shown), "",
        pictures.data_url("jpeg", thumb), coloured=desk.restorer.has_colours(small),
    )  # fmt: skip
    opened.small.parent.mkdir()
    opened.small.write_bytes(shown)
    return opened


def glance(desk: Desk, opened: Opened, progress: Progress | None = None) -> Opened:
    """Finds the damage in a small copy of a photo: soon, and coarsely."""
    small = pictures.limited(pictures.display(read_photo(opened.small)), masks.ROUGH)
    rough = desk.restorer.detect(small, soft=True, progress=progress)
    shown = masks.enlarged(rough, masks.preview_size(opened.height, opened.width))
    return replace(opened, mask_url=pictures.data_url("png", pictures.png(shown)))


def find_damage(desk: Desk, opened: Opened, progress: Progress | None = None) -> Opened:
    """Finds the damage of a photo at full size, and writes it to `Opened.soft`.

    Raises:
        InputError: the photo cannot be read as a whole.
    """
    photo = read_photo(opened.path, max_pixels=desk.limits.max_pixels)
    opened.before.write_bytes(pictures.jpeg(pictures.display(photo)))
    soft = desk.restorer.detect(
        photo, soft=True, max_pixels=desk.limits.max_pixels, progress=progress
    )
    write_mask(opened.soft, soft)
    shown = pictures.data_url("png", pictures.png(masks.shown_mask(soft)))
    return replace(opened, mask_url=shown, searched=True)


def colour_task(desk: Desk) -> Task:
    """The task with which colours can be painted."""
    return "colorize" if "colorize" in desk.restorer.tasks else "old-photo"


def open_photo(desk: Desk, upload: str | Path) -> Opened:
    """`load_photo`, then `find_damage`."""
    return find_damage(desk, load_photo(desk, upload))


def scene(
    opened: Opened, thresholds: Mapping[Sensitivity, float], edit: dict[str, Any] | None = None,
    colour_task: Task = "colorize",
) -> dict[str, Any]:  # fmt: skip
    """What the editor on the page shows: the photo, its damage, and what was painted before.

    Args:
        thresholds: the probability, 0..1, from which a pixel is damaged, by sensitivity.
        edit: what the editor sent last.
        colour_task: the task with which regions get colours.
    """
    height, width = masks.preview_size(opened.height, opened.width)
    return {
        "id": opened.key,
        "photo": opened.photo_url,
        "mask": opened.mask_url,
        "searched": opened.searched,
        "width": width,
        "height": height,
        "thresholds": dict(thresholds),
        "sensitivity": "normal" if edit is None else edit["sensitivity"],
        "layer": "" if edit is None else edit["layer"],
        "tints": "" if edit is None else edit.get("tints", ""),
        "colours": [] if edit is None else edit.get("colours", []),
        "words": WORDS,
        "colour_task": colour_task,
        "name": opened.name,
    }


def restore(
    desk: Desk, opened: Opened, settings: Settings, edit: dict[str, Any], progress: Progress
) -> Made:
    """Restores a photo with the mask that the visitor left.

    Args:
        opened: a photo whose damage was found, unless it is to be made larger.
        edit: "id" of the photo, "sensitivity", "layer" (`masks.read_edits`), and where
            colours were painted "tints" (`masks.read_tints`) and "colours", a list of words.

    Raises:
        UsageError: the mask is not this photo's, or a setting makes no sense.
        InputError, WeightsError: see `Restorer.run`.
    """
    if edit.get("id") != opened.key:
        raise UsageError("a mask of another photo", f"the one of {opened.name}", "try again")
    if not opened.path.is_file():
        got, fix = "a photo that was removed, as all are after a while", "choose the file again"
        raise InputError(got, "one that is still here", fix, path=opened.path)
    sensitivity = _sensitivity(edit)
    number = 1 + len(list(opened.path.parent.glob("restored-*/shown")))
    folder = opened.path.parent / f"restored-{number}"
    stem = opened.path.stem if number == 1 else f"{opened.path.stem}-{number}"
    mask: Literal["auto"] | Path = "auto"
    protect: tuple[Path, ...] = ()
    regions: tuple[ColourRegion, ...] = ()
    if settings.task != "super-resolution":
        mask, protect = _painted(desk, opened, edit, sensitivity, number)
        if settings.refreshes(opened.coloured):  # what was painted as damage is not shown
            mask, sensitivity = "auto", "normal"
        regions = _regions(opened, edit, folder / stem)
    options = settings.options(
        mask=mask,
        sensitivity=sensitivity if mask == "auto" else "normal",
        protect=protect,
        max_pixels=desk.limits.max_pixels,
        diffuses=desk.restorer.diffuses,
        weighs_fidelity=desk.restorer.weighs_fidelity,
        colour_regions=regions,
    )
    found = _found(desk, opened) if options.search == "auto" else None
    restored = desk.restorer.run(
        opened.path, options, found=found,
        progress=lambda stage, share: progress(stage, _RESTORED * share),
    )  # fmt: skip
    return results.save(
        restored, opened, Order(settings, edit), folder,
        [*protect, *(one.mask for one in regions)], stem=stem,
        progress=lambda stage, share: progress(stage, _RESTORED + (1 - _RESTORED) * share),
    )  # fmt: skip


def _found(desk: Desk, opened: Opened) -> masks.Mask:
    """The damage that was found before, so that nobody waits for it twice."""
    return read_mask(opened.soft, size=None, max_pixels=desk.limits.max_pixels)


def _painted(
    desk: Desk, opened: Opened, edit: dict[str, Any], sensitivity: Sensitivity, number: int
) -> tuple[Literal["auto"] | Path, tuple[Path, ...]]:  # fmt: skip
    """The mask of the damage and what is protected, as files where the visitor painted them.

    Args:
        number: of the restoration of this photo, for the names of the files.
    """
    layer = masks.read_edits(
        str(edit.get("layer") or ""), masks.preview_size(opened.height, opened.width)
    )
    if layer is None:
        return "auto", ()
    mask: Literal["auto"] | Path = "auto"
    protect: tuple[Path, ...] = ()
    stem = opened.path.parent / opened.path.stem
    if np.isin(layer, (masks.ADD, masks.REMOVE)).any():
        mask = stem.with_name(f"{stem.name}-mask-{number}.png")
        threshold = desk.restorer.thresholds[sensitivity]
        write_mask(mask, masks.edited_mask(_found(desk, opened), threshold, layer))
    protected = masks.protected_mask(layer, (opened.height, opened.width))
    if protected is not None:
        protect = (stem.with_name(f"{stem.name}-protect-{number}.png"),)
        write_mask(protect[0], protected)
    return mask, protect


def _regions(opened: Opened, edit: dict[str, Any], start: Path) -> tuple[ColourRegion, ...]:
    """What the visitor gave a colour; each region as a mask of the photo's size.

    Args:
        start: folder and beginning of the name of the masks.
    """
    given: object = edit.get("colours") or []
    colours = cast(list[object], given) if isinstance(given, list) else None
    if colours is None or len(colours) > masks.MOST_COLOURS:
        got, most = "colours that are no list, or too many", f"at most {masks.MOST_COLOURS}"
        raise UsageError(got, most, "try again")
    named = [str(colour) for colour in colours]
    size = masks.preview_size(opened.height, opened.width)
    painted = masks.read_tints(str(edit.get("tints") or ""), size, len(named))
    regions: list[ColourRegion] = []
    for i, colour in enumerate(named, 1):
        if painted is None or not (painted == i).any():
            continue
        path = start.with_name(f"{start.name}-colour-{len(regions) + 1}.png")
        region = ColourRegion(path, colour)
        make_folder(path.parent)
        plane = (painted == i).astype(np.uint8) * np.uint8(255)
        write_mask(region.mask, resize(plane, (opened.height, opened.width)))
        regions.append(region)
    return tuple(regions)


def _sensitivity(edit: dict[str, Any]) -> Sensitivity:
    value = edit.get("sensitivity")
    if value not in SENSITIVITIES:
        expected = "one of " + ", ".join(SENSITIVITIES)
        raise UsageError(f"sensitivity {value!r}", expected, "choose one of them")
    return value


def restore_upload(
    desk: Desk, photo: str, mask: str | None, settings: Settings, threshold: float | None,
    colours: Sequence[tuple[str, str]] = (), *, sensitivity: Sensitivity = "normal",
    protect: str | None = None,
) -> list[Path]:  # fmt: skip
    """Restores an upload without the page: the photos, then their manifests.

    Args:
        mask: an uploaded mask, white = damaged; None finds the damage.
        threshold: 0..1; None is the sensitivity's.
        colours: uploaded masks of regions, and the colour that each gets.
        sensitivity: see `RestoreOptions`.
        protect: an uploaded mask, white = never touched.

    Raises:
        InputError, UsageError, WeightsError: see `open_photo` and `restore`.
    """
    threshold = None if threshold is None else threshold_from(threshold)
    path = desk.store.adopt(photo, max_bytes=desk.limits.max_bytes)
    given = None if mask is None else desk.store.adopt(mask, max_bytes=desk.limits.max_bytes)
    regions = tuple(
        ColourRegion(desk.store.adopt(region, max_bytes=desk.limits.max_bytes), colour)
        for region, colour in colours
    )
    options = settings.options(
        mask="auto" if given is None else given,
        sensitivity=sensitivity,
        threshold=threshold,
        protect=_adopted(desk, protect),
        max_pixels=desk.limits.max_pixels,
        diffuses=desk.restorer.diffuses,
        weighs_fidelity=desk.restorer.weighs_fidelity,
        colour_regions=regions,
    )
    restored = desk.restorer.run(path, options)
    photos, papers = results.write(restored, path.parent / "restored-1" / path.name, settings.task)
    del restored
    release_memory()
    return [*photos, *papers]


def _adopted(desk: Desk, upload: str | None) -> tuple[Path, ...]:
    if upload is None:
        return ()
    return (desk.store.adopt(upload, max_bytes=desk.limits.max_bytes),)


def detect_upload(
    desk: Desk, photo: str, threshold: float | None, *, sensitivity: Sensitivity = "normal",
    protect: str | None = None,
) -> Path:  # fmt: skip
    """The mask of an upload, a PNG with 255 = damaged. Arguments and errors: `restore_upload`."""
    threshold = None if threshold is None else threshold_from(threshold)
    path = desk.store.adopt(photo, max_bytes=desk.limits.max_bytes)
    found = desk.restorer.detect(
        path, sensitivity=sensitivity, threshold=threshold, protect=_adopted(desk, protect),
        max_pixels=desk.limits.max_pixels,
    )  # fmt: skip
    mask = path.parent / f"{path.stem}-mask.png"
    write_mask(mask, found)
    release_memory()
    return mask
