"""The event handlers of the page. One instance serves all visitors.

Reading, detection and restoring run in background threads (`unfade.web.detection`,
`unfade.web.restoration`): a click starts them, and the page calls `Page.poll` until they are done.
"""

from __future__ import annotations

import functools
import html
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import gradio as gr

from unfade.options import Task
from unfade.web import actions, results
from unfade.web.detection import DetectionWorker
from unfade.web.restoration import RestoreWorker
from unfade.web.session import AppContext, OpenedPhoto, Result, Session
from unfade.web.settings import Settings, edit_from, settings_from
from unfade.web.status import STOPPED, error_text, lost, status
from unfade.web.theme import asset_path
from unfade.web.visits import Visits

T = TypeVar("T")
Update = Any  # the new value of a component
Updates = dict[str, Update]  # by the name of the component
Edit = dict[str, Any] | None

#: The labels of the buttons, by task.
VERBS = {"old-photo": "Mend", "super-resolution": "Enlarge", "colorize": "Colour"}
#: Components that the handlers of photos and results update.
PHOTO_COMPONENTS = (
    "upload",
    "progress",
    "strip",
    "editor",
    "compare",
    "facts",
    "versions",
    "files",
    "history",
    "restore_all",
)
#: Components that depend on the task: controls, buttons, and the text beside them.
TASK_COMPONENTS = (
    "progress", "only_damage", "keep_tone", "scale", "sharp", "prompt", "idle", "automatic",
    "fidelity", "strength", "steps", "seed", "variants", "restore", "restore_all",
)  # fmt: skip


@dataclass
class Tab:
    """One open page.

    Attributes:
        session: the visitor's, which outlives the page; None before `Page.attach`.
        fresh: whether the server had no session of this visit, and nothing was opened since.
        strip, scene, result: what the page showed at the last update, to detect changes.
    """

    session: Session | None = None
    fresh: bool = False
    strip: object = None
    scene: object = None
    result: object = field(default=None, repr=False)

    @property
    def visitor(self) -> Session:
        """The session, once the tab has one."""
        assert self.session is not None, "a handler was called before `Page.attach`"
        return self.session


def errors_as_sentences(function: Callable[..., T]) -> Callable[..., T]:
    """Wraps a handler so that its errors reach the page, or an API client, as sentences."""

    @functools.wraps(function)
    def call(*arguments: Any) -> T:
        try:
            return function(*arguments)
        except Exception as error:
            text = html.escape(error_text(error), quote=False)
            raise gr.Error(text, title="This did not work", print_exception=False) from error

    return call


class Page:
    """The handlers of the page. Each returns the new values of components, by their names."""

    def __init__(self, context: AppContext) -> None:
        self.context = context
        self._search = DetectionWorker(context)
        self._work = RestoreWorker(context, self._search)
        self._visits = Visits(context.store.keep_s)

    # --- the visit ---------------------------------------------------------------------------

    def attach(self, tab: Tab, visit: str) -> None:
        """Gives a tab the session of its visit, before each handler, since Gradio drops tabs.

        Args:
            visit: the key of the visit and, after a space, how many photos the page had.
        """
        key = str(visit).partition(" ")[0]
        if tab.session is None:
            session = self._visits.find(key)
            tab.session, tab.fresh = session or Session(), session is None
        self._visits.keep(key, tab.session)

    def resume(self, tab: Tab, visit: str) -> Updates:
        """Shows photos, results and jobs again after a reload. Updates PHOTO_COMPONENTS."""
        tab.visitor.remove_expired()
        if tab.visitor.photos or tab.visitor.busy:
            return self._current_photo(tab)
        count = str(visit).partition(" ")[2]
        return {} if count in ("", "0") else {**self._current_photo(tab), "progress": lost()}

    def poll(self, tab: Tab) -> Updates:
        """Updates what has changed since the last update. Updates PHOTO_COMPONENTS."""
        session = tab.visitor
        if tab.fresh:  # the server was started again
            return {**self._current_photo(tab), "progress": lost()}
        session.used_s = time.monotonic()
        new: Updates = {"progress": status(session)}
        if tab.scene != _scene_of(session):
            new["editor"] = self._scene(tab)
        if tab.result != _result_of(session):
            return {**new, **self._results(tab, "compare")}
        if tab.strip != _strip_of(session):
            new |= self._strip(tab, None)
        return new

    def save_edit(self, tab: Tab, edit: Edit) -> None:
        """Stores what was painted, so that a reload of the page shows it again."""
        session = tab.visitor
        session.used_s = time.monotonic()
        edit = edit_from(edit)
        if edit is not None and session.find(edit["id"]) is not None:
            session.edits[edit["id"]] = edit

    # --- photos ------------------------------------------------------------------------------

    def open(self, tab: Tab, files: list[str] | None, edit: Edit) -> Updates:
        """Opens photos, and starts to detect their damage. Updates PHOTO_COMPONENTS."""
        self.save_edit(tab, edit)
        session = tab.visitor
        session.begin()
        tab.fresh = False
        self._search.open(session, files or [])
        return {"upload": None, "progress": status(session)}

    def example(self, tab: Tab, edit: Edit) -> Updates:
        """Opens the photo that comes with unfade."""
        copy = self.context.store.folder() / "example.jpg"
        copy.write_bytes(asset_path("example.jpg").read_bytes())
        return self.open(tab, [str(copy)], edit)

    def open_result(self, tab: Tab, edit: Edit) -> Updates:
        """Opens the result on the page as a new photo. Updates PHOTO_COMPONENTS."""
        session = tab.visitor
        result = None if session.photo is None else session.result(session.photo)
        if result is None:
            return _photos_lost(session)
        return self.open(tab, [str(result.photos[session.variant])], edit)

    def choose(self, tab: Tab, edit: Edit, event: gr.EventData) -> Updates:
        """Shows another photo, and stores what was painted on the last one."""
        self.save_edit(tab, edit)
        session = tab.visitor
        session.begin()
        session.choose(event.key)
        return {**self._current_photo(tab), **_photos_lost(session)}

    def remove(self, tab: Tab, edit: Edit, event: gr.EventData) -> Updates:
        """Removes a photo and its results."""
        self.save_edit(tab, edit)
        session = tab.visitor
        missing = _photos_lost(session)
        session.begin()
        session.remove(event.key)
        return {**self._current_photo(tab), **missing}

    def clear(self, tab: Tab) -> Updates:
        """Removes all photos and results, and stops all jobs."""
        tab.visitor.clear()
        return self._current_photo(tab)

    # --- work --------------------------------------------------------------------------------

    def restore(self, tab: Tab, edit: Edit, *settings: object) -> Updates:
        """Restores the photo on the page. Updates PHOTO_COMPONENTS."""
        photos = tab.visitor.photos[tab.visitor.current :][:1]
        return self._start(photos, tab, edit, settings)

    def restore_all(self, tab: Tab, edit: Edit, *settings: object) -> Updates:
        """Restores all photos, the current one last. Updates PHOTO_COMPONENTS."""
        current = tab.visitor.photo
        others = [photo for photo in tab.visitor.photos if photo is not current]
        return self._start([*others, *([] if current is None else [current])], tab, edit, settings)

    def _start(
        self, photos: Sequence[OpenedPhoto], tab: Tab, edit: Edit, values: Sequence[object]
    ) -> Updates:
        self.save_edit(tab, edit)
        session, settings = tab.visitor, self._settings(values)
        if not photos:
            return {**self._current_photo(tab), **_photos_lost(session)}
        session.begin()
        self._work.start(session, photos, settings)
        return {**self._results(tab, None if session.busy else "compare"),
                "progress": status(session)}  # fmt: skip

    def stop(self, tab: Tab) -> Updates:
        """Stops all jobs. Updates PHOTO_COMPONENTS."""
        session = tab.visitor
        if session.busy:
            session.stop()
            session.message = STOPPED
        return {"upload": None, "progress": status(session)}

    # --- controls ----------------------------------------------------------------------------

    def update_controls(self, tab: Tab, task: Task, automatic: bool) -> Updates:
        """Shows the controls of a task, and labels the buttons. Updates TASK_COMPONENTS."""
        visible = self.visible_controls(task, automatic)
        verb = VERBS[task]
        tab.visitor.begin()
        return {name: gr.update(visible=value) for name, value in visible.items()} | {
            "restore": gr.update(value=f"{verb} this photo"),
            "restore_all": gr.update(value=f"{verb} all photos"),
            "progress": status(tab.visitor),
        }

    def visible_controls(self, task: Task, automatic: bool) -> dict[str, bool]:
        """Whether each component is visible; "idle" tells that the diffusion model does not run."""
        restorer, old_photo = self.context.restorer, task == "old-photo"
        chosen = not automatic
        options = Settings(task=task, automatic=bool(automatic)).options(
            mask="auto",
            max_pixels=self.context.limits.max_pixels,
            diffuses=restorer.diffuses,
        )
        acts = restorer.takes_part(options)
        colours = task == "colorize"
        return {
            "only_damage": old_photo, "keep_tone": old_photo, "scale": task == "super-resolution",
            "sharp": task == "super-resolution" and restorer.adds_texture,
            "prompt": colours, "idle": restorer.diffuses and not acts and not colours,
            "automatic": restorer.diffuses, "strength": chosen and restorer.diffuses,
            "steps": chosen and restorer.diffuses,
            "fidelity": chosen and restorer.weighs_fidelity and not colours,
            "seed": colours or (acts and chosen), "variants": colours,
        }  # fmt: skip

    def _settings(self, values: Sequence[object]) -> Settings:
        """The values of the visible controls, and the defaults of the others."""
        settings = settings_from(values)
        visible = self.visible_controls(settings.task, settings.automatic)
        defaults = Settings()
        hidden = {
            name: getattr(defaults, name)
            for name in Settings.__dataclass_fields__
            if not visible.get(name, True)
        }
        return replace(settings, **hidden)

    # --- looking at photos and results -------------------------------------------------------

    def _current_photo(self, tab: Tab) -> Updates:
        """All components of the current photo."""
        session = tab.visitor
        result = None if session.photo is None else session.result(session.photo)
        view = "edit" if result is None else "compare"
        return {"editor": self._scene(tab), **self._results(tab, view),
                "progress": status(session)}  # fmt: skip

    def _scene(self, tab: Tab) -> dict[str, Any]:
        """The current photo for the editor."""
        session = tab.visitor
        tab.scene = _scene_of(session)
        photo = session.photo
        if photo is None:
            return {}
        edit = session.edits.get(photo.key)
        thresholds = self.context.restorer.thresholds
        return actions.scene(photo, thresholds, edit, actions.colour_task(self.context))

    def _strip(self, tab: Tab, view: str | None) -> Updates:
        """The strip of photos, and the button that restores all of them.

        Args:
            view: "edit" shows the current photo, "compare" its result, None the same as before.
        """
        session = tab.visitor
        tab.strip = _strip_of(session)
        photos = [
            {"key": photo.key, "name": photo.name, "thumb": photo.thumb_url,
             "done": session.result(photo) is not None, "coloured": photo.coloured}
            for photo in session.photos
        ]  # fmt: skip
        current = "" if session.photo is None else session.photo.key
        several = gr.update(visible=len(session.photos) > 1)
        return {"strip": {"photos": photos, "shown": current, "view": view}, "restore_all": several}

    def _results(self, tab: Tab, view: str | None) -> Updates:
        """The strip, and the result of the current photo."""
        session = tab.visitor
        tab.result = _result_of(session)
        photo = session.photo
        result = None if photo is None else session.result(photo)
        session.variant = 0
        strip = self._strip(tab, view)
        if photo is None or result is None:
            hidden = gr.update(visible=False)
            return {**strip, "compare": {}, "facts": "", "files": None, "versions": hidden,
                    "history": hidden}  # fmt: skip
        views = [(str(variant.after), f"Version {i}") for i, variant in enumerate(result.views, 1)]
        past = [
            (str(earlier.views[0].after), f"Result {i}: {earlier.kind}")
            for i, earlier in enumerate(session.results[photo.key], 1)
        ]
        return {
            **strip, **_comparison(result, 0), "files": result.files,
            "versions": gr.update(value=views, visible=len(views) > 1, selected_index=None),
            "history": gr.update(value=past, visible=len(past) > 1, selected_index=None),
        }  # fmt: skip

    def variant(self, tab: Tab, event: gr.SelectData) -> Updates:
        """Shows another variant of the current result."""
        session = tab.visitor
        result = None if session.photo is None else session.result(session.photo)
        if result is None:
            return {}
        session.variant = min(max(int(event.index), 0), len(result.views) - 1)
        return _comparison(result, session.variant)

    def show_result(self, tab: Tab, event: gr.SelectData) -> Updates:
        """Shows an earlier result of the photo."""
        session = tab.visitor
        photo = session.photo
        if photo is None or not session.results.get(photo.key):
            return {}
        session.begin()
        last = len(session.results[photo.key]) - 1
        session.result_index[photo.key] = min(max(int(event.index), 0), last)
        updates = self._results(tab, None)
        del updates["history"]
        return {**updates, "progress": status(session)}

    def pack(self, tab: Tab) -> str:
        """The zip of all results of all photos."""
        session = tab.visitor
        all_results = [
            result for photo in session.photos for result in session.results.get(photo.key, [])
        ]
        return str(results.pack(self.context, all_results))


def _photos_lost(session: Session) -> Updates:
    """The status of a page whose photos the server does not have."""
    return {} if session.photos else {"progress": lost()}


def _scene_of(session: Session) -> object:
    """What the editor depends on, to detect changes."""
    photo = session.photo
    return None if photo is None else (photo.key, photo.mask_url, photo.searched)


def _strip_of(session: Session) -> object:
    """What the strip depends on, to detect changes."""
    return [
        (photo.key, session.result(photo) is not None) for photo in session.photos
    ], session.current


def _result_of(session: Session) -> object:
    """What the result view depends on, to detect changes."""
    result = None if session.photo is None else session.result(session.photo)
    return None if result is None else result.photos


def _comparison(result: Result, variant: int) -> Updates:
    """The before/after comparison of a variant, and the table of what was done."""
    view = result.views[variant]
    source = result.source
    rows = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in view.facts
    )
    compared = {
        "before": str(source.before), "after": str(view.after), "changes": str(view.changes),
        "most": view.full_scale, "width": source.width, "height": source.height,
    }  # fmt: skip
    return {"compare": compared, "facts": f'<dl class="uf-facts">{rows}</dl>'}
