"""Renders reports from Jinja2 templates as one self-contained HTML file."""

from __future__ import annotations

import base64
import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

_FOLDER = Path(__file__).resolve().parent

#: In the head of every page, to tell it from files of others.
MARK = '<meta name="generator" content="unfade">'


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: as it is shown.
        value: that its column is sorted by; None sorts last.
        kind: classes of the style sheet: "best", "printed", "empty".
        link: address that the text leads to.
        below: more text, small, on a line of its own.
    """

    text: str
    value: float | None = None
    kind: str = ""
    link: str = ""
    below: str = ""


@dataclass(frozen=True)
class Scene:
    """Pictures of one size side by side, and two of them one over the other, with a slider.

    Attributes:
        title: heading.
        caption: one line.
        pictures: label and address of each.
        right: index of the picture that the first is compared with at first.
        zoom: 1, 2 or 4, pixels of the page to one of a picture at first.
    """

    title: str
    caption: str
    pictures: tuple[tuple[str, str], ...]
    right: int
    zoom: int


def render(template: str, **context: object) -> str:
    """A page from a template of this folder; every text in the context is escaped.

    Args:
        template: file name, such as "bench.html"; it extends "page.html".
        context: the variables of the template.
    """
    return _environment().get_template(template).render(**context)


def data_uri(code: bytes, kind: str) -> str:
    """Bytes as the address of a picture; `kind` is its media type."""
    return f"data:{kind};base64,{base64.b64encode(code).decode('ascii')}"


def prose(value: str) -> Markup:
    """Text as HTML, with `commands` as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(value))))


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    names: Any = environment
    names.filters["prose"] = prose
    names.globals["source"] = _source
    return environment


def _source(name: str) -> Markup:
    """A style sheet or a script of this folder, as it is."""
    return Markup((_FOLDER / name).read_text("utf-8"))
