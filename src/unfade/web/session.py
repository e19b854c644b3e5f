"""The state of one visitor: photos, what was painted on them, results, and what runs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unfade.api import Restorer
from unfade.memory import release_memory
from unfade.web.job import Job
from unfade.web.limits import Limits
from unfade.web.line import Line
from unfade.web.settings import Settings
from unfade.web.store import Store
from unfade.web.turns import Turns


@dataclass(frozen=True)
class Desk:
    """What all visitors share.

    Attributes:
        looking, restoring: one photo at a time is searched, and one restored.
    """

    restorer: Restorer
    store: Store
    limits: Limits
    looking: Turns = field(init=False)
    restoring: Turns = field(init=False)

    def __post_init__(self) -> None:
        for name in ("looking", "restoring"):
            object.__setattr__(self, name, Turns(self.limits.queue))


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
class Order:
    """What a restoration of a photo is asked for.

    Attributes:
        settings: of the controls that count.
        edit: what was painted, as far as it counts: see `actions.restore`.
    """

    settings: Settings
    edit: dict[str, Any]


@dataclass(frozen=True)
class View:
    """One variant of a result, as the page shows it.

    Attributes:
        after: a JPEG at full size.
        changes: `changes.Change.overlay`, a PNG.
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
        order: what was asked for.
        kind: what was done to it, in a word, see `results.KINDS`.
        photos: in the format of the input; several where several variants were asked for.
        papers: their manifests.
        masks: what was filled, where anything was to be, and the regions that got a colour: PNG.
        views: one for each photo.
    """

    source: Opened
    order: Order
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
    """The photos and results of one visitor. What runs goes on when the page is left.

    Attributes:
        photos: in the order of the strip.
        shown: the place of the current photo.
        edits: what was painted, by the key of the photo.
        made: the results, by the key of the photo, the oldest first.
        kept: which of them was looked at last, by the key of the photo.
        variant: which variant of the current photo's result is looked at.
        reading: uploads that are read, and small copies in which damage is sought.
        looking: photos whose damage is sought.
        restoring: photos that are restored.
        jobs: what runs, or waits for its turn.
        orders: what waits to be restored, by the key of the photo.
        failed: sentences about what did not work.
        told: a sentence about what was done last.
        used_s: when the visitor did something last, seconds of the monotonic clock.
    """

    photos: list[Opened] = field(default_factory=list[Opened])
    shown: int = 0
    edits: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    made: dict[str, list[Made]] = field(default_factory=dict[str, list[Made]])
    kept: dict[str, int] = field(default_factory=dict[str, int])
    variant: int = 0
    reading: Line = field(default_factory=Line)
    looking: Line = field(default_factory=Line)
    restoring: Line = field(default_factory=Line)
    jobs: list[Job] = field(default_factory=list[Job])
    orders: list[tuple[str, Order]] = field(default_factory=list["tuple[str, Order]"])
    failed: list[str] = field(default_factory=list[str])
    told: str = ""
    used_s: float = field(default_factory=time.monotonic)

    @property
    def busy(self) -> bool:
        """Whether something runs for this visitor, or waits."""
        lines = (self.reading, self.looking, self.restoring)
        return any(line.keys() for line in lines)

    @property
    def photo(self) -> Opened | None:
        """The current photo, None where there is none."""
        return self.photos[self.shown] if self.photos else None

    def find(self, key: object) -> Opened | None:
        """The photo with a key, None where it was removed."""
        return next((one for one in list(self.photos) if one.key == key), None)

    def replace(self, found: Opened) -> None:
        """A photo with the damage that was found takes the place of the one without."""
        for place, one in enumerate(self.photos):
            if one.key == found.key and not one.searched:
                self.photos[place] = found

    def add(self, made: Made) -> None:
        """A new result, which is the one that its photo shows."""
        results = self.made.setdefault(made.source.key, [])
        results.append(made)
        self.kept[made.source.key] = len(results) - 1

    def result(self, photo: Opened) -> Made | None:
        """The result of a photo that was looked at last, None where there is none."""
        results = self.made.get(photo.key)
        return results[self.kept[photo.key]] if results else None

    def finished(self, key: str, order: Order) -> int | None:
        """The place of the result of a photo that was asked for with the same order."""
        results = self.made.get(key, [])
        return next((i for i, one in enumerate(results) if one.order == order), None)

    def fail(self, text: str) -> None:
        """Notes a sentence about what did not work, once."""
        if text not in self.failed:
            self.failed.append(text)

    def begin(self) -> None:
        """The visitor asks for something: what was told before is over."""
        self.used_s = time.monotonic()
        self.told = ""
        if not self.busy:
            self.failed.clear()

    @contextlib.contextmanager
    def running(self, job: Job) -> Generator[None]:
        """Lets `stop`, and `remove` of its photo, stop a job meanwhile."""
        self.jobs.append(job)
        try:
            yield
        finally:
            release_memory()
            self.jobs.remove(job)

    def choose(self, key: object) -> None:
        """Makes a photo the current one; an unknown key changes nothing."""
        for place, one in enumerate(self.photos):
            if one.key == key:
                self.shown = place
                self.looking.prefer(one.key)

    def forget_swept(self) -> None:
        """Removes the photos whose files were removed, as all are after a while."""
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
        self.orders = [one for one in self.orders if one[0] != gone]
        for line in (self.reading, self.looking, self.restoring):
            line.drop(gone)
        for job in list(self.jobs):
            if job.key == gone:
                job.stop()
        if place < self.shown or self.shown == len(self.photos):
            self.shown = max(self.shown - 1, 0)

    def stop(self) -> None:
        """Stops what runs, and forgets what waits."""
        for line in (self.reading, self.looking, self.restoring):
            line.drop()
        self.orders.clear()
        for job in list(self.jobs):
            job.stop()

    def clear(self) -> None:
        """Removes all photos and results, and stops what runs."""
        self.stop()
        for kind in (self.photos, self.edits, self.made, self.kept, self.failed):
            kind.clear()
        self.shown, self.told = 0, ""
