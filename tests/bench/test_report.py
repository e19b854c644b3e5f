"""Grids, plots and the page, from rows that are made up."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from unfade.bench import report_pictures
from unfade.bench.aggregate import Aggregate
from unfade.bench.cases import Case, Cost
from unfade.bench.grids import cost_grid, difference_grid, means_grid, paper_grids
from unfade.bench.paper_values import papers_of
from unfade.bench.plots import Line, Panel, Plot, curves, save, scatter
from unfade.bench.report import write_report
from unfade.bench.report_pictures import encode_scenes
from unfade.bench.run import Failure, Run
from unfade.bench.scenes import scenes_of
from unfade.bench.sections import Cell, Grid, Scene, SceneImage, Section, markdown
from unfade.eval.images import Protocol
from unfade.eval.rows import Row
from unfade.options import RestoreOptions

METHODS = ("input", "ours <b>")
IMAGES = ("a", "b", "c")


def picture(path: Path, level: int, side: int = 64) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((side, side, 3), level, np.uint8)
    image[side // 2 :, side // 2 :] = 255 - level
    assert cv2.imwrite(str(path), image)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Two cases of a sweep; ours is 2 dB above the input in both."""
    out = tmp_path / "out"
    cases = [
        Case(
            "sweep",
            "Set",
            "blur",
            tmp_path / "lq",
            tmp_path / "hq",
            RestoreOptions(seed=5),
            "level",
            level,
        )
        for level in (1.0, 5.0)
    ]
    found = Run(out, cases, METHODS, ("psnr", "niqe"), Protocol())
    for index, image in enumerate(IMAGES):
        picture(tmp_path / "lq" / f"{image}.png", 60)
        picture(tmp_path / "hq" / f"{image}.png", 100 + index)
        for case in cases:
            for step, method in enumerate(METHODS):
                picture(found.result(case, method, image), 80 + 10 * step)
                level = case.value or 0
                values = {"psnr": 30.0 - level + 2 * step + index, "niqe": 5.0 + level - step}
                found.rows.append(
                    Row(method, image, values, "sweep", "Set", "blur", "level", level)
                )
    found.costs[("sweep", cases[0].name, "ours <b>")] = Cost(3, 0.5, 2.0, 300.0, 4_000_000)
    found.failures.append(Failure("sweep", cases[0].name, "theirs", None, "it crashed"))
    return found


@pytest.fixture
def aggregate(run: Run) -> Aggregate:
    return Aggregate(run, "sweep")


class Page(HTMLParser):
    """Collects what a page refers to, its ids, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = dict(attrs)
        self.addresses += [own[name] or "" for name in ("src", "href") if name in own]
        self.ids += [own["id"] or ""] if "id" in own else []
        if tag not in ("meta", "img", "input", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_means_are_over_images_and_the_best_is_marked(aggregate: Aggregate) -> None:
    grid = means_grid(aggregate, "T")
    column = grid.columns.index("PSNR (dB) ↑")
    assert [row[column].value for row in grid.rows] == [30.0, 32.0, 26.0, 28.0]
    assert [row[column].kind for row in grid.rows] == ["number", "best"] * 2
    assert grid.rows[1][column].text.startswith("32.00 [31.00, 33.00]")
    assert [row[2].text for row in grid.rows] == ["3"] * 4
    lower = grid.columns.index("NIQE ↓")
    assert [row[lower].kind for row in grid.rows] == ["number", "best"] * 2
    (grid,) = cost_grid(aggregate)
    assert [cell.text for cell in grid.rows[0]] == ["ours <b>", "4.00", "300", "4.00", "–"]
    assert len(grid.rows) == 1
    (grid,) = difference_grid(aggregate)
    assert aggregate.subject == "ours <b>"
    psnr = [row for row in grid.rows if row[2].text == "PSNR (dB)"]
    assert [row[4].text for row in psnr] == ["2.00 [2.00, 2.00]"] * 2
    assert [row[1].text for row in psnr] == ["input"] * 2


def test_a_method_on_fewer_images_says_so(run: Run) -> None:
    first = next(row for row in run.rows if row.method == "ours <b>")
    run.rows[run.rows.index(first)] = replace(first, values={"niqe": 1.0})
    grid = means_grid(Aggregate(run, "sweep"), "T")
    assert grid.rows[1][3].text.endswith("(2 of 3 images)")


def test_printed_figures_stand_beside_ours_and_none_is_invented(aggregate: Aggregate) -> None:
    grid, _ = paper_grids(aggregate, papers_of("sr4"))
    rows = {row[0].text: row for row in grid.rows}
    assert grid.columns[1:3] == ["PSNR (dB) ↑ here", "PSNR (dB) ↑ printed"]
    assert [cell.text for cell in rows["StableSR"][1:3]] == ["not given", "32.08 / 23.26"]
    assert rows["ours <b>"][1].value == 32.0 and rows["ours <b>"][2].text == "–"
    assert rows["ours <b>"][3].text == "not measured"
    assert "Other sources: StableSR, PSNR (dB) 23.26: arXiv 2305.07015" in grid.note


def test_sets_of_photos_are_not_mixed_beside_the_paper(run: Run) -> None:
    names = ("RealSR", "DRealSR")
    run.cases = [replace(case, dataset=name) for case, name in zip(run.cases, names, strict=True)]
    run.rows = [
        replace(
            row,
            dataset=names[0] if row.value == 1.0 else names[1],
            values={"clip-iqa": row.values["psnr"]},
        )
        for row in run.rows
    ]
    grids = paper_grids(Aggregate(run, "sweep"), papers_of("real-sr"))
    assert [grid.title.split(": ")[1].split(",")[0] for grid in grids] == [*names]
    ours = [row[1].value for grid in grids for row in grid.rows if row[0].text == "ours <b>"]
    assert ours == [32.0, 28.0]


def test_curves_have_a_line_for_each_method_and_scatters_a_panel_for_each_case(
    aggregate: Aggregate,
) -> None:
    (plot,) = curves(aggregate, "c", "level", ("psnr", "ssim"))
    (panel,) = plot.panels
    assert [line.label for line in panel.lines] == [*METHODS]
    assert panel.lines[1].x == [1.0, 5.0] and panel.lines[1].y == [32.0, 28.0]
    assert panel.lines[1].low is not None and panel.lines[1].low[0] == 31.0
    (plot,) = scatter(aggregate, "s", "psnr", "niqe", "N")
    assert [panel.title for panel in plot.panels] == ["Set, blur, level 1", "Set, blur, level 5"]
    assert plot.panels[1].lines[0].x == [26.0] and plot.panels[1].lines[0].y == [10.0]
    assert scatter(aggregate, "s", "psnr", "ssim", "N") == []


def test_plots_are_written_twice_and_the_same_every_time(tmp_path: Path) -> None:
    line = Line("one", [1.0, 2.0], [3.0, 5.0], [2.0, 4.0], [4.0, 6.0])
    plot = Plot("p", "P", "text", [Panel("x", "y", [line], log="x")])
    figure = save(plot, "table", tmp_path)
    svg = (tmp_path / "plots" / "table-p.svg").read_bytes()
    png = (tmp_path / "plots" / "table-p.png").read_bytes()
    assert figure.stem == "table-p" and svg.startswith(b"<?xml") and png[:4] == b"\x89PNG"
    save(plot, "table", tmp_path)
    assert (tmp_path / "plots" / "table-p.svg").read_bytes() == svg


def test_scenes_show_the_best_and_the_worst_of_the_subject(run: Run, tmp_path: Path) -> None:
    for row in run.rows:
        if row.method == "ours <b>" and row.image == "b":
            run.rows[run.rows.index(row)] = replace(row, values={"psnr": 90.0})
        if row.method == "ours <b>" and row.image == "c":
            run.rows[run.rows.index(row)] = replace(row, values={"psnr": 1.0})
    apart = tmp_path / "apart"
    apart.mkdir()
    for path in run.cases[1].inputs.iterdir():
        shutil.copy(path, apart)
    run.cases = [run.cases[0], replace(run.cases[1], inputs=apart)]
    scenes = scenes_of(Aggregate(run, "sweep"), run.out)
    assert [scene.title.split(": ")[1] for scene in scenes] == [
        "ours <b>'s worst, c",
        "ours <b>'s best, b",
    ] * 2
    assert [p.label for p in scenes[0].pictures] == ["damaged", "ours <b>", "clean"]
    assert "ours <b> 1.00" in scenes[0].caption and scenes[0].focus == "ours <b>"


def test_cases_are_one_scene_when_their_inputs_are_the_same(run: Run) -> None:
    scenes = scenes_of(Aggregate(run, "sweep"), run.out)
    assert len(scenes) == 2 and scenes[0].title.startswith("Set, blur: ours <b>'s worst")
    assert [picture.label for picture in scenes[0].pictures] == [
        "damaged",
        "ours <b>, level 1",
        "ours <b>, level 5",
        "clean",
    ]
    assert "input, level 1 29.00" in scenes[0].caption
    assert scenes[0].focus == "ours <b>, level 5"


def test_edits_are_one_scene_that_names_each(run: Run) -> None:
    kinds = ("gray-red", "gray-blue")
    run.cases = [
        replace(case, degradation=kind, parameter="", value=None)
        for case, kind in zip(run.cases, kinds, strict=True)
    ]
    run.rows = [
        replace(row, degradation=kinds[row.value == 5], parameter="", value=None)
        for row in run.rows
    ]
    (scene, _) = scenes_of(Aggregate(run, "sweep"), run.out)
    assert scene.title.startswith("Set, gray: ")
    assert "input, gray-red 29.00" in scene.caption and "gray-blue" in scene.caption


def test_a_section_survives_its_file(aggregate: Aggregate, tmp_path: Path) -> None:
    section = Section("n", "N", "s", "r", [means_grid(aggregate, "T")], notes=["one"])
    section.scenes = scenes_of(aggregate, aggregate.run.out)
    section.write(tmp_path / "n.json")
    assert Section.read(tmp_path / "n.json") == section


def test_markdown_keeps_to_its_columns_when_names_have_bars() -> None:
    grid = Grid("G", ["a", "b"], [[Cell("x | y"), Cell("1", 1.0, "best")]])
    text = markdown(Section("n", "N", "s", "r", [grid]))
    assert "| x / y | **1** |" in text.splitlines()


def test_a_page_asks_for_nothing_outside_itself(aggregate: Aggregate) -> None:
    run = aggregate.run
    section = Section("sweep", "Sweep & more", "s", "r", [means_grid(aggregate, "T")])
    section.figures = [
        save(plot, "sweep", run.out) for plot in curves(aggregate, "c", "l", ["psnr"])
    ]
    section.scenes = scenes_of(aggregate, run.out)
    write_report(section, run, run.out, ["sweep"])
    text = (run.out / "report.html").read_text("utf-8")
    page = Page(text)
    assert page.open == []
    assert all(a.startswith(("data:image/", "#")) for a in page.addresses)
    assert all(a[1:] in page.ids for a in page.addresses if a.startswith("#"))
    assert "default-src 'none'" in text and not re.search(r"https?://", text.split("<body>")[1])
    assert "ours <b>" in page.text and "Sweep & more" in page.text
    jpegs = [a for a in page.addresses if a.startswith("data:image/jpeg")]
    assert len(jpegs) == sum(len(scene.pictures) for scene in section.scenes)


def test_a_report_keeps_the_sections_of_other_tables_and_its_manifest_seed_and_options(
    run: Run,
) -> None:
    write_report(Section("b", "Second", "s", "r"), run, run.out, ["a", "b"])
    write_report(Section("a", "First", "s", "r"), run, run.out, ["a", "b"])
    write_report(Section("b", "Second again", "s", "r"), run, run.out, ["a", "b"])
    text = (run.out / "tables.md").read_text("utf-8")
    assert text.index("## First") < text.index("## Second again") and "## Second\n" not in text
    manifest = json.loads((run.out / "bench.json").read_text("utf-8"))
    assert set(manifest["tables"]) == {"a", "b"} and manifest["versions"]["numpy"]
    write_report(Section("sweep", "S", "s", "r"), run, run.out, ["sweep"])
    own = json.loads((run.out / "bench.json").read_text("utf-8"))["tables"]["sweep"]
    case = own["cases"]["Set-blur-level=5"]
    assert case["seed"] == 5 and case["images"] == 3 and case["options"] == {"seed": "5"}
    assert own["failures"] == ["it crashed"]


def test_pictures_are_cut_to_where_they_differ_and_small_ones_enlarged(tmp_path: Path) -> None:
    clean = np.full((600, 500, 3), 90, np.uint8)
    other = clean.copy()
    other[400:420, 300:320] = 255
    small = cv2.resize(clean, (125, 150))
    for name, image in (("lq", small), ("hq", clean), ("out", other)):
        assert cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    pictures = [SceneImage(name, f"{name}.png") for name in ("lq", "out", "hq")]
    section = Section("n", "N", "s", "r", scenes=[Scene("t", "c", pictures, "out")])
    shown, left = encode_scenes([section], tmp_path)
    images = [decoded(uri) for _, uri in shown["n"][0].pictures]
    assert left == 0 and {image.shape for image in images} == {
        (report_pictures.SIDE, report_pictures.SIDE, 3)
    }
    assert images[1].max() > 240 and images[2].max() < 110


def test_pictures_over_the_budget_are_left_out_and_counted(
    aggregate: Aggregate, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes = scenes_of(aggregate, aggregate.run.out)
    section = Section("n", "N", "s", "r", scenes=scenes)
    shown, _ = encode_scenes([section], aggregate.run.out)
    monkeypatch.setattr(report_pictures, "BUDGET", shown["n"][0].size)
    fewer, left = encode_scenes([section], aggregate.run.out)
    assert len(fewer["n"]) == 1 and left == len(scenes) - 1


def test_a_scene_whose_picture_has_gone_is_left_out(aggregate: Aggregate) -> None:
    scenes = scenes_of(aggregate, aggregate.run.out)
    (aggregate.run.out / scenes[0].pictures[1].path).unlink()
    shown, left = encode_scenes([Section("n", "N", "s", "r", scenes=scenes)], aggregate.run.out)
    assert left == 1 and len(shown["n"]) == len(scenes) - 1


def decoded(uri: str) -> np.ndarray:
    import base64

    code = np.frombuffer(base64.b64decode(uri.split(",")[1]), np.uint8)
    image = cv2.imdecode(code, cv2.IMREAD_COLOR)
    assert image is not None
    return image
