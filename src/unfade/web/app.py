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
from unfade.web.page import PHOTO_COMPONENTS, TASK_COMPONENTS, VERBS, Page, Tab, errors_as_sentences
from unfade.web.programs import Programs
from unfade.web.session import AppContext
from unfade.web.settings import MAXIMA, Settings
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
#: A DownloadButton would save the zip of the click before.
_SAVE = """(file) => {
  const link = document.createElement('a');
  link.href = file.url;
  link.download = file.orig_name;
  link.click();
}"""
#: Tells the scripts of the page which task is chosen.
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
#: Handlers return at once: long work runs in background threads.
_AT_ONCE = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
#: Components by name.
Controls = dict[str, Any]
_G = cast(Any, gr)  # the library's own types are incomplete


def build(context: AppContext) -> Any:
    """The page as Gradio blocks."""
    page = Page(context)
    with _G.Blocks(title="unfade: restore old photographs", analytics_enabled=False) as blocks:
        tab = _G.State(Tab(), time_to_live=context.store.keep_s)
        _G.Markdown(_WELCOME, elem_id="uf-welcome")
        _G.HTML(html_template=asset("about.html"), js_on_load=asset("about.js"), elem_id="uf-about")
        with _G.Row():
            with _G.Column(scale=3, min_width=300):
                parts = _inputs()
                with _G.Column(elem_id="uf-stage"):
                    parts |= _stage()
            with _G.Column(scale=2, min_width=300, elem_id="uf-controls"):
                with _G.Column(elem_id="uf-settings"):
                    controls = _controls(context)
                parts |= _buttons()
                controls |= _model(context, parts)
        with _G.Row(visible=False):
            _api(Programs(context))  # first, so that its two names are free
        controls = {name: controls[name] for name in Settings.__dataclass_fields__}
        session_inputs = [parts["visit"], tab]
        _wire_visit(blocks, page, session_inputs, parts)
        _wire_reload(blocks, list(controls.values()))
        _wire_photos(page, session_inputs, parts)
        _wire_controls(page, session_inputs, parts, controls)
        _wire_work(page, session_inputs, parts, controls)
        _wire_results(page, session_inputs, parts)
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
    """The strip of photos, the mask editor, and the comparison with the result."""
    components: Controls = {}
    sample = {"{before}": picture_url("example.jpg"), "{after}": picture_url("example-after.webp")}
    for name in ("strip", "editor", "compare"):
        template = asset(f"{name}.html")
        for mark, url in sample.items():
            template = template.replace(mark, url)
        script = asset(f"{name}.js")
        if name != "strip":
            script = f"{asset('zoom.js')}\n{script}"
        components[name] = _G.HTML(
            value={}, html_template=template, js_on_load=script, elem_id=f"uf-{name}"
        )
    with _G.Column(elem_id="uf-result"):
        components["facts"] = _G.HTML("", elem_id="uf-words", js_on_load=None)
        components["files"] = _G.File(
            label="Download: photo, report of what was done, masks",
            file_count="multiple",
            interactive=False,
            elem_id="uf-files",
        )
        components["go_on"] = _G.Button("Go on with this result", elem_id="uf-go-on")
        components["zip"] = _G.Button("Download everything as one zip", elem_id="uf-zip")
        components["package"] = _G.File(visible=False)
        components["versions"] = _pictures("Versions: click one to compare it", "variants")
        components["history"] = _pictures(
            "Results of this photo: click one to see it again", "history"
        )
    return components


def _controls(context: AppContext) -> Controls:
    """The settings outside "More choices"."""
    defaults = Settings()
    tasks = [(_TASKS[name], name) for name in context.restorer.tasks]
    components: Controls = {
        "task": _G.Radio(tasks, value=defaults.task, label="What would you like to do?"),
        "only_damage": _G.Checkbox(
            False, label="Change only the damage", info="Every other pixel stays as it is."
        ),
        "keep_tone": _G.Checkbox(
            False, label="Keep the tone", info="Faded tones and colour casts stay as they are."
        ),
    }
    components["scale"] = _G.Slider(
        1, MAXIMA["scale"], defaults.scale, step=0.5, label="Times larger", visible=False,
        info="Damage stays as it is: mend the photo first, and go on with the result.",
        interactive=True,
    )  # fmt: skip
    components["sharp"] = _G.Checkbox(
        False, label="Add sharp detail", visible=False, interactive=True,
        info="The detail is invented: it looks like a photo, but it was not in yours.",
    )  # fmt: skip
    components["existing_colours"] = _G.Radio(
        [(_COLOURS[name], name) for name in EXISTING_COLOURS], value=defaults.existing_colours,
        label="This photo has colours. Refresh them, or replace them?", elem_id="uf-existing",
    )  # fmt: skip
    components["prompt"] = _G.Textbox(
        "", label="What is in the photo, and in which colours?", visible=False, interactive=True,
        placeholder="a woman in a red dress", elem_id="uf-prompt",
        info="In English. Colours that you paint are added; you need not write them.",
    )  # fmt: skip
    return components


def _model(context: AppContext, parts: Controls) -> Controls:
    """The settings of the diffusion model."""
    defaults, able, components = Settings(), context.restorer.diffuses, Controls()
    with _G.Accordion("More choices", open=False, elem_id="uf-diffusion"):
        if not able:
            _G.Markdown(_LACKING, elem_id="uf-lacking")
        parts["idle"] = _G.Markdown(_IDLE, visible=False, elem_id="uf-idle")
        components["automatic"] = _G.Checkbox(True, label="Choose for me how much is redrawn")
        for name, least, most, step, label in (
            ("strength", 0, 1, 0.05, "How much may be redrawn (0 = nothing, 1 = all)"),
            ("fidelity", 0, 1, 0.05, "How close to the photo (1 = closest)"),
            ("steps", 1, MAXIMA["steps"], 1, "Steps (more take longer)"),
        ):
            components[name] = _G.Slider(
                least, most, getattr(defaults, name), step=step, label=label, interactive=True
            )
        components["seed"] = _G.Number(
            0, label="Draw another version: number", info="Another number, another version.",
            precision=0, minimum=0, interactive=True,
        )  # fmt: skip
        components["variants"] = _G.Slider(
            1, MAXIMA["variants"], 1, step=1, label="How many versions", interactive=True
        )
    return components


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
    """A row of thumbnails to choose from."""
    return _G.Gallery(
        label=title, visible=False, height=200, object_fit="contain", allow_preview=False,
        buttons=[], elem_id=f"uf-{name}", elem_classes="uf-row",
    )  # fmt: skip


def _handler(
    page: Page, handler: Callable[..., Any], names: Sequence[str] = ()
) -> Callable[..., Any]:
    """Wraps a method of `Page` as a Gradio handler, whose first inputs are the visit and the tab.

    Args:
        names: the components that it updates, in the order of the handler's outputs; those that
            it returns no update for stay as they are. Without names it returns one value.
    """
    checked = errors_as_sentences(handler)

    @functools.wraps(handler)
    def call(visit: str, tab: Tab, *arguments: Any) -> Any:
        page.attach(tab, visit)
        updates = checked(tab, *arguments)
        if not names:
            return updates
        assert updates.keys() <= set(names), updates.keys() - set(names)
        # Gradio changes the returned object: each component needs its own.
        return tuple(updates[name] if name in updates else _G.skip() for name in names)

    signature = inspect.signature(handler)
    first_parameter = inspect.Parameter("whose", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = signature.replace(parameters=[first_parameter, *signature.parameters.values()])
    vars(call)["__signature__"] = signature  # Gradio reads it to pass the data of an event
    return call


def _wire_visit(blocks: Any, page: Page, session_inputs: list[Any], parts: Controls) -> None:
    """Restores the session after a reload, and polls for changes while jobs run."""
    outputs = [parts[name] for name in PHOTO_COMPONENTS]
    blocks.load(None, None, parts["visit"], js=_VISIT).then(
        _handler(page, page.resume, PHOTO_COMPONENTS),
        [*session_inputs, parts["visit"]],
        outputs,
        **_AT_ONCE,
    )
    parts["progress"].tick(
        _handler(page, page.poll, PHOTO_COMPONENTS), session_inputs, outputs, **_AT_ONCE
    )


def _wire_reload(blocks: Any, controls: list[Any]) -> None:
    """Restores the values of the controls after a reload."""
    defaults = json.dumps([control.value for control in controls])
    blocks.load(None, None, controls, js=_CONTROLS_AGAIN % defaults)
    for control in controls:
        control.change(None, controls, None, js=_KEEP_CONTROLS)


def _wire_photos(page: Page, session_inputs: list[Any], parts: Controls) -> None:
    outputs = [parts[name] for name in PHOTO_COMPONENTS]
    upload, editor, strip = parts["upload"], parts["editor"], parts["strip"]
    upload.upload(
        _handler(page, page.open, PHOTO_COMPONENTS),
        [*session_inputs, upload, editor],
        outputs,
        **_AT_ONCE,
    )
    for event, handler in (
        (parts["example"].click, page.example), (parts["go_on"].click, page.open_result),
        (strip.select, page.choose), (strip.delete, page.remove),
    ):  # fmt: skip
        event(
            _handler(page, handler, PHOTO_COMPONENTS),
            [*session_inputs, editor],
            outputs,
            **_AT_ONCE,
        )
    save_edit = _handler(page, page.save_edit)
    editor.input(save_edit, [*session_inputs, editor], None, trigger_mode="always_last", **_AT_ONCE)
    strip.clear(_handler(page, page.clear, PHOTO_COMPONENTS), session_inputs, outputs, **_AT_ONCE)


def _wire_controls(
    page: Page, session_inputs: list[Any], parts: Controls, controls: Controls
) -> None:
    """Shows the controls of the chosen task, and hides the others."""
    inputs = [controls["task"], controls["automatic"]]
    outputs = [(parts | controls)[name] for name in TASK_COMPONENTS]
    for name, visible in page.visible_controls(*(control.value for control in inputs)).items():
        (parts | controls)[name].visible = visible
    for component in inputs:
        component.change(
            _handler(page, page.update_controls, TASK_COMPONENTS),
            [*session_inputs, *inputs],
            outputs,
            **_AT_ONCE,
        )
    task_inputs = [controls["task"], controls["existing_colours"]]
    for component in task_inputs:
        component.change(None, task_inputs, None, js=_TELL_TASK)


def _wire_work(page: Page, session_inputs: list[Any], parts: Controls, controls: Controls) -> None:
    outputs = [parts[name] for name in PHOTO_COMPONENTS]
    inputs = [*session_inputs, parts["editor"], *controls.values()]
    for name, handler in (("restore", page.restore), ("restore_all", page.restore_all)):
        parts[name].click(_handler(page, handler, PHOTO_COMPONENTS), inputs, outputs, **_AT_ONCE)
    parts["stop"].click(
        _handler(page, page.stop, PHOTO_COMPONENTS), session_inputs, outputs, **_AT_ONCE
    )


def _wire_results(page: Page, session_inputs: list[Any], parts: Controls) -> None:
    outputs = [parts[name] for name in PHOTO_COMPONENTS]
    parts["versions"].select(
        _handler(page, page.variant, PHOTO_COMPONENTS), session_inputs, outputs, **_AT_ONCE
    )
    parts["history"].select(
        _handler(page, page.show_result, PHOTO_COMPONENTS), session_inputs, outputs, **_AT_ONCE
    )
    parts["zip"].click(
        _handler(page, page.pack), session_inputs, parts["package"], api_visibility="private"
    ).success(None, parts["package"], None, js=_SAVE)  # fmt: skip


def _api(programs: Programs) -> None:
    """The two functions of the HTTP API, on hidden components."""
    photo, mask = _G.File(label="photo"), _G.File(label="mask")
    threshold = _G.Number(None, label="threshold")
    # Text, not choices: `RestoreOptions` then reports an unknown value as a sentence.
    sensitivity = _G.Textbox("normal", label="sensitivity")
    protect = _G.File(label="protect")
    defaults = Settings()
    settings: list[Any] = []
    for name in Settings.__dataclass_fields__:
        value = getattr(defaults, name)
        kind = _G.Checkbox if isinstance(value, bool) else _G.Number
        kind = _G.Textbox if isinstance(value, str) else kind
        settings.append(kind(value, label=name))
    painted = [_G.File(label="regions", file_count="multiple"), _G.Textbox("", label="colours")]
    detect, restore = _G.Button("detect"), _G.Button("restore")
    detect.click(
        errors_as_sentences(programs.detect),
        [photo, threshold, sensitivity, protect],
        _G.File(label="mask"),
        api_name="detect",
        concurrency_limit=1,
        concurrency_id="look",
    )
    restore.click(
        errors_as_sentences(programs.restore),
        [photo, mask, threshold, *settings, *painted, sensitivity, protect],
        _G.File(label="files", file_count="multiple"),
        api_name="restore",
        concurrency_limit=1,
        concurrency_id="restore",
    )
