"""State of one visitor: photos, settings and results; values that a browser sends, checked."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

from unfade.api import Restorer
from unfade.colours import ColourRegion
from unfade.errors import UsageError
from unfade.options import ExistingColours, RestoreOptions, Sensitivity, Task
from unfade.web.job import Job
from unfade.web.limits import Limits
from unfade.web.store import Store

#: What one restoration may ask for, through the page or without it.
MOST = {"steps": 100, "variants": 4, "scale": 8}
MOST_CHARACTERS = 2000  # of a prompt
_LARGEST = 1e15
_EDIT_TEXTS = ("id", "sensitivity", "layer", "tints")


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
        thumb_url: a JPEG no larger than `pictures.THUMB`, as a data URL.
        coloured: whether it has colours (`Restorer.has_colours`).
        searched: whether the mask is that of the whole photo, and not of a small copy.
    """

    path: Path
    height: int
    width: int
    photo_url: str
    mask_url: str
    thumb_url: str
    coloured: bool = False
    searched: bool = False

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
    def small(self) -> Path:
        """The photo as a JPEG of `masks.preview_size`."""
        return self.path.parent / "found" / "small.jpg"

    @property
    def before(self) -> Path:
        """The photo as a JPEG at full size; it is written once the damage was sought."""
        return self.path.parent / "found" / "before.jpg"


@dataclass(frozen=True)
class Settings:
    """The controls of the page, with its defaults; see `RestoreOptions`.

    Attributes:
        automatic: the damage that is measured decides on fidelity and strength, and the preset on
            the steps.
        scale: of super-resolution only.
        existing_colours: of colorize only.
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
    existing_colours: ExistingColours = "refresh"

    def options(
        self, *, mask: Literal["auto"] | Path, max_pixels: int, diffuses: bool,
        sensitivity: Sensitivity = "normal", threshold: float | None = None,
        protect: tuple[Path, ...] = (), weighs_fidelity: bool = True,
        colour_regions: tuple[ColourRegion, ...] = (),
    ) -> RestoreOptions:  # fmt: skip
        """The options of a restoration, without those that task or weights do not know.

        Args:
            diffuses, weighs_fidelity: see `Restorer`.

        Raises:
            UsageError: a value makes no sense.
        """
        colours = self.task == "colorize"
        if self.task == "super-resolution":
            options = RestoreOptions(task=self.task, scale=self.scale, max_pixels=max_pixels)
        else:
            options = RestoreOptions(
                task=self.task,
                mask=mask,
                only_damage=self.only_damage,
                tone="keep" if self.keep_tone else None,
                sensitivity=sensitivity,
                threshold=threshold,
                protect=protect,
                prompt=self.prompt.strip() if diffuses or colours else "",
                colour_regions=colour_regions,
                existing_colours=self.existing_colours if colours else None,
                max_pixels=max_pixels,
            )
        if diffuses or colours:
            options = replace(options, seed=self.seed, variants=self.variants)
        if not diffuses or self.automatic:
            return options
        weighs = weighs_fidelity and not colours  # it would take the colours away
        closeness = self.fidelity if weighs else "auto"
        return replace(
            options,
            fidelity=closeness,
            posterior_mean=closeness,
            vae_residual=closeness,
            strength=self.strength,
            steps=self.steps if self.strength > 0 else "auto",
        )


def settings_from(values: Sequence[object]) -> Settings:
    """The settings from the page's controls, in the order of the fields of `Settings`.

    Raises:
        UsageError: a value is missing, of another kind, or more than one visitor may ask for.
    """
    given: dict[str, Any] = {}
    for (name, field_), value in zip(Settings.__dataclass_fields__.items(), values, strict=True):
        usual: object = field_.default
        if isinstance(usual, bool):
            given[name] = _checked(name, value, bool, "yes or no")
        elif isinstance(usual, str):
            given[name] = _checked(name, value, str, "a text")
            if len(given[name]) > MOST_CHARACTERS:
                got = f"a {name} of {len(given[name])} characters"
                raise UsageError(got, f"at most {MOST_CHARACTERS}", "write less")
        else:
            number = number_from(name, value)
            given[name] = int(number) if isinstance(usual, int) else number
    for name, most in MOST.items():
        if given[name] > most:
            raise UsageError(f"{name} {given[name]:g}", f"at most {most}", "ask for less")
    return Settings(**given)


def number_from(name: str, value: object) -> float:
    """A number that the page or a program sent. UsageError where it is none."""
    if value is None:
        raise UsageError(f"no {name}", "a number", "fill it in")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= _LARGEST:
        raise UsageError(f"{name} {_shown(value)}", "a number", "correct it")
    return float(value)


def threshold_from(value: object) -> float:
    """A threshold that the page or a program sent. UsageError where it is none."""
    number = number_from("threshold", value)
    if not 0 < number < 1:
        raise UsageError(f"threshold {number:g}", "a number between 0 and 1", "try 0.5")
    return number


def edit_from(value: object) -> dict[str, Any] | None:
    """What the editor on the page sent: the photo's id, the sensitivity, the painted layers.

    Raises:
        UsageError: it was not sent by the page.
    """
    if not value:
        return None
    if not isinstance(value, dict):
        raise UsageError(f"an edit {_shown(value)}", "one from this page", "paint it again")
    sent = cast(dict[str, object], value)
    edit: dict[str, Any] = {name: sent.get(name) or "" for name in _EDIT_TEXTS}
    for name, text in edit.items():
        _checked(f"the {name} of an edit", text, str, "one from this page")
    colours: object = sent.get("colours") or []
    if not isinstance(colours, list):
        raise UsageError(f"colours {_shown(colours)}", "a list of colours", "paint it again")
    words = [str(colour) for colour in cast(list[object], colours)]
    return {**edit, "colours": words}


def _checked(name: str, value: object, kind: type, expected: str) -> Any:
    if value is None:
        raise UsageError(f"no {name}", expected, "fill it in")
    if not isinstance(value, kind):
        raise UsageError(f"{name} {_shown(value)}", expected, "correct it")
    return value


def _shown(value: object) -> str:
    """A value that somebody sent, short enough for a sentence."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


@dataclass(frozen=True)
class View:
    """One variant of a result, as the page shows it.

    Attributes:
        after: a JPEG at full size.
        changes: `pictures.Change.overlay`, a PNG.
        most: the change, 1..255, from which on that is brightest.
        facts: what was done, (what, how much), see `results.facts`.
    """

    after: Path
    changes: Path
    most: int
    facts: list[tuple[str, str]]


@dataclass(frozen=True)
class Made:
    """A restored photo, as files.

    Attributes:
        source: the photo that it came from.
        kind: what was done to it, in a word, see `results.KINDS`.
        photos: in the format of the input; several where several variants were asked for.
        papers: their manifests.
        masks: what was filled, where anything was to be, and the regions that got a colour: PNG.
        views: one for each photo.
    """

    source: Opened
    kind: str
    photos: list[Path]
    papers: list[Path]
    masks: list[Path]
    views: list[View]

    @property
    def files(self) -> list[str]:
        """Everything to be downloaded."""
        return [str(path) for path in (*self.photos, *self.papers, *self.masks)]


@dataclass
class Session:
    """The photos and results of one visitor.

    Attributes:
        photos: in the order of the strip.
        shown: the place of the current photo.
        edits: what was painted, by the key of the photo.
        made: the results, by the key of the photo, the oldest first.
        kept: which of them was looked at last, by the key of the photo.
        variant: which variant of the current photo's result is looked at.
        jobs: what is running, with the key of its photo.
        searching: keys of the photos whose damage is being sought, or is to be.
        waiting: whether a restoration waits for that.
        stops: how often Cancel was clicked.
        stopped: it was, and what was running has not ended yet.
        used_s: when the visitor did something last, seconds of the monotonic clock.
    """

    photos: list[Opened] = field(default_factory=list[Opened])
    shown: int = 0
    edits: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    made: dict[str, list[Made]] = field(default_factory=dict[str, list[Made]])
    kept: dict[str, int] = field(default_factory=dict[str, int])
    variant: int = 0
    jobs: list[tuple[str, Job[Any]]] = field(default_factory=list["tuple[str, Job[Any]]"])
    searching: set[str] = field(default_factory=set[str])
    waiting: bool = False
    stops: int = 0
    stopped: bool = False
    used_s: float = field(default_factory=time.monotonic)

    @contextlib.contextmanager
    def running(self, job: Job[Any], photo: Opened) -> Generator[None]:
        """Lets `stop`, and `remove` of its photo, stop a job meanwhile."""
        entry = photo.key, job
        self.jobs.append(entry)
        try:
            yield
        finally:
            self.jobs.remove(entry)

    @property
    def busy(self) -> bool:
        """Whether something runs for this visitor, or waits for what runs."""
        return bool(self.jobs or self.searching or self.waiting)

    def has(self, photo: Opened) -> bool:
        """Whether a photo was not removed."""
        return photo.key in {one.key for one in self.photos}

    def add(self, made: Made) -> None:
        """A new result, which is the one that its photo shows."""
        results = self.made.setdefault(made.source.key, [])
        results.append(made)
        self.kept[made.source.key] = len(results) - 1

    def result(self, photo: Opened) -> Made | None:
        """The result of a photo that was looked at last, None where there is none."""
        results = self.made.get(photo.key)
        return results[self.kept[photo.key]] if results else None

    def choose(self, key: object) -> None:
        """Makes a photo the current one; an unknown key changes nothing."""
        for place, one in enumerate(self.photos):
            if one.key == key:
                self.shown = place

    def take_over(self, other: Session) -> None:
        """Becomes another session, which a page had that was left; without removed photos."""
        for name, value in vars(other).items():
            setattr(self, name, value)
        self.used_s = time.monotonic()
        for one in list(self.photos):
            if not one.path.is_file():
                self.remove(one.key)

    def remove(self, key: object) -> None:
        """Removes a photo, its edits, its results and its work; its neighbour takes its place."""
        place = next((i for i, one in enumerate(self.photos) if one.key == key), None)
        if place is None:
            return
        gone = self.photos.pop(place).key
        for kind in (self.edits, self.made, self.kept):
            kind.pop(gone, None)
        self.searching.discard(gone)
        for owner, job in self.jobs:
            if owner == gone:
                job.stop()
        if place < self.shown or self.shown == len(self.photos):
            self.shown = max(self.shown - 1, 0)

    def stop(self) -> None:
        """Stops what is running."""
        self.stops += 1
        self.stopped = True
        self.searching.clear()
        for _, job in self.jobs:
            job.stop()

    def clear(self) -> None:
        """Removes all photos and results, and stops what is running."""
        self.stop()
        for kind in (self.photos, self.edits, self.made, self.kept):
            kind.clear()
        self.shown = 0

    @property
    def photo(self) -> Opened | None:
        """The current photo, None where there is none."""
        return self.photos[self.shown] if self.photos else None
