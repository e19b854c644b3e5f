from __future__ import annotations

import re

from unfade.pages import page as pages


def test_page_asks_for_nothing_outside_itself() -> None:
    scene = pages.scene("t", "c", [("a", "data:image/png;base64,"), ("b", "data:,")], right=1,
                        zoom=1)  # fmt: skip
    made = pages.page("title", {"a": "b"}, {"one": "One"}, [pages.section("one", "One", scene)])
    assert "default-src 'none'" in made
    assert pages.MARK in made[:2048]
    assert all(uri.startswith("data:") for uri in re.findall(r'src="([^"]*)"', made))
    assert re.findall(r'href="([^"]*)"', made) == ["#content", "#one"]
    assert "@import" not in made and "url(" not in made
    assert not re.search(r"@@[A-Z]+@@", made)


def test_text_cannot_become_markup() -> None:
    evil = "<script>@@CSS@@'\""
    made = pages.page(evil, {evil: evil}, {}, [pages.notes([evil]), pages.table(evil, [evil], [])])
    assert made.count("<script>") == 1
    assert made.count("&lt;script&gt;@@CSS@@&#x27;&quot;") == 7
    assert pages.prose("<b> `a & b`") == "&lt;b&gt; <code>a &amp; b</code>"


def test_cell_holds_what_it_is_sorted_by() -> None:
    assert pages.cell("1 %", 0.5) == '<td data-value="0.5">1 %</td>'
    assert pages.cell("–", kind="empty") == '<td class="empty">–</td>'
    assert pages.cell("a", link="b&c") == '<td><a href="b&amp;c">a</a></td>'


def test_scene_starts_with_what_it_is_told() -> None:
    pictures = [("a", "data:,1"), ("b", "data:,2"), ("c", "data:,3")]
    made = pages.scene("t", "c", pictures, right=2, zoom=4)
    assert 'data-zoom="4"><h4>' in made
    left, right = re.findall(r'<select data-part="\w+">(.*?)</select>', made)
    assert '<option value="0" selected>a<' in left
    assert '<option value="2" selected>c<' in right


def test_more_text_stands_small_below_the_number() -> None:
    made = pages.cell("1.00", 1.0, below="[<2>]")
    assert made == '<td data-value="1.0">1.00 <small>[&lt;2&gt;]</small></td>'
