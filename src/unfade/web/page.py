"""What happens when something on the page is clicked. One instance serves all visitors."""

from __future__ import annotations

import functools
import html
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, cast

import gradio as gr

from unfade.errors import UnfadeError, UsageError
from unfade.options import Sensitivity, Task
from unfade.web import actions, results
from unfade.web.job import Job, Stopped
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

logger = logging.getLogger(__name__)
T = TypeVar("T")
Update = Any  # what a component takes as its new value
Edit = dict[str, Any] | None

_STAGES = {
    "wait": "Waiting for a moment",
    "start": "Starting",
    "load": "Loading the diffusion model",
    "read": "Reading the photo",
    "detect": "Looking for damage",
    "measure": "Measuring the damage",
    "mend": "Mending",
    "enlarge": "Making it larger",
    "diffuse": "Restoring with the diffusion model",
    "align": "Comparing with the original",
    "hint": "Laying on your colours",
}
_STOPPED = "Stopped. What was not finished is gone."
#: What a handler that shows a result fills, in this order.
RESULTS = ("progress", "compare", "words", "heat", "change", "variants", "files", "history")


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


def bar(text: str, share: float | None = None) -> str:
    """A line of text, with a progress bar where a share (0..1) is given."""
    shown = ""
    if share is not None:
        percent = f"{100 * share:.0f} %"
        shown = f'<progress max="1" value="{share:.3f}" aria-label="Progress"></progress>'
        text = f"{text}: {percent}"
    return f'<div class="uf-progress" role="status">{shown}<span>{html.escape(text)}</span></div>'


def alert(text: str) -> str:
    """A line of text that a screen reader speaks at once."""
    return f'<div class="uf-progress uf-alert" role="alert">{html.escape(text)}</div>'


class Page:
    """The handlers of the page."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    # --- photos in ---------------------------------------------------------------------------

    def open(self, files: list[str] | None, session: Session) -> Iterator[tuple[Update, ...]]:
        """Opens photos, one after the other: (upload, progress, chooser, editor).

        A file that cannot be opened is told, and the others go on.
        """
        failed: list[str] = []
        files = files or []
        for number, file in enumerate(files, 1):
            label = f"Looking for damage, photo {number} of {len(files)}"
            try:
                self.desk.limits.check_count(len(session.photos) + 1)
                job = Job(functools.partial(actions.open_photo, self.desk, file))
                for _, share in job.steps():
                    yield _skip(), bar(label, share), _skip(), _skip()
                session.photos.append(job.result())
            except Exception as error:
                failed.append(text_of(error))
                continue
            if len(session.photos) == 1:
                yield _skip(), bar(label), _skip(), self._scene(session)
        ready = "Red marks what will be filled in. Change it, or restore."
        told = alert(" ".join(failed)) if failed else bar(ready)
        yield None, told, self._chooser(session), _skip()

    def example(self, session: Session) -> Iterator[tuple[Update, ...]]:
        """Opens the photo that comes with unfade."""
        folder = self.desk.store.folder()
        copy = folder / "example.jpg"
        copy.write_bytes(asset_path("example.jpg").read_bytes())
        yield from self.open([str(copy)], session)

    def choose(self, index: int, edit: Edit, session: Session) -> Update:
        """Shows another photo, and keeps what was painted on the last one."""
        self._keep(edit, session)
        session.shown = min(max(int(index), 0), len(session.photos) - 1)
        return self._scene(session)

    def _scene(self, session: Session) -> dict[str, Any]:
        opened = session.photo
        edit = session.edits.get(opened.key)
        return actions.scene(opened, self.desk.restorer.thresholds, edit)

    def _keep(self, edit: Edit, session: Session) -> None:
        edit = edit_from(edit)
        if edit is not None and edit["id"] in {one.key for one in session.photos}:
            session.edits[edit["id"]] = edit

    def _chooser(self, session: Session) -> Update:
        choices = [(f"{i}: {one.name}", i - 1) for i, one in enumerate(session.photos, 1)]
        return gr.update(choices=choices, value=session.shown, visible=len(choices) > 1)

    def several(self, session: Session) -> Update:
        """Shows the button that restores all photos, where there are several."""
        return gr.update(visible=len(session.photos) > 1)

    def fitting(self, task: Task, automatic: bool) -> tuple[Update, ...]:
        """Shows what counts for a task: the controls of `counting`, in their order."""
        return tuple(gr.update(visible=one) for one in self.counting(task, automatic).values())

    def counting(self, task: Task, automatic: bool) -> dict[str, bool]:
        """Which controls count for a task, and whether the diffusion model stands idle."""
        restorer, enlarges = self.desk.restorer, task == "super-resolution"
        options = Settings(task=task, automatic=bool(automatic)).options(
            mask="auto", max_pixels=self.desk.limits.max_pixels, diffuses=restorer.diffuses,
        )  # fmt: skip
        acts = restorer.takes_part(options)
        return {
            "only_damage": not enlarges, "keep_tone": not enlarges, "scale": enlarges,
            "prompt": acts and not enlarges, "idle": restorer.diffuses and not acts,
            "fidelity": task != "colorize",
        }  # fmt: skip

    # --- restoring ---------------------------------------------------------------------------

    def restore(
        self, session: Session, edit: Edit, *settings: object
    ) -> Iterator[tuple[Update, ...]]:
        """Restores the photo on the page; yields RESULTS."""
        yield from self._run(session.photos[session.shown :][:1], session, edit, settings)

    def restore_all(
        self, session: Session, edit: Edit, *settings: object
    ) -> Iterator[tuple[Update, ...]]:
        """Restores every photo of the session, the one on the page last, so that it stays."""
        shown = session.photos[session.shown : session.shown + 1]
        rest = [one for one in session.photos if one not in shown]
        yield from self._run([*rest, *shown], session, edit, settings)

    def _run(
        self, photos: Sequence[Opened], session: Session, edit: Edit, values: Sequence[object]
    ) -> Iterator[tuple[Update, ...]]:
        failed: list[str] = []
        done: list[Made] = []
        session.stopped = False
        try:
            self._keep(edit, session)
            settings = settings_from(values)
            if not photos:
                raise UsageError("no photo", "a photo to restore", "choose one first")
        except UnfadeError as error:
            yield alert(sentence(error)), *_same()
            return
        for number, opened in enumerate(photos, 1):
            job = self._job(opened, settings, session)
            count = f" ({opened.name}, {number} of {len(photos)})" if len(photos) > 1 else ""
            try:
                for stage, share in job.steps():
                    yield bar(_STAGES.get(stage, stage) + count, share), *_same()
                done.append(job.result())
                session.add(done[-1])
            except Stopped:
                return  # `ended` tells so
            except Exception as error:
                failed.append(text_of(error))
            finally:
                session.job = None
        session.stopped = False
        told = alert(" ".join(failed)) if failed else bar("Done.")
        yield told, *(self._results(session, done[-1]) if done else _same())

    def _job(self, opened: Opened, settings: Settings, session: Session) -> Job[Made]:
        """The restoration of one photo, which `stop` ends."""
        usual = {"id": opened.key, "sensitivity": "normal", "layer": ""}
        edit = session.edits.get(opened.key) or usual
        job = Job(functools.partial(actions.restore, self.desk, opened, settings, edit))
        session.job = job
        return job

    def _results(self, session: Session, made: Made) -> tuple[Update, ...]:
        views = [(str(view), f"Variant {i}") for i, view in enumerate(made.views, 1)]
        past = [(str(one.views[0]), one.source.name) for one in session.made]
        return (
            _compared(made, 0),
            f"<p>{html.escape(made.words)}</p>",
            str(made.heats[0]),
            str(made.change),
            gr.update(value=views, visible=len(views) > 1, selected_index=None),
            made.files,
            gr.update(value=past, visible=True, selected_index=None),
        )

    def stop(self, session: Session) -> None:
        """Ends what is running; Gradio ends what waits in its queue."""
        session.stopped = True
        if session.job is not None:
            session.job.stop()

    def ended(self, session: Session) -> tuple[Update, ...]:
        """Once a restoration has ended in any way: tells that it was stopped, if it was.

        Only now does Gradio take the next click on the same button. Yields RESULTS.
        """
        if not session.stopped:
            return _skip(), *_same()
        session.stopped = False
        shown = self._results(session, session.made[session.at]) if session.made else _same()
        return bar(_STOPPED), *shown

    # --- looking at results ------------------------------------------------------------------

    def variant(self, session: Session, event: gr.SelectData) -> tuple[Update, ...]:
        """Another variant of the result on the page: (compare, heat)."""
        made, index = session.made[session.at], int(event.index)
        return _compared(made, index), str(made.heats[index])

    def again(self, session: Session, event: gr.SelectData) -> tuple[Update, ...]:
        """Shows an earlier result; the row to choose from stays as it is."""
        shown = self._results(session, session.look(int(event.index)))
        return *shown[:-1], _skip()

    def pack(self, session: Session) -> str:
        """The zip of all photos, each with the result that was looked at last."""
        return str(results.pack(self.desk, [session.made[i] for i in session.kept.values()]))

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
        scale: float = Settings.scale, regions: list[str] | None = None, colours: str = "",
        sensitivity: Sensitivity = "normal", protect: str | None = None,
    ) -> list[str]:  # fmt: skip
        """Restores a photo: the photo in its own format, then its manifest.

        `colours` names one for each mask of `regions`, with commas between them.
        """
        if photo is None:
            raise UsageError("no photo", "a photo", "upload one")
        chosen = settings_from(
            (task, only_damage, keep_tone, prompt, automatic, fidelity, strength, steps, seed,
             variants, scale)
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


def _skip() -> Update:
    """Leaves a component as it is. Gradio takes the mark apart: each needs its own."""
    return cast(Any, gr).skip()


def _same() -> tuple[Update, ...]:
    return tuple(_skip() for _ in RESULTS[1:])


def _compared(made: Made, variant: int) -> dict[str, Any]:
    view = made.views[min(variant, len(made.views) - 1)]
    source = made.source
    return {
        "before": str(source.before), "after": str(view),
        "width": source.width, "height": source.height,
    }  # fmt: skip
