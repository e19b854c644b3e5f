"""The theme of the page, with fonts of the system; its own files and metadata."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any, cast

import gradio as gr
from jinja2 import BaseLoader, Environment

FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Arial", "sans-serif"]
MONO = ["ui-monospace", "Consolas", "monospace"]

#: Colours with at least 4.5 times the luminance contrast to what they stand on (WCAG AA).
_COLOURS = {
    "button_primary_background_fill": "#1d5fa8",
    "button_primary_background_fill_hover": "#174d89",
    "button_primary_background_fill_dark": "#2a6fbe",
    "button_primary_background_fill_hover_dark": "#1d5fa8",
    "button_primary_text_color": "#ffffff",
    "button_primary_text_color_dark": "#ffffff",
    "body_text_color": "#1f2937",
    "body_text_color_dark": "#f3f4f6",
    "body_text_color_subdued": "#4b5563",
    "body_text_color_subdued_dark": "#d1d5db",
    "block_info_text_color": "#4b5563",
    "block_info_text_color_dark": "#d1d5db",
    "block_label_text_color": "#374151",
    "block_label_text_color_dark": "#e5e7eb",
    "block_title_text_color": "#1f2937",
    "block_title_text_color_dark": "#f3f4f6",
    "input_placeholder_color": "#6b7280",
    "input_placeholder_color_dark": "#9ca3af",
    # Edges: 3 times (WCAG 1.4.11).
    "checkbox_border_color": "#6b7280",
    "checkbox_border_color_dark": "#9ca3af",
    "input_border_color": "#6b7280",
    "input_border_color_dark": "#9ca3af",
    "input_border_width": "1px",
    "slider_color": "#1d5fa8",
    "slider_color_dark": "#60a5fa",
    "link_text_color": "#1d5fa8",
    "link_text_color_dark": "#93c5fd",
}


_DESCRIPTION = "Restores old photographs on your own computer: see the damage, mend it, compare."
_META = (
    f'<meta name="description" content="{_DESCRIPTION}" />'
    '<meta property="og:title" content="unfade: restore old photographs" />'
    f'<meta property="og:description" content="{_DESCRIPTION}" />'
)
#: What Gradio says in its page for those that show links to it.
_FOREIGN_META = re.compile(r'<meta\s+(?:property="og:|name="twitter:)[^>]*>')


def theme() -> Any:
    """The theme: colours that can be read in the light and in the dark."""
    base = cast(Any, gr).themes.Base(
        primary_hue="blue", neutral_hue="gray", font=FONTS, font_mono=MONO
    )
    return base.set(**_COLOURS)


def use_own_meta() -> None:
    """Replaces Gradio's name, picture and description in the page's metadata by this project's."""
    from gradio import routes

    environment = cast(Any, routes).templates.env
    loader = environment.loader
    if not isinstance(loader, _OwnMeta):
        environment.loader = _OwnMeta(loader)


class _OwnMeta(BaseLoader):
    """Gradio's templates, with the words of this page in place of Gradio's."""

    def __init__(self, loader: BaseLoader) -> None:
        self._loader = loader

    def get_source(self, environment: Environment, template: str) -> Any:
        """The text of a template, see Jinja."""
        text, *others = self._loader.get_source(environment, template)
        return (_FOREIGN_META.sub("", text).replace("</head>", f"{_META}</head>", 1), *others)


def head() -> str:
    """The style sheet of our own parts, for the head of the page."""
    return f"<style>{asset('page.css')}</style>"


def asset_path(name: str) -> Path:
    """A file beside this one."""
    return Path(__file__).with_name(name)


def picture_url(name: str) -> str:
    """A picture beside this file as a data URL."""
    kind = {".jpg": "jpeg", ".webp": "webp"}[Path(name).suffix]
    data = base64.b64encode(asset_path(name).read_bytes()).decode("ascii")
    return f"data:image/{kind};base64,{data}"


def asset(name: str) -> str:
    """The text of a file beside this one."""
    return asset_path(name).read_text("utf-8")
