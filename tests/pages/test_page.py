from __future__ import annotations

import re
from typing import Any

import pytest

from unfade.pages import page as pages


def rendered(**changed: Any) -> str:
    """A report of a batch with one photo."""
    scene = pages.Scene("t", "c", (("a", "data:,1"), ("b", "data:,2"), ("c", "data:,3")), 2, 4)
    context: dict[str, Any] = {
        "title": "title", "facts": {"a": "b"}, "contents": {"all": "All", "photos": "Photos",
        "settings": "Settings"}, "failed": [], "columns": ["x"], "rows": [[pages.Cell("1")]],
        "photos": [{"scene": scene, "warnings": []}], "options": [], "weights": [],
    }  # fmt: skip
    return pages.render("restore.html", **context | changed)


def test_page_asks_for_nothing_outside_itself() -> None:
    page = rendered()
    assert "default-src 'none'" in page and pages.MARK in page[:2048]
    assert all(uri.startswith("data:") for uri in re.findall(r'src="([^"]*)"', page))
    assert re.findall(r'href="([^"]*)"', page) == ["#content", "#all", "#photos", "#settings"]
    assert re.findall(r'<section id="(\w+)"', page) == ["all", "photos", "settings"]
    assert "@import" not in page and "url(" not in page


def test_text_cannot_become_markup() -> None:
    evil = "<script>{{ 1 }}'\""
    cells = [[pages.Cell(evil, link=evil, below=evil)]]
    contents = {"failed": "F", "all": evil, "photos": "P", "settings": "S"}
    page = rendered(
        title=evil, facts={evil: evil}, failed=[evil], columns=[evil], rows=cells, contents=contents
    )
    assert page.count("<script>") == 1
    assert page.count("&lt;script&gt;{{ 1 }}&#39;&#34;") >= 9
    assert str(pages.prose("<b> `a & b`")) == "&lt;b&gt; <code>a &amp; b</code>"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (pages.Cell("1 %", 0.5), '<td data-value="0.5">1 %</td>'),
        (pages.Cell("–", kind="empty"), '<td class="empty">–</td>'),
        (pages.Cell("a", link="b&c"), '<td><a href="b&amp;c">a</a></td>'),
        (pages.Cell("1.00", 1.0, below="[<2>]"),
         '<td data-value="1.0">1.00 <small>[&lt;2&gt;]</small></td>'),
    ],
)  # fmt: skip
def test_cell_holds_what_it_is_sorted_by(cell: pages.Cell, expected: str) -> None:
    assert f"<tr>{expected}</tr>" in rendered(rows=[[cell]])


def test_scene_starts_with_the_pictures_it_is_told() -> None:
    page = rendered()
    assert 'data-zoom="4"><h4>' in page
    left, right = re.findall(r'<select data-part="\w+">(.*?)</select>', page)
    assert '<option value="0" selected>a<' in left
    assert '<option value="2" selected>c<' in right


def test_a_missing_variable_is_an_error() -> None:
    import jinja2

    with pytest.raises(jinja2.UndefinedError):
        pages.render("restore.html", title="t", facts={}, contents={})
