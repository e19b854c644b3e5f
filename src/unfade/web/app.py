"""The layout of the page, and which control calls which handler (`unfade.web.page`)."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Sequence
from typing import Any, cast

import gradio as gr

from unfade.imaging import SUFFIXES
from unfade.options import EXISTING_COLOURS
from unfade.web.page import FITTED, SHOWN, VERBS, Page, Tab, said
from unfade.web.programs import Programs
from unfade.web.session import Desk
from unfade.web.settings import MOST, Settings
from unfade.web.theme import asset, picture_url

_TASKS = {
    "old-photo": "Mend an old photo",
    "super-resolution": "Make it larger",
    "colorize": "Give it colours",
}
_WELCOME = """# unfade
Restore old photographs: see the damage, mend it, compare.
"""
_COLOURS = {
    "refresh": "Refresh them: hues and damage stay, fading and casts are taken away",
    "replace": "Replace them with new colours, as for a gray photo",
}
_LACKING = (
    "The weights in use have no generative model. Photos are mended and enlarged without it, but "
    "cannot be given colours by themselves: you may paint them."
)
_IDLE = (
    "With these weights this is done without the generative model. To have it redraw the photo, "
    "choose for yourself how much."
)
#: A DownloadButton would save what was packed at the click before.
_SAVE = """(file) => {
  const link = document.createElement('a');
  link.href = file.url;
  link.download = file.orig_name;
  link.click();
}"""
#: The parts of the page that run in the browser show what counts for the task.
_TELL_TASK = """(task, existing) => {
  const stage = document.querySelector('#uf-stage');
  stage.dataset.task = task;
  stage.dataset.existing = existing;
  stage.dispatchEvent(new Event('uf-task'));
}"""
#: The key of the visit, and how many photos it has; both outlive a reload of this tab.
_VISIT = """async () => {
  const there = () => document.querySelector('#uf-stage')?.hasAttribute('data-view');
  while (!there()) await new Promise((go) => setTimeout(go, 50)); // the strip is ready
  try {
    let key = sessionStorage.getItem('unfade-visit');
    if (!key) {
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      key = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
      sessionStorage.setItem('unfade-visit', key);
    }
    return [`${key} ${sessionStorage.getItem('unfade-photos') ?? 0}`];
  } catch { return ['']; }
}"""
#: The controls keep their values over a reload of this tab.
_KEEP_CONTROLS = """(...values) => {
  try { sessionStorage.setItem('unfade-controls', JSON.stringify(values)); } catch { /* no */ }
}"""
_CONTROLS_AGAIN = """() => {
  const usual = %s;
  try {
    const kept = JSON.parse(sessionStorage.getItem('unfade-controls'));
    return kept?.length === usual.length ? kept : usual;
  } catch { return usual; }
}"""
#: Handlers answer at once: what takes long goes on by itself.
_AT_ONCE = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
#: Controls in the order of the fields of `Settings`.
Controls = dict[str, Any]
_G = cast(Any, gr)  # the library's own types are incomplete


def build(desk: Desk) -> Any:
    """The page as Gradio blocks."""
    page = Page(desk)
    with _G.Blocks(title="unfade: restore old photographs", analytics_enabled=False) as blocks:
        tab = _G.State(Tab(), time_to_live=desk.store.keep_s)
        _G.Markdown(_WELCOME, elem_id="uf-welcome")
        _G.HTML(html_template=asset("about.html"), js_on_load=asset("about.js"), elem_id="uf-about")
        with _G.Row():
            with _G.Column(scale=3, min_width=300):
                parts = _inputs()
                with _G.Column(elem_id="uf-stage"):
                    parts |= _stage()
            with _G.Column(scale=2, min_width=300, elem_id="uf-controls"):
                with _G.Column(elem_id="uf-settings"):
                    controls = _controls(desk)
                parts |= _buttons()
                controls |= _model(desk, parts)
        with _G.Row(visible=False):
            _api(Programs(desk))  # first, so that its two names are free
        controls = {name: controls[name] for name in Settings.__dataclass_fields__}
        who = [parts["visit"], tab]
        _wire_visit(blocks, page, who, parts)
        _wire_reload(blocks, list(controls.values()))
        _wire_photos(page, who, parts)
        _wire_controls(page, who, parts, controls)
        _wire_work(page, who, parts, controls)
        _wire_looking(page, who, parts)
    return blocks


def _inputs() -> Controls:
    upload = _G.File(
        label="Your photos (JPEG, PNG, TIFF, WebP or BMP)",
        file_count="multiple",
        file_types=sorted(SUFFIXES),
        height=140,
        elem_id="uf-upload",
    )
    example = _G.Button("Try the example photo", size="sm", elem_id="uf-example")
    return {"upload": upload, "example": example, "visit": _G.Textbox(visible=False)}


def _stage() -> Controls:
    """The current photo: chosen from the strip, and either edited or compared with its result."""
    made: Controls = {}
    sample = {"{before}": picture_url("example.jpg"), "{after}": picture_url("example-after.webp")}
    for name in ("strip", "editor", "compare"):
        template = asset(f"{name}.html")
        for mark, url in sample.items():
            template = template.replace(mark, url)
        script = asset(f"{name}.js")
        if name != "strip":
            script = f"{asset('zoom.js')}\n{script}"
        made[name] = _G.HTML(
            value={}, html_template=template, js_on_load=script, elem_id=f"uf-{name}"
        )
    with _G.Column(elem_id="uf-result"):
        made["facts"] = _G.HTML("", elem_id="uf-words", js_on_load=None)
        made["files"] = _G.File(
            label="Download: photo, report of what was done, masks", file_count="multiple",
            interactive=False, elem_id="uf-files",
        )  # fmt: skip
        made["go_on"] = _G.Button("Go on with this result", elem_id="uf-go-on")
        made["zip"] = _G.Button("Download everything as one zip", elem_id="uf-zip")
        made["package"] = _G.File(visible=False)
        made["versions"] = _pictures("Versions: click one to compare it", "variants")
        made["history"] = _pictures("Results of this photo: click one to see it again", "history")
    return made


def _controls(desk: Desk) -> Controls:
    """The settings that everybody needs."""
    usual = Settings()
    tasks = [(_TASKS[name], name) for name in desk.restorer.tasks]
    made: Controls = {
        "task": _G.Radio(tasks, value=usual.task, label="What would you like to do?"),
        "only_damage": _G.Checkbox(
            False, label="Change only the damage", info="Every other pixel stays as it is."
        ),
        "keep_tone": _G.Checkbox(
            False, label="Keep the tone", info="Faded tones and colour casts stay as they are."
        ),
    }
    made["scale"] = _G.Slider(
        1, MOST["scale"], usual.scale, step=0.5, label="Times larger", visible=False,
        info="Damage stays as it is: mend the photo first, and go on with the result.",
        interactive=True,
    )  # fmt: skip
    made["existing_colours"] = _G.Radio(
        [(_COLOURS[name], name) for name in EXISTING_COLOURS], value=usual.existing_colours,
        label="This photo has colours. Refresh them, or replace them?", elem_id="uf-existing",
    )  # fmt: skip
    made["prompt"] = _G.Textbox(
        "", label="What is in the photo, and in which colours?", visible=False, interactive=True,
        placeholder="a woman in a red dress", elem_id="uf-prompt",
        info="In English. Colours that you paint are added; you need not write them.",
    )  # fmt: skip
    return made


def _model(desk: Desk, parts: Controls) -> Controls:
    """The settings of the diffusion model; there are none without one."""
    usual, able, made = Settings(), desk.restorer.diffuses, Controls()
    with _G.Accordion("More choices", open=False, elem_id="uf-diffusion"):
        if not able:
            _G.Markdown(_LACKING, elem_id="uf-lacking")
        parts["idle"] = _G.Markdown(_IDLE, visible=False, elem_id="uf-idle")
        made["automatic"] = _G.Checkbox(True, label="Choose for me how much is redrawn")
        for name, least, most, step, label in (
            ("strength", 0, 1, 0.05, "How much may be redrawn (0 = nothing, 1 = all)"),
            ("fidelity", 0, 1, 0.05, "How close to the photo (1 = closest)"),
            ("steps", 1, MOST["steps"], 1, "Steps (more take longer)"),
        ):
            made[name] = _G.Slider(
                least, most, getattr(usual, name), step=step, label=label, interactive=True
            )
        made["seed"] = _G.Number(
            0, label="Draw another version: number", info="Another number, another version.",
            precision=0, minimum=0, interactive=True,
        )  # fmt: skip
        made["variants"] = _G.Slider(
            1, MOST["variants"], 1, step=1, label="How many versions", interactive=True
        )
    return made


def _buttons() -> Controls:
    verb = VERBS[Settings.task]
    with _G.Column(elem_id="uf-actions"):
        progress = _G.HTML(
            value={}, html_template=asset("progress.html"), js_on_load=asset("progress.js"),
            elem_id="uf-progress",
        )  # fmt: skip
        with _G.Row(elem_id="uf-buttons"):
            restore = _G.Button(f"{verb} this photo", variant="primary", elem_id="uf-restore")
            restore_all = _G.Button(
                f"{verb} all photos", elem_id="uf-restore-all", visible=False
            )  # fmt: skip
            stop = _G.Button("Cancel", elem_id="uf-cancel")
    return {"restore": restore, "stop": stop, "restore_all": restore_all, "progress": progress}


def _pictures(title: str, name: str) -> Any:
    """A row of small pictures to choose from."""
    return _G.Gallery(
        label=title, visible=False, height=200, object_fit="contain", allow_preview=False,
        buttons=[], elem_id=f"uf-{name}", elem_classes="uf-row",
    )  # fmt: skip


def _filling(
    page: Page, handler: Callable[..., Any], names: Sequence[str] = ()
) -> Callable[..., Any]:
    """A handler for Gradio, which is given the visit and the tab before all else.

    Args:
        names: of the components that it fills: its updates come in this order, and what it has
            none for is left as it is. Without names it gives one value.
    """
    told = said(handler)

    @functools.wraps(handler)
    def call(visit: str, tab: Tab, *given: Any) -> Any:
        page.attach(tab, visit)
        updates = told(tab, *given)
        if not names:
            return updates
        assert updates.keys() <= set(names), updates.keys() - set(names)
        # Gradio takes the mark apart: each component needs its own.
        return tuple(updates[name] if name in updates else _G.skip() for name in names)

    own = inspect.signature(handler)
    whose = inspect.Parameter("whose", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = own.replace(parameters=[whose, *own.parameters.values()])
    vars(call)["__signature__"] = signature  # by which Gradio places the data of an event
    return call


def _wire_visit(blocks: Any, page: Page, who: list[Any], parts: Controls) -> None:
    """Photos and work are found again after a reload; what is new is asked for while work runs."""
    shown = [parts[name] for name in SHOWN]
    blocks.load(None, None, parts["visit"], js=_VISIT).then(
        _filling(page, page.resume, SHOWN), [*who, parts["visit"]], shown, **_AT_ONCE
    )
    parts["progress"].tick(_filling(page, page.tick, SHOWN), who, shown, **_AT_ONCE)


def _wire_reload(blocks: Any, controls: list[Any]) -> None:
    """The controls have the values again that they had before a reload."""
    usual = json.dumps([one.value for one in controls])
    blocks.load(None, None, controls, js=_CONTROLS_AGAIN % usual)
    for one in controls:
        one.change(None, controls, None, js=_KEEP_CONTROLS)


def _wire_photos(page: Page, who: list[Any], parts: Controls) -> None:
    shown = [parts[name] for name in SHOWN]
    upload, editor, strip = parts["upload"], parts["editor"], parts["strip"]
    upload.upload(_filling(page, page.open, SHOWN), [*who, upload, editor], shown, **_AT_ONCE)
    for event, handler in (
        (parts["example"].click, page.example), (parts["go_on"].click, page.go_on),
        (strip.select, page.choose), (strip.delete, page.remove),
    ):  # fmt: skip
        event(_filling(page, handler, SHOWN), [*who, editor], shown, **_AT_ONCE)
    keep = _filling(page, page.keep)
    editor.input(keep, [*who, editor], None, trigger_mode="always_last", **_AT_ONCE)
    strip.clear(_filling(page, page.clear, SHOWN), who, shown, **_AT_ONCE)


def _wire_controls(page: Page, who: list[Any], parts: Controls, controls: Controls) -> None:
    """Shows what counts for the task, and hides what does not."""
    chosen = [controls["task"], controls["automatic"]]
    shown = [(parts | controls)[name] for name in FITTED]
    for name, visible in page.counting(*(one.value for one in chosen)).items():
        (parts | controls)[name].visible = visible
    for component in chosen:
        component.change(
            _filling(page, page.fitting, FITTED), [*who, *chosen], shown, **_AT_ONCE
        )  # fmt: skip
    told = [controls["task"], controls["existing_colours"]]
    for component in told:
        component.change(None, told, None, js=_TELL_TASK)


def _wire_work(page: Page, who: list[Any], parts: Controls, controls: Controls) -> None:
    shown = [parts[name] for name in SHOWN]
    given = [*who, parts["editor"], *controls.values()]
    for name, handler in (("restore", page.restore), ("restore_all", page.restore_all)):
        parts[name].click(_filling(page, handler, SHOWN), given, shown, **_AT_ONCE)
    parts["stop"].click(_filling(page, page.stop, SHOWN), who, shown, **_AT_ONCE)


def _wire_looking(page: Page, who: list[Any], parts: Controls) -> None:
    shown = [parts[name] for name in SHOWN]
    parts["versions"].select(_filling(page, page.variant, SHOWN), who, shown, **_AT_ONCE)
    parts["history"].select(_filling(page, page.again, SHOWN), who, shown, **_AT_ONCE)
    parts["zip"].click(
        _filling(page, page.pack), who, parts["package"], api_visibility="private"
    ).success(None, parts["package"], None, js=_SAVE)  # fmt: skip


def _api(programs: Programs) -> None:
    """Two functions for programs, on components that nobody sees."""
    photo, mask = _G.File(label="photo"), _G.File(label="mask")
    threshold = _G.Number(None, label="threshold")
    # Choices are texts here: what is none of them is told by the options, in a sentence.
    sensitivity = _G.Textbox("normal", label="sensitivity")
    protect = _G.File(label="protect")
    usual = Settings()
    settings: list[Any] = []
    for name in Settings.__dataclass_fields__:
        value = getattr(usual, name)
        kind = _G.Checkbox if isinstance(value, bool) else _G.Number
        kind = _G.Textbox if isinstance(value, str) else kind
        settings.append(kind(value, label=name))
    painted = [_G.File(label="regions", file_count="multiple"), _G.Textbox("", label="colours")]
    detect, restore = _G.Button("detect"), _G.Button("restore")
    detect.click(
        said(programs.detect), [photo, threshold, sensitivity, protect], _G.File(label="mask"),
        api_name="detect", concurrency_limit=1, concurrency_id="look",
    )  # fmt: skip
    restore.click(
        said(programs.restore), [photo, mask, threshold, *settings, *painted, sensitivity, protect],
        _G.File(label="files", file_count="multiple"), api_name="restore",
        concurrency_limit=1, concurrency_id="restore",
    )  # fmt: skip
