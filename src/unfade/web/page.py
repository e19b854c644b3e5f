"""What happens when something on the page is clicked. One instance serves all visitors."""

from __future__ import annotations

import functools
import html
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import gradio as gr

from unfade.errors import UnfadeError, UsageError
from unfade.options import ExistingColours, Sensitivity, Task
from unfade.web import actions, results
from unfade.web.job import Job, Pace, Stopped
from unfade.web.limits import sentence
from unfade.web.session import (
    Desk,
    Made,
    Opened,
    Session,
    Settings,
    edit_from,
    settings_from,
)
from unfade.web.theme import asset_path
from unfade.web.visits import Visits

logger = logging.getLogger(__name__)
T = TypeVar("T")
Update = Any  # what a component takes as its new value
Updates = dict[str, Update]  # by the name of the component
Edit = dict[str, Any] | None

_STAGES = {
    "wait": "Waiting for a moment",
    "start": "Starting",
    "load": "Loading the generative model",
    "read": "Reading the photo",
    "detect": "Looking for damage",
    "measure": "Measuring the damage",
    "mend": "Mending",
    "enlarge": "Making it larger",
    "diffuse": "Redrawing with the generative model",
    "align": "Comparing with the photo before",
    "hint": "Laying on your colours",
}
#: The words of the buttons, by task.
VERBS = {"old-photo": "Mend", "super-resolution": "Enlarge", "colorize": "Colour"}
_STOPPED = "Stopped. What was not finished is gone."
#: It is seen beside red marks only (page.css).
_READY = (
    '<div class="uf-progress uf-ready" role="status">'
    "Red marks what will be filled in. Change it, or go on.</div>"
)
_GONE = (
    "The server no longer has your photos: it was started again, or an hour has passed. "
    "Please choose them again."
)
_SEARCHING = "Looking for damage"
_WAIT_S = 0.25
_LARGE = 1000  # pixels of the long side, from which on a small copy is searched first
#: Components that the handlers of photos and results fill.
SHOWN = ("upload", "progress", "strip", "editor", "compare", "facts", "versions", "files",
         "history", "restore_all")  # fmt: skip
#: Controls of a task, the buttons, and the words beside them.
FITTED = ("progress", "only_damage", "keep_tone", "scale", "prompt", "idle", "automatic",
          "fidelity", "strength", "steps", "seed", "variants", "restore",
          "restore_all")  # fmt: skip


def text_of(error: Exception) -> str:
    """An error as a sentence; one that nobody expected is logged, and told without detail."""
    if isinstance(error, UnfadeError):
        return sentence(error)
    logger.error("an unexpected error on the page", exc_info=error)
    return "Something went wrong on the server. Try again; if it stays, report it with its log."


def said(function: Callable[..., T]) -> Callable[..., T]:
    """Errors of a handler reach the page, or a program that calls it, as sentences."""

    @functools.wraps(function)
    def call(*arguments: Any) -> T:
        try:
            return function(*arguments)
        except Exception as error:
            text = html.escape(text_of(error), quote=False)
            raise gr.Error(text, title="This did not work", print_exception=False) from error

    return call


def bar(text: str, share: float | None = None, left_s: float | None = None) -> str:
    """A line of text, with a progress bar where a share (0..1) is given.

    Args:
        left_s: how long it still takes; None where that is not known.
    """
    shown = ""
    if share is not None:
        percent = f"{100 * share:.0f} %"
        shown = f'<progress max="1" value="{share:.3f}" aria-label="Progress"></progress>'
        text = f"{text}: {percent}"
    if left_s is not None:
        text += f", about {_duration(left_s)} left"
    return f'<div class="uf-progress" role="status">{shown}<span>{html.escape(text)}</span></div>'


def _duration(seconds: float) -> str:
    """As one says it: 8 s, 40 s, 3 min."""
    if seconds < 90:
        step = 1 if seconds < 20 else 5
        return f"{max(1, step * round(seconds / step))} s"
    return f"{round(seconds / 60)} min"


def alert(text: str) -> str:
    """A line of text that a screen reader speaks at once."""
    return f'<div class="uf-progress uf-alert" role="alert">{html.escape(text)}</div>'


class Page:
    """The handlers of the page. Each gives the new values of components, by their names."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._visits = Visits(desk.store.keep_s)

    # --- photos ------------------------------------------------------------------------------

    def open(self, files: list[str] | None, edit: Edit, session: Session) -> Iterator[Updates]:
        """Opens photos, and then looks for the damage of each. Fills SHOWN.

        A file that cannot be opened is told, and the others go on.
        """
        self._keep(edit, session)
        session.stopped = False
        failed: list[str] = []
        new: list[Opened] = []
        files = files or []
        for number, file in enumerate(files, 1):
            yield {"progress": bar(f"Reading photo {number} of {len(files)}")}
            try:
                self.desk.limits.check_count(len(session.photos) + 1)
                opened = actions.load_photo(self.desk, file)
            except Exception as error:
                failed.append(text_of(error))
                continue
            session.photos.append(opened)
            session.searching.add(opened.key)
            new.append(opened)
            session.choose(new[0].key)
            yield self._look(session) if len(new) == 1 else {"strip": self._strip(session)}
        yield {"upload": None}
        yield from self._search_all(new, session, failed)

    def resume(self, visit: str, session: Session) -> Updates:
        """Finds the photos of a visit again after a reload. Fills SHOWN.

        Args:
            visit: the key of the visit and, after a space, how many photos the page had.
        """
        key, _, count = str(visit).partition(" ")
        known = self._visits.find(key)
        if known is not None:
            session.take_over(known)
        self._visits.keep(key, session)
        if session.photos:
            return self._look(session)
        return {} if count in ("", "0") else {**self._look(session), "progress": alert(_GONE)}

    def resume_search(self, session: Session) -> Iterator[Updates]:
        """After a reload: looks for the damage where that had not ended."""
        yield {}  # of a generator that gives nothing, Gradio makes empty values
        for one in [one for one in session.photos if not one.searched]:
            while one.key in session.searching:  # by the page before; it ends soon
                yield {}
                time.sleep(_WAIT_S)
        left = [one for one in session.photos if not one.searched]
        session.searching.update(one.key for one in left)
        if left:
            yield from self._search_all(left, session, [])

    def _search_all(
        self, photos: Sequence[Opened], session: Session, failed: list[str]
    ) -> Iterator[Updates]:
        """Looks for the damage of photos, and tells what failed."""
        try:
            for number, opened in enumerate(photos, 1):
                count = f", photo {number} of {len(photos)}" if len(photos) > 1 else ""
                yield from self._search(opened, count, session, failed)
        finally:  # the page may have been left
            session.searching.difference_update(one.key for one in photos)
        if not session.stopped:
            ready = _READY if session.photos else ""
            told = alert(" ".join(failed)) if failed else ready
            yield {"progress": told} if not session.waiting else {}

    def _search(
        self, opened: Opened, count: str, session: Session, failed: list[str]
    ) -> Iterator[Updates]:
        """Looks for the damage of one photo, unless it was removed or Cancel was clicked."""
        if opened.key not in session.searching:
            return
        steps = [actions.find_damage]
        if max(opened.height, opened.width) > _LARGE:
            steps.insert(0, actions.glance)
        try:
            for step in steps:
                job = Job(functools.partial(step, self.desk, opened))
                whole, pace = step is actions.find_damage, Pace()
                with session.running(job, opened):
                    for stage, share in job.steps():
                        then = ". Then your photo is restored" if session.waiting else ""
                        left_s = pace.left_s(stage, share) if whole else None
                        yield {
                            "progress": bar(
                                _SEARCHING + count + then, share if whole else None, left_s
                            )
                        }
                found = job.result()
                places = [i for i, one in enumerate(session.photos) if one.key == found.key]
                for place in places:
                    session.photos[place] = found
                if places and session.photo is found:
                    yield {"editor": self._scene(session)}
        except Stopped:
            return
        except Exception as error:
            failed.append(text_of(error))
        finally:
            session.searching.discard(opened.key)

    def example(self, edit: Edit, session: Session) -> Iterator[Updates]:
        """Opens the photo that comes with unfade."""
        folder = self.desk.store.folder()
        copy = folder / "example.jpg"
        copy.write_bytes(asset_path("example.jpg").read_bytes())
        yield from self.open([str(copy)], edit, session)

    def go_on(self, edit: Edit, session: Session) -> Iterator[Updates]:
        """Opens the result on the page as a new photo. Fills SHOWN."""
        made = None if session.photo is None else session.result(session.photo)
        if made is None:
            yield _gone(session)
            return
        yield from self.open([str(made.photos[session.variant])], edit, session)

    def choose(self, edit: Edit, session: Session, event: gr.EventData) -> Updates:
        """Shows another photo, and keeps what was painted on the last one."""
        self._keep(edit, session)
        session.choose(event.key)
        return {**self._look(session), **_told(session), **_gone(session)}

    def remove(self, edit: Edit, session: Session, event: gr.EventData) -> Updates:
        """Removes a photo and its results."""
        self._keep(edit, session)
        gone = _gone(session)
        session.remove(event.key)
        return {**self._look(session), **_told(session), **gone}

    def clear(self, session: Session) -> Updates:
        """Starts over: no photos, no results, nothing that runs."""
        session.clear()
        return {**self._look(session), "progress": ""}

    def _scene(self, session: Session) -> dict[str, Any]:
        opened = session.photo
        if opened is None:
            return {}
        edit = session.edits.get(opened.key)
        return actions.scene(opened, self.desk.restorer.thresholds, edit, self._colour_task)

    @property
    def _colour_task(self) -> Task:
        """The task with which colours can be painted."""
        return "colorize" if "colorize" in self.desk.restorer.tasks else "old-photo"

    def _keep(self, edit: Edit, session: Session) -> None:
        session.used_s = time.monotonic()
        edit = edit_from(edit)
        if edit is not None and edit["id"] in {one.key for one in session.photos}:
            session.edits[edit["id"]] = edit

    def fitting(self, session: Session, task: Task, automatic: bool) -> Updates:
        """Shows what counts for a task, and names it on the buttons. Fills FITTED."""
        counting = self.counting(task, automatic)
        verb = VERBS[task]
        return {name: gr.update(visible=one) for name, one in counting.items()} | {
            "restore": gr.update(value=f"{verb} this photo"),
            "restore_all": gr.update(value=f"{verb} all photos"),
            **_told(session),
        }

    def counting(self, task: Task, automatic: bool) -> dict[str, bool]:
        """Which controls count for a task, and whether the diffusion model stands idle."""
        restorer, mends = self.desk.restorer, task == "old-photo"
        chosen = not automatic
        options = Settings(task=task, automatic=bool(automatic)).options(
            mask="auto", max_pixels=self.desk.limits.max_pixels, diffuses=restorer.diffuses,
        )  # fmt: skip
        acts = restorer.takes_part(options)
        colours = task == "colorize"
        return {
            "only_damage": mends, "keep_tone": mends, "scale": task == "super-resolution",
            "prompt": colours, "idle": restorer.diffuses and not acts and not colours,
            "automatic": restorer.diffuses, "strength": chosen and restorer.diffuses,
            "steps": chosen and restorer.diffuses,
            "fidelity": chosen and restorer.weighs_fidelity and not colours,
            "seed": colours or (acts and chosen), "variants": colours,
        }  # fmt: skip

    def _settings(self, values: Sequence[object]) -> Settings:
        """The values of the controls that are shown, and of the others the defaults."""
        given = settings_from(values)
        counting = self.counting(given.task, given.automatic)
        usual = Settings()
        hidden = {
            name: getattr(usual, name)
            for name in Settings.__dataclass_fields__
            if not counting.get(name, True)
        }
        return replace(given, **hidden)

    # --- restoring ---------------------------------------------------------------------------

    def restore(self, session: Session, edit: Edit, *settings: object) -> Iterator[Updates]:
        """Restores the photo on the page. Fills SHOWN."""
        yield from self._run(session.photos[session.shown :][:1], session, edit, settings)

    def restore_all(self, session: Session, edit: Edit, *settings: object) -> Iterator[Updates]:
        """Restores every photo of the session, the one on the page last. Fills SHOWN."""
        shown = session.photos[session.shown : session.shown + 1]
        rest = [one for one in session.photos if one not in shown]
        yield from self._run([*rest, *shown], session, edit, settings)

    def _run(
        self, photos: Sequence[Opened], session: Session, edit: Edit, values: Sequence[object]
    ) -> Iterator[Updates]:
        failed: list[str] = []
        done: list[Made] = []
        session.stopped, stops = False, session.stops
        try:
            self._keep(edit, session)
            settings = self._settings(values)
            if not photos:
                yield {"progress": alert(_GONE), **self._look(session)}
                return
        except UnfadeError as error:
            yield {"progress": alert(sentence(error))}
            return
        for number, opened in enumerate(photos, 1):
            yield from self._wait(opened, session)
            if session.stops != stops:
                return  # `ended` tells so
            if not session.has(opened):
                continue
            job, pace = self._job(opened, settings, session), Pace()
            count = f" ({opened.name}, {number} of {len(photos)})" if len(photos) > 1 else ""
            try:
                with session.running(job, opened):
                    for stage, share in job.steps():
                        text, left_s = _STAGES.get(stage, stage), pace.left_s(stage, share)
                        yield {"progress": bar(text + count, share, left_s)}
                made = job.result()
                if session.has(opened):
                    session.add(made)
                    done.append(made)
                    yield {"strip": self._strip(session)}
            except Stopped:
                if session.stops != stops:
                    return
            except Exception as error:
                failed.append(text_of(error))
        session.stopped = False
        told = alert(" ".join(failed)) if failed else bar("Done.") if done else ""
        new = session.photo is not None and session.photo.key in {one.source.key for one in done}
        shown = self._results(session, "compare" if new else None) if done else {}
        yield {"progress": told, **shown}

    def _wait(self, opened: Opened, session: Session) -> Iterator[Updates]:
        """Waits until nobody looks for the damage of a photo: it is not looked for twice."""
        session.waiting = True
        try:
            while opened.key in session.searching:
                yield {}
                time.sleep(_WAIT_S)
        finally:
            session.waiting = False

    def _job(self, opened: Opened, settings: Settings, session: Session) -> Job[Made]:
        """The restoration of one photo."""
        usual: dict[str, Any] = {"id": opened.key, "sensitivity": "normal", "layer": ""}
        edit = session.edits.get(opened.key) or usual
        if settings.task != self._colour_task:
            edit = edit | {"tints": "", "colours": ""}  # they are not shown either
        refreshes = opened.coloured and settings.existing_colours == "refresh"
        if settings.task == "colorize" and refreshes:  # all else is not shown
            settings = Settings("colorize")
        return Job(functools.partial(actions.restore, self.desk, opened, settings, edit))

    def stop(self, session: Session) -> None:
        """Ends what is running; Gradio ends what waits in its queue."""
        session.stop()

    def ended(self, session: Session) -> Updates:
        """Once work has ended in any way: tells that it was stopped, if it was. Fills SHOWN.

        Only now does Gradio take the next click on the same button.
        """
        if not session.stopped or session.jobs:
            return {}
        session.stopped = False
        told = {"progress": bar(_STOPPED), "upload": None} if session.photos else {"upload": None}
        return {**told, **self._results(session, None)}

    # --- looking at photos and results -------------------------------------------------------

    def _look(self, session: Session) -> Updates:
        """All that belongs to the current photo."""
        shown = None if session.photo is None else session.result(session.photo)
        view = "edit" if shown is None else "compare"
        return {"editor": self._scene(session), **self._results(session, view)}

    def _strip(self, session: Session, view: str | None = None) -> dict[str, Any]:
        """The photos to choose from.

        Args:
            view: "edit" shows the current photo, "compare" its result, None the same as before.
        """
        photos = [
            {"key": one.key, "name": one.name, "thumb": one.thumb_url,
             "done": session.result(one) is not None, "coloured": one.coloured}
            for one in session.photos
        ]  # fmt: skip
        shown = "" if session.photo is None else session.photo.key
        return {"photos": photos, "shown": shown, "view": view}

    def _results(self, session: Session, view: str | None) -> Updates:
        """The strip, and the result of the current photo."""
        photo = session.photo
        made = None if photo is None else session.result(photo)
        session.variant = 0
        several = gr.update(visible=len(session.photos) > 1)
        common = {"strip": self._strip(session, view), "restore_all": several}
        if photo is None or made is None:
            hidden = gr.update(visible=False)
            return {**common, "compare": {}, "facts": "", "files": None, "versions": hidden,
                    "history": hidden}  # fmt: skip
        views = [(str(one.after), f"Version {i}") for i, one in enumerate(made.views, 1)]
        past = [
            (str(one.views[0].after), f"Result {i}: {one.kind}")
            for i, one in enumerate(session.made[photo.key], 1)
        ]
        return {
            **common, **_compared(made, 0), "files": made.files,
            "versions": gr.update(value=views, visible=len(views) > 1, selected_index=None),
            "history": gr.update(value=past, visible=len(past) > 1, selected_index=None),
        }  # fmt: skip

    def variant(self, session: Session, event: gr.SelectData) -> Updates:
        """Another variant of the result on the page."""
        made = None if session.photo is None else session.result(session.photo)
        if made is None:
            return {}
        session.variant = min(max(int(event.index), 0), len(made.views) - 1)
        return _compared(made, session.variant)

    def again(self, session: Session, event: gr.SelectData) -> Updates:
        """Shows an earlier result of the photo; the row to choose from stays as it is."""
        photo = session.photo
        if photo is None or not session.made.get(photo.key):
            return {}
        last = len(session.made[photo.key]) - 1
        session.kept[photo.key] = min(max(int(event.index), 0), last)
        shown = self._results(session, None)
        del shown["history"]
        return {**shown, **_told(session)}

    def pack(self, session: Session) -> str:
        """The zip of all results of all photos."""
        made = [one for photo in session.photos for one in session.made.get(photo.key, [])]
        return str(results.pack(self.desk, made))

    # --- without the page --------------------------------------------------------------------

    def api_detect(
        self, photo: str | None, threshold: float | None = None,
        sensitivity: Sensitivity = "normal", protect: str | None = None,
    ) -> str:  # fmt: skip
        """The damage of a photo as a mask: PNG, 255 = damaged."""
        if photo is None:
            raise UsageError("no photo", "a photo", "upload one")
        mask = actions.detect_upload(
            self.desk, photo, threshold, sensitivity=sensitivity, protect=protect
        )
        return str(mask)

    def api_restore(
        self, photo: str | None, mask: str | None = None, threshold: float | None = None,
        task: Task = Settings.task, only_damage: bool = Settings.only_damage,
        keep_tone: bool = Settings.keep_tone, prompt: str = Settings.prompt,
        automatic: bool = Settings.automatic, fidelity: float = Settings.fidelity,
        strength: float = Settings.strength, steps: float = Settings.steps,
        seed: float = Settings.seed, variants: float = Settings.variants,
        scale: float = Settings.scale,
        existing_colours: ExistingColours = Settings.existing_colours,
        regions: list[str] | None = None, colours: str = "",
        sensitivity: Sensitivity = "normal", protect: str | None = None,
    ) -> list[str]:  # fmt: skip
        """Restores a photo: the photo in its own format, then its manifest.

        `colours` names one for each mask of `regions`, with commas between them.
        """
        if photo is None:
            raise UsageError("no photo", "a photo", "upload one")
        chosen = settings_from(
            (task, only_damage, keep_tone, prompt, automatic, fidelity, strength, steps, seed,
             variants, scale, existing_colours)
        )  # fmt: skip
        named = [word.strip() for word in str(colours).split(",") if word.strip()]
        if len(named) != len(regions or []):
            got = f"{len(regions or [])} regions and {len(named)} colours"
            raise UsageError(got, "as many of both", "name one colour for each region")
        painted = list(zip(regions or [], named, strict=True))
        files = actions.restore_upload(
            self.desk, photo, mask, chosen, threshold, painted, sensitivity=sensitivity,
            protect=protect,
        )  # fmt: skip
        return [str(file) for file in files]


def _gone(session: Session) -> Updates:
    """Tells that a page shows photos that the server does not have."""
    return {} if session.photos else {"progress": alert(_GONE)}


def _told(session: Session) -> Updates:
    """The words that fit the current photo, in place of those about what was done before.

    What runs says by itself how far it is.
    """
    if session.busy:
        return {}
    photo = session.photo
    return {"progress": _READY if photo is not None and photo.searched else ""}


def _compared(made: Made, variant: int) -> Updates:
    """A variant of a result beside its photo, and what was done to it."""
    view = made.views[variant]
    source = made.source
    rows = "".join(
        f"<dt>{html.escape(what)}</dt><dd>{html.escape(much)}</dd>" for what, much in view.facts
    )
    compared = {
        "before": str(source.before), "after": str(view.after), "changes": str(view.changes),
        "most": view.most, "width": source.width, "height": source.height,
    }  # fmt: skip
    return {"compare": compared, "facts": f'<dl class="uf-facts">{rows}</dl>'}
