"""Opens, searches and restores photos for the page, without anything of Gradio."""

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
from unfade.web.session import AppContext, OpenedPhoto, RestoreRequest, Result
from unfade.web.settings import Settings, threshold_from

#: The share of the progress that the restoration takes; writing its result takes the rest.
_RESTORE_SHARE = 0.85


def load_photo(context: AppContext, upload: str | Path) -> OpenedPhoto:
    """Opens an uploaded photo, without its damage.

    Raises:
        InputError: it is no upload, too large, or no photo.
    """
    path = context.store.adopt(upload, max_bytes=context.limits.max_bytes)
    max_pixels = context.limits.max_pixels
    reduced = pictures.quick_sketch(path, masks.PREVIEW, max_pixels=max_pixels)
    if reduced is None:
        photo = read_photo(path, max_pixels=max_pixels)
        reduced = pictures.Sketch(photo, (photo.height, photo.width))
    height, width = reduced.size
    preview = pictures.display(pictures.sketch(reduced.photo, masks.preview_size(height, width)))
    preview_jpeg = pictures.jpeg(preview)
    thumb = pictures.jpeg(pictures.limited(preview, pictures.THUMB))
    opened = OpenedPhoto(
        path, height, width, pictures.data_url("jpeg", preview_jpeg), "",
        pictures.data_url("jpeg", thumb), coloured=context.restorer.has_colours(preview),
    )  # fmt: skip
    opened.small.parent.mkdir()
    opened.small.write_bytes(preview_jpeg)
    return opened


def detect_coarsely(
    context: AppContext, opened: OpenedPhoto, progress: Progress | None = None
) -> OpenedPhoto:
    """Detects the damage in a small copy of a photo: fast, and coarsely."""
    small = pictures.limited(pictures.display(read_photo(opened.small)), masks.ROUGH)
    coarse_mask = context.restorer.detect(small, soft=True, progress=progress)
    mask = masks.enlarged(coarse_mask, masks.preview_size(opened.height, opened.width))
    return replace(opened, mask_url=pictures.data_url("png", pictures.png(mask)))


def find_damage(
    context: AppContext, opened: OpenedPhoto, progress: Progress | None = None
) -> OpenedPhoto:
    """Detects the damage of a photo at full size, and writes it to `OpenedPhoto.soft`.

    Raises:
        InputError: the photo cannot be read as a whole.
    """
    photo = read_photo(opened.path, max_pixels=context.limits.max_pixels)
    opened.before.write_bytes(pictures.jpeg(pictures.display(photo)))
    soft = context.restorer.detect(
        photo, soft=True, max_pixels=context.limits.max_pixels, progress=progress
    )
    write_mask(opened.soft, soft)
    mask_url = pictures.data_url("png", pictures.png(masks.preview_mask(soft)))
    return replace(opened, mask_url=mask_url, searched=True)


def colour_task(context: AppContext) -> Task:
    """The task with which colours can be painted."""
    return "colorize" if "colorize" in context.restorer.tasks else "old-photo"


def open_photo(context: AppContext, upload: str | Path) -> OpenedPhoto:
    """`load_photo`, then `find_damage`."""
    return find_damage(context, load_photo(context, upload))


def scene(
    opened: OpenedPhoto,
    thresholds: Mapping[Sensitivity, float],
    edit: dict[str, Any] | None = None,
    colour_task: Task = "colorize",
) -> dict[str, Any]:
    """The data of the mask editor: the photo, its damage, and what was painted before.

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
    context: AppContext,
    opened: OpenedPhoto,
    settings: Settings,
    edit: dict[str, Any],
    progress: Progress,
) -> Result:
    """Restores a photo with the mask as the visitor edited it.

    Args:
        opened: a photo whose damage was found, unless it is to be made larger.
        edit: "id" of the photo, "sensitivity", "layer" (`masks.read_edits`), and where
            colours were painted "tints" (`masks.read_colour_layer`) and "colours", a list of words.

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
        mask, protect = _painted(context, opened, edit, sensitivity, number)
        if settings.refreshes(opened.coloured):  # what was painted as damage is not shown
            mask, sensitivity = "auto", "normal"
        regions = _regions(opened, edit, folder / stem)
    options = settings.options(
        mask=mask,
        sensitivity=sensitivity if mask == "auto" else "normal",
        protect=protect,
        max_pixels=context.limits.max_pixels,
        diffuses=context.restorer.diffuses,
        weighs_fidelity=context.restorer.weighs_fidelity,
        colour_regions=regions,
    )
    detected = _read_detected(context, opened) if options.search == "auto" else None
    restored = context.restorer.run(
        opened.path, options, found=detected,
        progress=lambda stage, share: progress(stage, _RESTORE_SHARE * share),
    )  # fmt: skip
    return results.save(
        restored,
        opened,
        RestoreRequest(settings, edit),
        folder,
        [*protect, *(region.mask for region in regions)],
        stem=stem,
        progress=lambda stage, share: progress(
            stage, _RESTORE_SHARE + (1 - _RESTORE_SHARE) * share
        ),
    )


def _read_detected(context: AppContext, opened: OpenedPhoto) -> masks.Mask:
    """The mask that detection wrote."""
    return read_mask(opened.soft, size=None, max_pixels=context.limits.max_pixels)


def _painted(
    context: AppContext,
    opened: OpenedPhoto,
    edit: dict[str, Any],
    sensitivity: Sensitivity,
    number: int,
) -> tuple[Literal["auto"] | Path, tuple[Path, ...]]:
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
        threshold = context.restorer.thresholds[sensitivity]
        write_mask(mask, masks.edited_mask(_read_detected(context, opened), threshold, layer))
    protected = masks.protected_mask(layer, (opened.height, opened.width))
    if protected is not None:
        protect = (stem.with_name(f"{stem.name}-protect-{number}.png"),)
        write_mask(protect[0], protected)
    return mask, protect


def _regions(opened: OpenedPhoto, edit: dict[str, Any], start: Path) -> tuple[ColourRegion, ...]:
    """The regions that the visitor painted with a colour, each as a mask of the photo's size.

    Args:
        start: folder and beginning of the names of the mask files.
    """
    names: object = edit.get("colours") or []
    colours = cast(list[object], names) if isinstance(names, list) else None
    if colours is None or len(colours) > masks.MAX_COLOURS:
        got, most = "colours that are no list, or too many", f"at most {masks.MAX_COLOURS}"
        raise UsageError(got, most, "try again")
    colour_names = [str(colour) for colour in colours]
    size = masks.preview_size(opened.height, opened.width)
    painted = masks.read_colour_layer(str(edit.get("tints") or ""), size, len(colour_names))
    regions: list[ColourRegion] = []
    for i, colour in enumerate(colour_names, 1):
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
    context: AppContext, photo: str, mask: str | None, settings: Settings, threshold: float | None,
    colours: Sequence[tuple[str, str]] = (), *, sensitivity: Sensitivity = "normal",
    protect: str | None = None,
) -> list[Path]:  # fmt: skip
    """Restores an upload of the HTTP API: the photos, then their manifests.

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
    path = context.store.adopt(photo, max_bytes=context.limits.max_bytes)
    mask_path = (
        None if mask is None else context.store.adopt(mask, max_bytes=context.limits.max_bytes)
    )
    regions = tuple(
        ColourRegion(context.store.adopt(region, max_bytes=context.limits.max_bytes), colour)
        for region, colour in colours
    )
    options = settings.options(
        mask="auto" if mask_path is None else mask_path,
        sensitivity=sensitivity,
        threshold=threshold,
        protect=_adopted(context, protect),
        max_pixels=context.limits.max_pixels,
        diffuses=context.restorer.diffuses,
        weighs_fidelity=context.restorer.weighs_fidelity,
        colour_regions=regions,
    )
    restored = context.restorer.run(path, options)
    photos, manifest_paths = results.write(
        restored, path.parent / "restored-1" / path.name, settings.task
    )
    del restored
    release_memory()
    return [*photos, *manifest_paths]


def _adopted(context: AppContext, upload: str | None) -> tuple[Path, ...]:
    if upload is None:
        return ()
    return (context.store.adopt(upload, max_bytes=context.limits.max_bytes),)


def detect_upload(
    context: AppContext,
    photo: str,
    threshold: float | None,
    *,
    sensitivity: Sensitivity = "normal",
    protect: str | None = None,
) -> Path:
    """The mask of an upload, a PNG with 255 = damaged. Arguments and errors: `restore_upload`."""
    threshold = None if threshold is None else threshold_from(threshold)
    path = context.store.adopt(photo, max_bytes=context.limits.max_bytes)
    detected = context.restorer.detect(
        path, sensitivity=sensitivity, threshold=threshold, protect=_adopted(context, protect),
        max_pixels=context.limits.max_pixels,
    )  # fmt: skip
    mask_path = path.parent / f"{path.stem}-mask.png"
    write_mask(mask_path, detected)
    release_memory()
    return mask_path
