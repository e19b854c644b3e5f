"""What the page does, without the page: open a photo, restore it, pack the results."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

import unfade.manifest as manifests
from unfade.api import Restorer
from unfade.errors import UsageError
from unfade.imaging import read_mask, read_photo, write_mask
from unfade.inputs import harden
from unfade.options import RestoreOptions, Task
from unfade.types import Progress, Restored, numbered
from unfade.web import masks, pictures
from unfade.web.limits import Limits
from unfade.web.store import Store


@dataclass(frozen=True)
class Desk:
    """What all visitors share."""

    restorer: Restorer
    store: Store
    limits: Limits


@dataclass(frozen=True)
class Opened:
    """A photo of a visitor.

    Attributes:
        path: the file as it was uploaded, in a folder of its own.
        height, width: upright, pixels.
        photo_url: a JPEG of `masks.preview_size`, as a data URL.
        mask_url: the probabilities of damage at that size, a PNG as a data URL.
    """

    path: Path
    height: int
    width: int
    photo_url: str
    mask_url: str

    @property
    def name(self) -> str:
        """As the visitor named it."""
        return self.path.name

    @property
    def key(self) -> str:
        """Tells it from the other photos, even from one of the same name."""
        return self.path.parent.name

    @property
    def soft(self) -> Path:
        """The file of the probabilities of damage at full size."""
        return self.path.parent / "found" / "soft.png"

    @property
    def before(self) -> Path:
        """The photo as a JPEG at full size."""
        return self.path.parent / "found" / "before.jpg"


@dataclass(frozen=True)
class Settings:
    """The controls of the page, with its defaults; see `RestoreOptions`.

    Attributes:
        automatic: the damage that is measured decides on fidelity and strength.
        scale: of super-resolution only.
    """

    task: Task = "old-photo"
    only_damage: bool = False
    keep_tone: bool = False
    prompt: str = ""
    automatic: bool = True
    fidelity: float = 0.5
    strength: float = 0.5
    steps: int = 20
    seed: int = 0
    variants: int = 1
    scale: float = 4.0

    def options(
        self, *, mask: Literal["auto"] | Path, threshold: float | None, max_pixels: int,
        diffuses: bool,
    ) -> RestoreOptions:  # fmt: skip
        """The options of a restoration, without those that the task does not know.

        Raises:
            UsageError: a value makes no sense.
        """
        if self.task == "super-resolution":
            options = RestoreOptions(task=self.task, scale=self.scale, max_pixels=max_pixels)
        else:
            options = RestoreOptions(
                task=self.task,
                mask=mask,
                only_damage=self.only_damage,
                tone="keep" if self.keep_tone else None,
                threshold=threshold,
                prompt=self.prompt.strip() if diffuses else "",
                max_pixels=max_pixels,
            )
        if not diffuses:
            return options
        return replace(
            options,
            fidelity="auto" if self.automatic else self.fidelity,
            strength="auto" if self.automatic else self.strength,
            steps=self.steps,
            seed=self.seed,
            variants=self.variants,
        )


@dataclass(frozen=True)
class Made:
    """A restored photo, as files.

    Attributes:
        source: the photo that it came from.
        photos: in the format of the input; several where several variants were asked for.
        papers: their manifests.
        mask: what was filled, PNG; None where nothing was to be.
        views: each variant as a JPEG at full size.
        change: where it changed (`pictures.change_map`), JPEG.
        words: what was done, in sentences.
    """

    source: Opened
    photos: list[Path]
    papers: list[Path]
    mask: Path | None
    views: list[Path]
    change: Path
    words: str

    @property
    def files(self) -> list[str]:
        """Everything to be downloaded."""
        mask = [] if self.mask is None else [self.mask]
        return [str(path) for path in (*self.photos, *self.papers, *mask)]


@dataclass
class Session:
    """The photos and results of one visitor."""

    photos: list[Opened] = field(default_factory=list[Opened])
    shown: int = 0
    edits: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    made: list[Made] = field(default_factory=list[Made])
    job: Any = None  # the `Job` that is running, to be stopped
    stopped: bool = False  # Cancel was clicked, and what was running has not ended yet

    @property
    def photo(self) -> Opened:
        """The photo on the page. UsageError where there is none."""
        if not self.photos:
            raise UsageError("no photo", "a photo to restore", "choose one first")
        return self.photos[self.shown]


def open_photo(desk: Desk, upload: str | Path, progress: Progress | None = None) -> Opened:
    """Takes an uploaded photo and finds its damage.

    Raises:
        InputError: it is no upload, too large, or no photo.
    """
    path = desk.store.adopt(upload, max_bytes=desk.limits.max_bytes)
    photo = read_photo(path, max_pixels=desk.limits.max_pixels)
    full = pictures.display(photo)
    small = pictures.shrink(full, masks.preview_size(photo.height, photo.width))
    opened = Opened(
        path, photo.height, photo.width, pictures.data_url("jpeg", pictures.jpeg(small)), ""
    )
    opened.soft.parent.mkdir()
    opened.before.write_bytes(pictures.jpeg(full))
    soft = desk.restorer.detect(
        photo, soft=True, max_pixels=desk.limits.max_pixels, progress=progress
    )
    write_mask(opened.soft, soft)
    shown = pictures.data_url("png", pictures.png(masks.shown_mask(soft)))
    return replace(opened, mask_url=shown)


def scene(opened: Opened, threshold: float, edit: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the editor on the page shows: the photo, its damage, and what was painted before."""
    height, width = masks.preview_size(opened.height, opened.width)
    return {
        "id": opened.key,
        "photo": opened.photo_url,
        "mask": opened.mask_url,
        "width": width,
        "height": height,
        "threshold": threshold if edit is None else edit["threshold"],
        "layer": "" if edit is None else edit["layer"],
        "name": opened.name,
    }


def restore(
    desk: Desk, opened: Opened, settings: Settings, edit: dict[str, Any], progress: Progress
) -> Made:
    """Restores a photo with the mask that the visitor left.

    Args:
        edit: "id" of the photo, "threshold" 0..1, and "layer" (`masks.read_edits`).

    Raises:
        UsageError: the mask is not this photo's, or a setting makes no sense.
        InputError, WeightsError: see `Restorer.run`.
    """
    if edit.get("id") != opened.key:
        raise UsageError("a mask of another photo", f"the one of {opened.name}", "try again")
    threshold, number = _threshold(edit), 1 + len(list(opened.path.parent.glob("restored-*")))
    size = masks.preview_size(opened.height, opened.width)
    layer = masks.read_edits(str(edit.get("layer") or ""), size)
    mask: Literal["auto"] | Path = "auto"
    if layer is not None and settings.task != "super-resolution":
        soft = read_mask(opened.soft, size=None, max_pixels=desk.limits.max_pixels)
        mask = opened.path.parent / f"{opened.path.stem}-mask-{number}.png"
        write_mask(mask, masks.edited_mask(soft, threshold, layer))
    options = settings.options(
        mask=mask,
        threshold=threshold if layer is None else None,
        max_pixels=desk.limits.max_pixels,
        diffuses=desk.restorer.diffuses,
    )
    restored = desk.restorer.run(opened.path, options, progress=progress)
    folder = opened.path.parent / f"restored-{number}"
    return _save(restored, opened, folder, threshold)


def _threshold(edit: dict[str, Any]) -> float:
    value = edit.get("threshold")
    if not isinstance(value, (int, float)) or not 0 < value < 1:
        raise UsageError(f"threshold {value!r}", "a number between 0 and 1", "move the slider")
    return float(value)


def _save(restored: Restored, opened: Opened, folder: Path, threshold: float) -> Made:
    """Writes a result and all that the page shows of it."""
    made = (restored, *restored.variants)
    photos, papers = _write(restored, folder / opened.name)
    mask: Path | None = None
    if restored.mask is not None:
        mask = folder / f"{opened.path.stem}-mask.png"
        write_mask(mask, harden(restored.mask, threshold))
    shown = folder / "shown"
    shown.mkdir()
    views: list[Path] = []
    after = [pictures.display(one.image) for one in made]
    for i, pixels in enumerate(after, 1):
        views.append(shown / f"after-{i}.jpg")
        views[-1].write_bytes(pictures.jpeg(pixels))
    before = pictures.display(read_photo(opened.path))
    small, share = pictures.change_map(before, after[0])
    small = pictures.shrink(small, masks.preview_size(*small.shape[:2]))
    change = shown / "changed.jpg"
    change.write_bytes(pictures.jpeg(small))
    return Made(opened, photos, papers, mask, views, change, words(restored.manifest, share))


def _write(restored: Restored, output: Path) -> tuple[list[Path], list[Path]]:
    """Writes a result and its variants: the photos, and their manifests."""
    restored.save(output)
    photos = numbered(output, 1 + len(restored.variants))
    folder = output.parent.parent
    return photos, [_without_folders(manifests.sidecar(path), folder) for path in photos]


def restore_upload(
    desk: Desk, photo: str, mask: str | None, settings: Settings, threshold: float | None
) -> list[Path]:
    """Restores an upload without the page: the photos, then their manifests.

    Args:
        mask: an uploaded mask, white = damaged; None finds the damage.
        threshold: 0..1; None is the default of `Restorer.restore`.

    Raises:
        InputError, UsageError, WeightsError: see `open_photo` and `restore`.
    """
    path = desk.store.adopt(photo, max_bytes=desk.limits.max_bytes)
    given = None if mask is None else desk.store.adopt(mask, max_bytes=desk.limits.max_bytes)
    options = settings.options(
        mask="auto" if given is None else given,
        threshold=threshold,
        max_pixels=desk.limits.max_pixels,
        diffuses=desk.restorer.diffuses,
    )
    restored = desk.restorer.run(path, options)
    photos, papers = _write(restored, path.parent / "restored-1" / path.name)
    return [*photos, *papers]


def detect_upload(desk: Desk, photo: str, threshold: float | None) -> Path:
    """The mask of an upload, a PNG with 255 = damaged. Raises as `restore_upload`."""
    path = desk.store.adopt(photo, max_bytes=desk.limits.max_bytes)
    limit = desk.limits.max_pixels
    found = desk.restorer.detect(path, threshold=threshold, max_pixels=limit)
    mask = path.parent / f"{path.stem}-mask.png"
    write_mask(mask, found)
    return mask


def _without_folders(paper: Path, folder: Path) -> Path:
    """Takes the server's folder out of a manifest: its paths are then beside the photo."""
    manifest = manifests.read(paper)
    manifest["options"]["mask"] = Path(str(manifest["options"]["mask"])).name
    if manifest["command"] is not None:
        manifest["command"] = manifest["command"].replace(f"{folder}/", "")
    manifests.write(paper, manifest)
    return paper


def words(manifest: manifests.Manifest, changed: float) -> str:
    """What was done to a photo, in sentences.

    Args:
        changed: share of the pixels, 0..1, that changed visibly.
    """
    said: list[str] = []
    damaged = manifest["damaged"]
    if damaged is not None:
        said.append(f"{_percent(damaged)} of the photo was damaged and filled in.")
    limit = round(100 * pictures.CHANGED)
    said.append(
        f"{_percent(changed)} of its pixels changed by more than {limit} % of the range, "
        "counting tone and colour."
    )
    taken = manifest["diffusion"] or {}
    if not taken.get("strength"):
        said.append("No diffusion model took part.")
    else:
        said.append(f"The diffusion model took part with strength {taken['strength']:.2f}.")
    agreement = manifest["alignment"]
    if agreement is not None:
        kind = "close" if agreement >= 0.96 else "fair" if agreement >= 0.9 else "look closely"
        said.append(f"Agreement with the photo: {agreement:.2f} of 1 ({kind}).")
    return " ".join(said)


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %" if share < 0.1 else f"{100 * share:.0f} %"


def pack(desk: Desk, made: Sequence[Made]) -> Path:
    """One zip of the latest result of each photo, with manifests; the order of the photos.

    Raises:
        UsageError: nothing was restored yet.
    """
    latest = {one.source.key: one for one in made}
    if not latest:
        raise UsageError("no result", "restored photos", "restore a photo first")
    path = desk.store.folder() / "restored.zip"
    seen: set[str] = set()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for number, one in enumerate(latest.values(), 1):
            clash = any(photo.name in seen for photo in one.photos)
            prefix = f"{number}/" if clash else ""
            for item in (*one.photos, *one.papers):
                seen.add(item.name)
                file.write(item, prefix + item.name)
    return path


def settings_from(values: Sequence[object]) -> Settings:
    """The settings from the page's controls, in the order of the fields of `Settings`.

    Raises:
        UsageError: a number is missing.
    """
    names = list(Settings.__dataclass_fields__)
    given = cast(dict[str, Any], dict(zip(names, values, strict=True)))
    empty = [name for name, value in given.items() if value is None]
    if empty:
        raise UsageError(f"no {empty[0]}", "a number", "fill it in")
    for name in ("steps", "seed", "variants"):
        given[name] = int(given[name])
    return Settings(**given)
