"""The state of one visitor (photos, painted edits, results, jobs) and what all visitors share."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unfade.api import Restorer
from unfade.memory import release_memory
from unfade.web.fifo_lock import FifoLock
from unfade.web.job import Job
from unfade.web.limits import Limits
from unfade.web.settings import Settings
from unfade.web.store import Store
from unfade.web.task_queue import TaskQueue


@dataclass(frozen=True)
class AppContext:
    """What all visitors share.

    Attributes:
        detecting, restoring: locks that let one photo at a time be searched, and one restored.
    """

    restorer: Restorer
    store: Store
    limits: Limits
    detecting: FifoLock = field(init=False)
    restoring: FifoLock = field(init=False)

    def __post_init__(self) -> None:
        for name in ("detecting", "restoring"):
            object.__setattr__(self, name, FifoLock(self.limits.queue))


@dataclass(frozen=True)
class OpenedPhoto:
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
        """The file name that the visitor gave it."""
        return self.path.name

    @property
    def key(self) -> str:
        """A unique key, also among photos of the same name."""
        return self.path.parent.name

    @property
    def soft(self) -> Path:
        """The file of the probabilities of damage at full size."""
        return self.path.parent / "detected" / "soft.png"

    @property
    def small(self) -> Path:
        """The photo as a JPEG of `masks.preview_size`."""
        return self.path.parent / "detected" / "small.jpg"

    @property
    def before(self) -> Path:
        """The photo as a JPEG at full size; detection writes it."""
        return self.path.parent / "detected" / "before.jpg"


@dataclass(frozen=True)
class RestoreRequest:
    """The settings and painted edits of one restoration.

    Attributes:
        settings: the controls that affect the task.
        edit: the painted layers that affect the task, see `actions.restore`.
    """

    settings: Settings
    edit: dict[str, Any]


@dataclass(frozen=True)
class View:
    """One variant of a result, as the page shows it.

    Attributes:
        after: a JPEG at full size.
        changes: `changes.Change.overlay`, a PNG.
        full_scale: the change, 1..255, from which on the overlay is brightest.
        facts: what was done, as (name, value), see `results.facts`.
    """

    after: Path
    changes: Path
    full_scale: int
    facts: list[tuple[str, str]]


@dataclass(frozen=True)
class Result:
    """A restored photo, as files.

    Attributes:
        source: the photo that it came from.
        request: its settings and edits.
        kind: one of `results.KINDS`, such as "restored".
        photos: in the format of the input; several where several variants were asked for.
        manifest_paths: their manifests.
        masks: PNG files of what was filled, what was protected, and the regions that got a colour.
        views: one for each photo.
    """

    source: OpenedPhoto
    request: RestoreRequest
    kind: str
    photos: list[Path]
    manifest_paths: list[Path]
    masks: list[Path]
    views: list[View]

    @property
    def files(self) -> list[str]:
        """All files for download."""
        return [str(path) for path in (*self.photos, *self.manifest_paths, *self.masks)]


@dataclass
class Session:
    """The photos, results and jobs of one visitor. Jobs continue when the page is closed.

    Attributes:
        photos: in the order of the strip.
        current: the index of the current photo.
        edits: what the mask editor sent last, by the key of the photo.
        results: the results, by the key of the photo, the oldest first.
        result_index: which of them is shown, by the key of the photo.
        variant: the index of the variant that is shown.
        reading: queue of uploads to read, and of small copies in which to detect damage.
        detecting: queue of photos in which to detect damage at full size.
        restoring: queue of photos to restore.
        jobs: the jobs that run or wait for a lock.
        pending: (key of the photo, request) of the restorations that are not finished.
        failed: error messages, as sentences.
        message: a sentence about the last action.
        used_s: time of the last action of the visitor, seconds of the monotonic clock.
    """

    photos: list[OpenedPhoto] = field(default_factory=list[OpenedPhoto])
    current: int = 0
    edits: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    results: dict[str, list[Result]] = field(default_factory=dict[str, list[Result]])
    result_index: dict[str, int] = field(default_factory=dict[str, int])
    variant: int = 0
    reading: TaskQueue = field(default_factory=TaskQueue)
    detecting: TaskQueue = field(default_factory=TaskQueue)
    restoring: TaskQueue = field(default_factory=TaskQueue)
    jobs: list[Job] = field(default_factory=list[Job])
    pending: list[tuple[str, RestoreRequest]] = field(
        default_factory=list["tuple[str, RestoreRequest]"]
    )
    failed: list[str] = field(default_factory=list[str])
    message: str = ""
    used_s: float = field(default_factory=time.monotonic)

    @property
    def busy(self) -> bool:
        """Whether any task of this visitor runs or waits."""
        queues = (self.reading, self.detecting, self.restoring)
        return any(queue.keys() for queue in queues)

    @property
    def photo(self) -> OpenedPhoto | None:
        """The current photo, None where there is none."""
        return self.photos[self.current] if self.photos else None

    def find(self, key: object) -> OpenedPhoto | None:
        """The photo with a key, None where it was removed."""
        return next((photo for photo in list(self.photos) if photo.key == key), None)

    def replace(self, detected: OpenedPhoto) -> None:
        """Replaces a photo by the same photo with its detected damage."""
        for index, photo in enumerate(self.photos):
            if photo.key == detected.key and not photo.searched:
                self.photos[index] = detected

    def add(self, result: Result) -> None:
        """Adds a result, and shows it for its photo."""
        results = self.results.setdefault(result.source.key, [])
        results.append(result)
        self.result_index[result.source.key] = len(results) - 1

    def result(self, photo: OpenedPhoto) -> Result | None:
        """The shown result of a photo, None if it has none."""
        results = self.results.get(photo.key)
        return results[self.result_index[photo.key]] if results else None

    def find_result(self, key: str, request: RestoreRequest) -> int | None:
        """The index of a result of the same photo and request, None if there is none."""
        results = self.results.get(key, [])
        return next((i for i, result in enumerate(results) if result.request == request), None)

    def fail(self, text: str) -> None:
        """Adds an error message, unless it is there already."""
        if text not in self.failed:
            self.failed.append(text)

    def begin(self) -> None:
        """Starts an action of the visitor: removes the message, and errors if no job runs."""
        self.used_s = time.monotonic()
        self.message = ""
        if not self.busy:
            self.failed.clear()

    @contextlib.contextmanager
    def running(self, job: Job) -> Generator[None]:
        """Registers a job while it runs, so that `stop` and `remove` can stop it."""
        self.jobs.append(job)
        try:
            yield
        finally:
            release_memory()
            self.jobs.remove(job)

    def choose(self, key: object) -> None:
        """Makes a photo the current one; an unknown key changes nothing."""
        for index, photo in enumerate(self.photos):
            if photo.key == key:
                self.current = index
                self.detecting.prefer(photo.key)

    def remove_expired(self) -> None:
        """Removes the photos whose files `Store.sweep` has removed."""
        for photo in list(self.photos):
            if not photo.path.is_file():
                self.remove(photo.key)

    def remove(self, key: object) -> None:
        """Removes a photo with its edits, results and jobs; the next one becomes current."""
        index = next((i for i, photo in enumerate(self.photos) if photo.key == key), None)
        if index is None:
            return
        removed = self.photos.pop(index).key
        for mapping in (self.edits, self.results, self.result_index):
            mapping.pop(removed, None)
        self.pending = [item for item in self.pending if item[0] != removed]
        for queue in (self.reading, self.detecting, self.restoring):
            queue.drop(removed)
        for job in list(self.jobs):
            if job.key == removed:
                job.stop()
        if index < self.current or self.current == len(self.photos):
            self.current = max(self.current - 1, 0)

    def stop(self) -> None:
        """Stops all jobs, and empties the queues."""
        for queue in (self.reading, self.detecting, self.restoring):
            queue.drop()
        self.pending.clear()
        for job in list(self.jobs):
            job.stop()

    def clear(self) -> None:
        """Removes all photos and results, and stops all jobs."""
        self.stop()
        for mapping in (self.photos, self.edits, self.results, self.result_index, self.failed):
            mapping.clear()
        self.current, self.message = 0, ""
