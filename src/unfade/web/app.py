"""The layout of the page, and which control calls which handler (`unfade.web.page`)."""

from __future__ import annotations

from typing import Any, cast

import gradio as gr

from unfade.imaging import SUFFIXES
from unfade.options import SENSITIVITIES, TASKS
from unfade.web.page import RESULTS, Page, said
from unfade.web.session import MOST, Desk, Session, Settings
from unfade.web.theme import asset

_TASKS = {
    "old-photo": "Mend an old photo",
    "super-resolution": "Make it larger",
    "colorize": "Give it colours",
}
_LACKING = (
    "These controls, and giving a photo colours, need a diffusion model, and the weights in use "
    "have none: the first stage does without them."
)
_IDLE = (
    "With these weights this task does without the diffusion model. To have it take part, and "
    "these controls count, choose its strength yourself."
)
#: A DownloadButton would save what was packed at the click before.
_SAVE = """(file) => {
  const link = document.createElement('a');
  link.href = file.url;
  link.download = file.orig_name;
  link.click();
}"""
#: Controls in the order of the fields of `Settings`.
Controls = dict[str, Any]
_G = cast(Any, gr)  # the library's own types are incomplete


def build(desk: Desk) -> Any:
    """The page as Gradio blocks."""
    page = Page(desk)
    with _G.Blocks(title="unfade", analytics_enabled=False) as blocks:
        session = _G.State(Session(), time_to_live=desk.store.keep_s)
        _G.Markdown("# unfade\nRestores old photographs: see the damage, mend it, compare.")
        with _G.Row():
            with _G.Column(scale=3, min_width=300):
                parts = _inputs(desk)
            with _G.Column(scale=2, min_width=300):
                controls = _controls(desk)
                parts |= _buttons()
                controls |= _model(desk, parts)
        parts |= _results()
        with _G.Row(visible=False):
            _api(page)  # first, so that its two names are free
        controls = {name: controls[name] for name in Settings.__dataclass_fields__}
        _wire_photos(page, session, parts)
        _wire_controls(page, parts, controls)
        _wire_work(page, session, parts, controls)
        _wire_looking(page, session, parts)
    return blocks


def _inputs(desk: Desk) -> Controls:
    upload = _G.File(
        label="Your photos (JPEG, PNG, TIFF, WebP or BMP)",
        file_count="multiple",
        file_types=sorted(SUFFIXES),
        height=140,
        elem_id="uf-upload",
    )
    example = _G.Button("Try the example photo", size="sm")
    chooser = _G.Radio([], label="Photo on the page", visible=False, elem_id="uf-chooser")
    editor = _G.HTML(
        value={},
        html_template=asset("editor.html"),
        js_on_load=asset("editor.js"),
        elem_id="uf-editor",
    )
    return {"upload": upload, "example": example, "chooser": chooser, "editor": editor}


def _controls(desk: Desk) -> Controls:
    """The settings that everybody needs."""
    usual = Settings()
    tasks = [(_TASKS[name], name) for name in desk.restorer.tasks]
    made: Controls = {
        "task": _G.Radio(tasks, value=usual.task, label="What is to be done"),
        "only_damage": _G.Checkbox(
            False, label="Only the damage", info="Every other pixel stays as it is."
        ),
        "keep_tone": _G.Checkbox(False, label="Keep the tone", info="Leave fading and cast."),
    }
    made["scale"] = _G.Slider(
        1, MOST["scale"], usual.scale, step=0.5, label="Times larger", visible=False,
        info="Damage and painted colours are left alone: mend the photo first.", interactive=True,
    )  # fmt: skip
    made["prompt"] = _G.Textbox(
        "", label="What is in the photo, and in which colours", visible=False, interactive=True,
        placeholder="a woman in a red dress", elem_id="uf-prompt",
        info="In English. The words of colours that you paint join it.",
    )  # fmt: skip
    return made


def _model(desk: Desk, parts: Controls) -> Controls:
    """The settings of the diffusion model, which cannot be used where there is none."""
    usual, able, made = Settings(), desk.restorer.diffuses, Controls()
    with _G.Accordion("More: the diffusion model", open=False, elem_id="uf-diffusion"):
        if not able:
            _G.Markdown(_LACKING, elem_id="uf-lacking")
        parts["idle"] = _G.Markdown(_IDLE, visible=False, elem_id="uf-idle")
        made["automatic"] = _G.Checkbox(
            True, label="Choose fidelity, strength and steps for me", interactive=able
        )
        for name, least, most, step, label in (
            ("fidelity", 0, 1, 0.05, "Fidelity: 1 = most faithful"),
            ("strength", 0, 1, 0.05, "Strength: how much may be changed"),
            ("steps", 1, MOST["steps"], 1, "Steps: more take longer"),
        ):
            usable = able and (name != "fidelity" or desk.restorer.weighs_fidelity)
            made[name] = _G.Slider(
                least, most, getattr(usual, name), step=step, label=label, interactive=usable
            )
        made["seed"] = _G.Number(0, label="Seed", precision=0, minimum=0, interactive=able)
        made["variants"] = _G.Slider(
            1, MOST["variants"], 1, step=1, label="Variants", interactive=able
        )
    return made


def _buttons() -> Controls:
    with _G.Row():
        restore = _G.Button("Restore", variant="primary", elem_id="uf-restore")
        stop = _G.Button("Cancel", elem_id="uf-cancel")
    restore_all = _G.Button("Restore all photos", elem_id="uf-restore-all", visible=False)
    progress = _G.HTML("", elem_id="uf-progress", js_on_load=None, min_height=60)
    return {"restore": restore, "stop": stop, "restore_all": restore_all, "progress": progress}


def _results() -> Controls:
    _G.Markdown("## Result")
    compare = _G.HTML(
        value={},
        html_template=asset("compare.html"),
        js_on_load=asset("compare.js"),
        elem_id="uf-compare",
    )
    words = _G.HTML("", elem_id="uf-words", js_on_load=None)
    with _G.Row():
        with _G.Column(min_width=300):
            files = _G.File(
                label="Download: photo, manifest, mask", file_count="multiple",
                interactive=False, elem_id="uf-files",
            )  # fmt: skip
            zipped = _G.Button("All photos as one zip", elem_id="uf-zip")
            package = _G.File(visible=False)
        with _G.Column(min_width=300):
            heat = _map("Where the model may have invented", "heat", asset("legend.html"))
            change = _map(
                "Where the photo was changed", "change",
                "<p>Dark: as it was. Bright: changed, by the mask, cleaning or tone.</p>",
            )  # fmt: skip
    variants = _pictures("Variants: click one to compare it", "variants")
    history = _pictures("Results of this visit: click one to see it again", "history")
    return {
        "compare": compare, "words": words, "files": files, "zip": zipped, "package": package,
        "heat": heat, "change": change, "variants": variants, "history": history,
    }  # fmt: skip


def _pictures(title: str, name: str) -> Any:
    """A row of small pictures to choose from."""
    return _G.Gallery(
        label=title, visible=False, height=200, object_fit="contain", allow_preview=False,
        buttons=[], elem_id=f"uf-{name}", elem_classes="uf-row",
    )  # fmt: skip


def _map(title: str, name: str, legend: str) -> Any:
    """A picture of places, with its legend, to be opened."""
    with _G.Accordion(title, open=False, elem_id=f"uf-{name}-part"):
        _G.HTML(legend, js_on_load=None)
        return _G.Image(
            type="filepath", interactive=False, show_label=False, elem_id=f"uf-{name}",
            buttons=["fullscreen"],
        )  # fmt: skip


def _wire_photos(page: Page, session: Any, parts: Controls) -> None:
    shown = [parts[name] for name in ("upload", "progress", "chooser", "editor")]
    quiet = {"api_visibility": "private", "show_progress_on": parts["progress"]}
    look = {"concurrency_limit": 1, "concurrency_id": "look"}
    upload = parts["upload"]
    for event in (
        upload.upload(page.open, [upload, session], shown, **quiet, **look),
        parts["example"].click(page.example, session, shown, **quiet, **look),
    ):
        event.then(
            page.several, session, parts["restore_all"], api_visibility="private", queue=False,
        )  # fmt: skip
    editor = parts["editor"]
    parts["chooser"].input(said(page.choose), [parts["chooser"], editor, session], editor, **quiet)


def _wire_controls(page: Page, parts: Controls, controls: Controls) -> None:
    """Shows what counts for the task, and hides what does not."""
    chosen = [controls["task"], controls["automatic"]]
    counting = page.counting(*(one.value for one in chosen))
    shown = [(controls | parts)[name] for name in counting]
    for component, visible in zip(shown, counting.values(), strict=True):
        component.visible = visible
    for component in chosen:
        component.change(
            page.fitting, chosen, shown, queue=False, show_progress="hidden",
            api_visibility="private",
        )  # fmt: skip


def _wire_work(page: Page, session: Any, parts: Controls, controls: Controls) -> None:
    shown = [parts[name] for name in RESULTS]
    given = [session, parts["editor"], *controls.values()]
    quiet = {"api_visibility": "private", "show_progress_on": parts["progress"]}
    work = {"concurrency_limit": 1, "concurrency_id": "restore"}
    events = [
        parts[name].click(handler, given, shown, **quiet, **work)
        for name, handler in (("restore", page.restore), ("restore_all", page.restore_all))
    ]
    for event in events:
        event.then(page.ended, session, shown, queue=False, api_visibility="private")
    parts["stop"].click(
        page.stop, session, None, cancels=events, queue=False, api_visibility="private"
    )


def _wire_looking(page: Page, session: Any, parts: Controls) -> None:
    shown = [parts[name] for name in RESULTS[1:]]
    parts["variants"].select(
        page.variant, session, [parts["compare"], parts["heat"]], api_visibility="private",
        show_progress="hidden",
    )  # fmt: skip
    parts["history"].select(page.again, session, shown, api_visibility="private")
    parts["zip"].click(
        said(page.pack), session, parts["package"], api_visibility="private"
    ).success(None, parts["package"], None, js=_SAVE)  # fmt: skip


def _api(page: Page) -> None:
    """Two functions for programs, on components that nobody sees."""
    photo, mask = _G.File(label="photo"), _G.File(label="mask")
    threshold = _G.Number(None, label="threshold")
    sensitivity = _G.Dropdown(list(SENSITIVITIES), value="normal", label="sensitivity")
    protect = _G.File(label="protect")
    usual = Settings()
    settings: list[Any] = [_G.Dropdown(list(TASKS), value=usual.task, label="task")]
    for name in list(Settings.__dataclass_fields__)[1:]:
        value = getattr(usual, name)
        kind = _G.Checkbox if isinstance(value, bool) else _G.Number
        kind = _G.Textbox if isinstance(value, str) else kind
        settings.append(kind(value, label=name))
    painted = [_G.File(label="regions", file_count="multiple"), _G.Textbox("", label="colours")]
    detect, restore = _G.Button("detect"), _G.Button("restore")
    detect.click(
        said(page.api_detect), [photo, threshold, sensitivity, protect], _G.File(label="mask"),
        api_name="detect", concurrency_limit=1, concurrency_id="look",
    )  # fmt: skip
    restore.click(
        said(page.api_restore), [photo, mask, threshold, *settings, *painted, sensitivity, protect],
        _G.File(label="files", file_count="multiple"), api_name="restore",
        concurrency_limit=1, concurrency_id="restore",
    )  # fmt: skip
