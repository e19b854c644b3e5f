"""A report as one page of HTML: its frame, and the parts that reports have in common.

Whatever is given as text is escaped; what is given as HTML comes from the functions here.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent
_ZOOMS = (1, 2, 4)

#: In the head of every page, to tell it from files of others.
MARK = '<meta name="generator" content="unfade">'


def page(
    title: str, facts: Mapping[str, str], contents: Mapping[str, str], sections: Sequence[str]
) -> str:
    """The whole page.

    Args:
        facts: what stands at its head, name -> text.
        contents: id of a section -> its name in the table of contents.
        sections: HTML.
    """
    links = [f'<li><a href="#{text(k)}">{text(v)}</a></li>' for k, v in contents.items()]
    parts = {
        "TITLE": text(title),
        "SUMMARY": definitions(facts),
        "CONTENTS": "\n".join(links),
        "SECTIONS": "\n".join(sections),
        "CSS": (_FOLDER / "page.css").read_text("utf-8"),
        "JS": (_FOLDER / "page.js").read_text("utf-8"),
    }
    frame = (_FOLDER / "page.html").read_text("utf-8")
    pieces = frame.split("@@")  # outside, name, outside, ...: what is put in is not looked at again
    return "".join(parts[piece] if i % 2 else piece for i, piece in enumerate(pieces))


def text(value: str) -> str:
    """Text as HTML."""
    return html.escape(value, quote=True)


def prose(value: str) -> str:
    """Text as HTML, with `commands` as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", text(value))


def data_uri(code: bytes, kind: str) -> str:
    """Bytes as the address of a picture; `kind` is its media type."""
    return f"data:{kind};base64,{base64.b64encode(code).decode('ascii')}"


def definitions(terms: Mapping[str, str]) -> str:
    """Names and what they stand for, in a line."""
    rows = "".join(f"<div><dt>{text(k)}</dt><dd>{text(v)}</dd></div>" for k, v in terms.items())
    return f'<dl class="facts">{rows}</dl>'


def notes(lines: Sequence[str]) -> str:
    """A list of remarks; nothing where there are none."""
    items = "".join(f"<li>{text(line)}</li>" for line in lines)
    return f'<ul class="notes">{items}</ul>' if items else ""


def section(name: str, title: str, body: str) -> str:
    """A section with its heading; `name` is its id, `body` HTML."""
    return (
        f'<section id="{text(name)}" aria-labelledby="{text(name)}-title">\n'
        f'<h2 id="{text(name)}-title">{text(title)}</h2>\n{body}\n</section>'
    )


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that is sorted by a click on a head; the cells are from `cell`."""
    heads = "".join(
        f'<th scope="col"><button type="button">{text(column)}</button></th>' for column in columns
    )
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(title)}"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def cell(
    shown: str, value: float | None = None, *, kind: str = "", link: str = "", below: str = ""
) -> str:
    """One cell of a table.

    Args:
        shown: text.
        value: that its column is sorted by; None sorts last.
        kind: classes of the style sheet: "best", "printed", "empty".
        link: address that the text leads to.
        below: more text, small, on a line of its own.
    """
    number = "" if value is None else f' data-value="{value!r}"'
    names = f' class="{kind}"' if kind else ""
    inner = f'<a href="{text(link)}">{text(shown)}</a>' if link else text(shown)
    more = f" <small>{text(below)}</small>" if below else ""
    return f"<td{names}{number}>{inner}{more}</td>"


def scene(
    title: str, caption: str, pictures: Sequence[tuple[str, str]], *, right: int, zoom: int
) -> str:
    """Pictures of one size side by side, and two of them, one over the other, with a slider.

    Args:
        pictures: label and address of each.
        right: the number of the one that the first is compared with at first.
        zoom: 1, 2 or 4, pixels of the page to one of a picture at first.
    """
    strip = "".join(
        f'<li><figure><img src="{uri}" alt="{text(label)}"><figcaption>{text(label)}</figcaption>'
        "</figure></li>"
        for label, uri in pictures
    )

    def options(chosen: int) -> str:
        return "".join(
            f'<option value="{i}"{" selected" if i == chosen else ""}>{text(label)}</option>'
            for i, (label, _) in enumerate(pictures)
        )

    zooms = "".join(
        f'<button type="button" data-zoom="{z}" aria-pressed="false">{z}×</button>' for z in _ZOOMS
    )
    return (
        f'<div class="scene" data-zoom="{zoom}"><h4>{text(title)}</h4>'
        f'<p class="soft">{text(caption)}</p>'
        '<div class="controls" data-part="controls" hidden>'
        f'<label>Left <select data-part="left">{options(0)}</select></label>'
        '<label>Slider <input data-part="slider" type="range" min="0" max="100" value="50" '
        'step="1"></label>'
        f'<label>Right <select data-part="right">{options(right)}</select></label>'
        f'<span role="group" aria-label="Zoom">{zooms}</span></div>'
        '<div class="stage" tabindex="0" role="region" aria-label="Two pictures, one over the '
        'other" hidden><div class="layers" data-part="layers"><img alt="" draggable="false">'
        '<img alt="" draggable="false"><span class="edge"></span></div></div>'
        f'<ul class="strip">{strip}</ul></div>'
    )
