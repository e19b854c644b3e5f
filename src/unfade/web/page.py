"""What happens when something on the page is clicked. One instance serves all visitors.

Reading, searching and restoring go on beside all this (`unfade.web.search`, `unfade.web.work`): a
click starts them, and `Page.tick` shows what came of them until nothing runs any more.
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
from unfade.web.search import Search
from unfade.web.session import Desk, Made, Opened, Session
from unfade.web.settings import Settings, edit_from, settings_from
from unfade.web.status import STOPPED, lost, status, text_of
from unfade.web.theme import asset_path
from unfade.web.visits import Visits
from unfade.web.work import Work

T = TypeVar("T")
Update = Any  # what a component takes as its new value
Updates = dict[str, Update]  # by the name of the component
Edit = dict[str, Any] | None

#: The words of the buttons, by task.
VERBS = {"old-photo": "Mend", "super-resolution": "Enlarge", "colorize": "Colour"}
#: Components that the handlers of photos and results fill.
SHOWN = ("upload", "progress", "strip", "editor", "compare", "facts", "versions", "files",
         "history", "restore_all")  # fmt: skip
#: Controls of a task, the buttons, and the words beside them.
FITTED = ("progress", "only_damage", "keep_tone", "scale", "prompt", "idle", "automatic",
          "fidelity", "strength", "steps", "seed", "variants", "restore",
          "restore_all")  # fmt: skip


@dataclass
class Tab:
    """One open page.

    Attributes:
        session: the visitor's, which outlives the page; None before `Page.attach`.
        fresh: whether the server knew no session of this visit, and nothing was opened since.
        strip, scene, result: what the page shows, to tell what is new: photos and which of them
            are done, the current photo and its mask, its result.
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


class Page:
    """The handlers of the page. Each gives the new values of components, by their names."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._search = Search(desk)
        self._work = Work(desk, self._search)
        self._visits = Visits(desk.store.keep_s)

    # --- the visit ---------------------------------------------------------------------------

    def attach(self, tab: Tab, visit: str) -> None:
        """Gives a tab the session of its visit: before each handler, since Gradio forgets tabs.

        Args:
            visit: the key of the visit and, after a space, how many photos the page had.
        """
        key = str(visit).partition(" ")[0]
        if tab.session is None:
            known = self._visits.find(key)
            tab.session, tab.fresh = known or Session(), known is None
        self._visits.keep(key, tab.session)

    def resume(self, tab: Tab, visit: str) -> Updates:
        """Shows photos, results and work of a visit again after a reload. Fills SHOWN."""
        tab.visitor.forget_swept()
        if tab.visitor.photos or tab.visitor.busy:
            return self._look(tab)
        count = str(visit).partition(" ")[2]
        return {} if count in ("", "0") else {**self._look(tab), "progress": lost()}

    def tick(self, tab: Tab) -> Updates:
        """Shows what is new since the page was told last. Fills SHOWN."""
        session = tab.visitor
        if tab.fresh:  # the server was started again
            return {**self._look(tab), "progress": lost()}
        session.used_s = time.monotonic()
        new: Updates = {"progress": status(session)}
        if tab.scene != _scene_of(session):
            new["editor"] = self._scene(tab)
        if tab.result != _result_of(session):
            return {**new, **self._results(tab, "compare")}
        if tab.strip != _strip_of(session):
            new |= self._strip(tab, None)
        return new

    def keep(self, tab: Tab, edit: Edit) -> None:
        """Keeps what was painted: it is there after a reload."""
        session = tab.visitor
        session.used_s = time.monotonic()
        edit = edit_from(edit)
        if edit is not None and session.find(edit["id"]) is not None:
            session.edits[edit["id"]] = edit

    # --- photos ------------------------------------------------------------------------------

    def open(self, tab: Tab, files: list[str] | None, edit: Edit) -> Updates:
        """Opens photos, whose damage is then looked for. Fills SHOWN."""
        self.keep(tab, edit)
        session = tab.visitor
        session.begin()
        tab.fresh = False
        self._search.open(session, files or [])
        return {"upload": None, "progress": status(session)}

    def example(self, tab: Tab, edit: Edit) -> Updates:
        """Opens the photo that comes with unfade."""
        copy = self.desk.store.folder() / "example.jpg"
        copy.write_bytes(asset_path("example.jpg").read_bytes())
        return self.open(tab, [str(copy)], edit)

    def go_on(self, tab: Tab, edit: Edit) -> Updates:
        """Opens the result on the page as a new photo. Fills SHOWN."""
        session = tab.visitor
        made = None if session.photo is None else session.result(session.photo)
        if made is None:
            return _gone(session)
        return self.open(tab, [str(made.photos[session.variant])], edit)

    def choose(self, tab: Tab, edit: Edit, event: gr.EventData) -> Updates:
        """Shows another photo, and keeps what was painted on the last one."""
        self.keep(tab, edit)
        session = tab.visitor
        session.begin()
        session.choose(event.key)
        return {**self._look(tab), **_gone(session)}

    def remove(self, tab: Tab, edit: Edit, event: gr.EventData) -> Updates:
        """Removes a photo and its results."""
        self.keep(tab, edit)
        session = tab.visitor
        gone = _gone(session)
        session.begin()
        session.remove(event.key)
        return {**self._look(tab), **gone}

    def clear(self, tab: Tab) -> Updates:
        """Starts over: no photos, no results, nothing that runs."""
        tab.visitor.clear()
        return self._look(tab)

    # --- work --------------------------------------------------------------------------------

    def restore(self, tab: Tab, edit: Edit, *settings: object) -> Updates:
        """Restores the photo on the page. Fills SHOWN."""
        photos = tab.visitor.photos[tab.visitor.shown :][:1]
        return self._start(photos, tab, edit, settings)

    def restore_all(self, tab: Tab, edit: Edit, *settings: object) -> Updates:
        """Restores every photo of the session, the one on the page last. Fills SHOWN."""
        shown = tab.visitor.photo
        rest = [one for one in tab.visitor.photos if one is not shown]
        return self._start([*rest, *([] if shown is None else [shown])], tab, edit, settings)

    def _start(
        self, photos: Sequence[Opened], tab: Tab, edit: Edit, values: Sequence[object]
    ) -> Updates:
        self.keep(tab, edit)
        session, settings = tab.visitor, self._settings(values)
        if not photos:
            return {**self._look(tab), **_gone(session)}
        session.begin()
        self._work.start(session, photos, settings)
        return {**self._results(tab, None if session.busy else "compare"),
                "progress": status(session)}  # fmt: skip

    def stop(self, tab: Tab) -> Updates:
        """Ends what runs, and forgets what waits. Fills SHOWN."""
        session = tab.visitor
        if session.busy:
            session.stop()
            session.told = STOPPED
        return {"upload": None, "progress": status(session)}

    # --- controls ----------------------------------------------------------------------------

    def fitting(self, tab: Tab, task: Task, automatic: bool) -> Updates:
        """Shows what counts for a task, and names it on the buttons. Fills FITTED."""
        counting = self.counting(task, automatic)
        verb = VERBS[task]
        tab.visitor.begin()
        return {name: gr.update(visible=one) for name, one in counting.items()} | {
            "restore": gr.update(value=f"{verb} this photo"),
            "restore_all": gr.update(value=f"{verb} all photos"),
            "progress": status(tab.visitor),
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

    # --- looking at photos and results -------------------------------------------------------

    def _look(self, tab: Tab) -> Updates:
        """All that belongs to the current photo."""
        session = tab.visitor
        shown = None if session.photo is None else session.result(session.photo)
        view = "edit" if shown is None else "compare"
        return {"editor": self._scene(tab), **self._results(tab, view),
                "progress": status(session)}  # fmt: skip

    def _scene(self, tab: Tab) -> dict[str, Any]:
        """The current photo for the editor."""
        session = tab.visitor
        tab.scene = _scene_of(session)
        opened = session.photo
        if opened is None:
            return {}
        edit = session.edits.get(opened.key)
        thresholds = self.desk.restorer.thresholds
        return actions.scene(opened, thresholds, edit, actions.colour_task(self.desk))

    def _strip(self, tab: Tab, view: str | None) -> Updates:
        """The photos to choose from, and the button for several of them.

        Args:
            view: "edit" shows the current photo, "compare" its result, None the same as before.
        """
        session = tab.visitor
        tab.strip = _strip_of(session)
        photos = [
            {"key": one.key, "name": one.name, "thumb": one.thumb_url,
             "done": session.result(one) is not None, "coloured": one.coloured}
            for one in session.photos
        ]  # fmt: skip
        shown = "" if session.photo is None else session.photo.key
        several = gr.update(visible=len(session.photos) > 1)
        return {"strip": {"photos": photos, "shown": shown, "view": view}, "restore_all": several}

    def _results(self, tab: Tab, view: str | None) -> Updates:
        """The strip, and the result of the current photo."""
        session = tab.visitor
        tab.result = _result_of(session)
        photo = session.photo
        made = None if photo is None else session.result(photo)
        session.variant = 0
        strip = self._strip(tab, view)
        if photo is None or made is None:
            hidden = gr.update(visible=False)
            return {**strip, "compare": {}, "facts": "", "files": None, "versions": hidden,
                    "history": hidden}  # fmt: skip
        views = [(str(one.after), f"Version {i}") for i, one in enumerate(made.views, 1)]
        past = [
            (str(one.views[0].after), f"Result {i}: {one.kind}")
            for i, one in enumerate(session.made[photo.key], 1)
        ]
        return {
            **strip, **_compared(made, 0), "files": made.files,
            "versions": gr.update(value=views, visible=len(views) > 1, selected_index=None),
            "history": gr.update(value=past, visible=len(past) > 1, selected_index=None),
        }  # fmt: skip

    def variant(self, tab: Tab, event: gr.SelectData) -> Updates:
        """Another variant of the result on the page."""
        session = tab.visitor
        made = None if session.photo is None else session.result(session.photo)
        if made is None:
            return {}
        session.variant = min(max(int(event.index), 0), len(made.views) - 1)
        return _compared(made, session.variant)

    def again(self, tab: Tab, event: gr.SelectData) -> Updates:
        """Shows an earlier result of the photo; the row to choose from stays as it is."""
        session = tab.visitor
        photo = session.photo
        if photo is None or not session.made.get(photo.key):
            return {}
        session.begin()
        last = len(session.made[photo.key]) - 1
        session.kept[photo.key] = min(max(int(event.index), 0), last)
        shown = self._results(tab, None)
        del shown["history"]
        return {**shown, "progress": status(session)}

    def pack(self, tab: Tab) -> str:
        """The zip of all results of all photos."""
        session = tab.visitor
        made = [one for photo in session.photos for one in session.made.get(photo.key, [])]
        return str(results.pack(self.desk, made))


def _gone(session: Session) -> Updates:
    """Tells that a page shows photos that the server does not have."""
    return {} if session.photos else {"progress": lost()}


def _scene_of(session: Session) -> object:
    """What the editor shows, to be compared."""
    photo = session.photo
    return None if photo is None else (photo.key, photo.mask_url, photo.searched)


def _strip_of(session: Session) -> object:
    """What the strip shows, to be compared."""
    return [(one.key, session.result(one) is not None) for one in session.photos], session.shown


def _result_of(session: Session) -> object:
    """The result that is shown, to be compared."""
    made = None if session.photo is None else session.result(session.photo)
    return None if made is None else made.photos


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
