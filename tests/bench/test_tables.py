"""The tables from photos to report, with the classics and a tiny diffusion model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from unfade.bench import prepare
from unfade.bench.cases import Case
from unfade.bench.methods.autoencoder import Autoencoder
from unfade.bench.methods.names import parse_methods
from unfade.bench.run import Run
from unfade.bench.run_table import NO_DIFFUSION, cases_with_able_methods, run_table
from unfade.bench.sections import Section
from unfade.bench.tables import TABLES, base, in_order
from unfade.bench.tables.base import ORDER
from unfade.bench.tables.experiments import swap_of
from unfade.bench.tables.study import damaged_again, retention_rate
from unfade.bench.user_folders import USER_FOLDERS
from unfade.errors import UsageError
from unfade.eval.images import Protocol

Bench = Callable[..., Run]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two photos with captions, and crops that are small enough to be quick."""
    monkeypatch.setattr(prepare, "QUICK_SIDE", 64)
    folder = tmp_path / "photos"
    folder.mkdir()
    lines: list[str] = []
    for i in range(2):
        noise = np.random.default_rng(i).integers(30, 220, (9, 12, 3), dtype=np.uint8)
        large = cv2.resize(noise, (96, 72), interpolation=cv2.INTER_CUBIC)
        assert cv2.imwrite(str(folder / f"p{i}.png"), large)
        lines.append(json.dumps({"file": f"p{i}.png", "captions": ["a red dress"]}))
    (folder / "captions.jsonl").write_text("\n".join(lines), "utf-8")
    return folder


@pytest.fixture
def bench(photos: Path, tmp_path: Path) -> Bench:
    """Runs one table with these methods."""

    def call(name: str, *methods: str) -> Run:
        return run_table(
            TABLES[name], parse_methods(methods), photos, tmp_path / "out", quick=True, seed=0
        )

    return call


@pytest.fixture
def tiny(tiny_preset: Path) -> str:
    """A preset with a diffusion model, in one step."""
    return f"tiny={tiny_preset}:steps=1,device=cpu"


def section(run: Run, name: str) -> Section:
    return Section.read(run.out / "sections" / f"{name}.json")


def cells(found: Section, title: str) -> list[list[str]]:
    (grid,) = (grid for grid in found.grids if grid.title.startswith(title))
    return [[cell.text for cell in row] for row in grid.rows]


def test_every_table_has_a_name_a_place_and_a_text() -> None:
    assert [*TABLES] == [name for name in ORDER if name != USER_FOLDERS]
    for name, table in TABLES.items():
        assert table.name == name and table.title and table.reading.endswith((".", ")"))
        assert "arXiv" in table.source and table.methods and table.metrics


def test_a_table_without_a_place_is_refused() -> None:
    blur, p_iide = TABLES["blur-levels"], TABLES["p-iide"]
    assert [*in_order([blur, p_iide])] == ["p-iide", "blur-levels"]
    with pytest.raises(ValueError, match="table 'sharpness'"):
        in_order([replace(blur, name="sharpness")])


@pytest.mark.parametrize("name", TABLES)
def test_every_table_builds_cases_of_its_own(photos: Path, tmp_path: Path, name: str) -> None:
    cases = TABLES[name].build(photos, tmp_path / "work", True, 3)
    assert cases and {case.table for case in cases} == {name}
    assert len({case.name for case in cases}) == len(cases)
    for case in cases:
        inputs = sorted(path.name for path in case.inputs.iterdir())
        assert inputs and case.references is not None
        assert sorted(path.name for path in case.references.iterdir()) == inputs
        assert case.options.seed in (3, 4)
        if case.options.strength != "auto" and case.options.task != "colorize":
            assert case.options.posterior_mean == 0  # at 1 sampling ends after its first step


def test_a_table_ends_in_rows_tables_plots_and_a_report(bench: Bench) -> None:
    run = bench("blur-levels", "input", "lanczos")
    assert len(run.rows) == 3 * 2 * 2
    for name in ("rows.parquet", "tables.md", "report.html", "bench.json"):
        assert (run.out / name).is_file()
    assert (run.out / "plots" / "blur-levels-curves.svg").is_file()
    found = section(run, "blur-levels")
    assert len(found.scenes) == 6 and "2 of 2 photos, crops of 64 x 64" in found.notes[0]


def test_the_papers_rows_stand_beside_ours(bench: Bench) -> None:
    run = bench("sr4", "input", "StableSR=lanczos")
    rows = {row[0]: row[1:] for row in cells(section(run, "sr4"), "Beside the paper")}
    assert rows["StableSR"][1] == "32.08 / 23.26" and rows["StableSR"][0] != "not given"
    assert rows["Ours"][:2] == ["not given", "31.84"]


@pytest.mark.parametrize("name", ["colorize", "steps", "inference-steps"])
def test_a_preset_without_diffusion_is_left_out_in_one_sentence(
    photos: Path, tmp_path: Path, name: str, first_stage_preset: Path
) -> None:
    cases = TABLES[name].build(photos, tmp_path / "work", True, 0)
    methods = parse_methods(["input", f"bare={first_stage_preset}"])
    kept, notes = cases_with_able_methods(cases, TABLES[name].adapt(methods, cases, tmp_path))
    asked = [case for case in kept if "bare" in case.methods]
    assert not asked or name == "inference-steps"
    assert any(note.startswith(f"bare: {NO_DIFFUSION}") for note in notes)
    assert any("input" in case.methods for case in kept)


@pytest.mark.parametrize(
    ("name", "parameter"),
    [("start-noise", "strength"), ("one-step", "strength"), ("fresh-noise", "eta"),
     ("self-condition", "self_condition"), ("steps", "steps")],
)  # fmt: skip
def test_sweeps_set_the_parameter_that_they_name(
    photos: Path, tmp_path: Path, name: str, parameter: str
) -> None:
    cases = TABLES[name].build(photos, tmp_path / "work", True, 0)
    swept = [case for case in cases if case.value is not None]
    assert len({case.value for case in swept}) == 3 == len(swept) / (len(cases) - len(swept))
    assert {case.parameter for case in swept} == {parameter}
    assert all(getattr(case.options, parameter) == case.value for case in swept)
    assert name != "one-step" or {case.options.steps for case in swept} == {1}


def test_sweeps_run_the_steps_that_they_name(bench: Bench, tiny_preset: Path) -> None:
    run = bench("steps", "input", "first-stage", f"tiny={tiny_preset}:device=cpu")
    rows = cells(section(run, "steps"), "Gains over first-stage, and time: photos, blur1")
    assert [row[:3] for row in rows] == [
        ["tiny", "1", "1"],
        ["tiny", "10", "10"],
        ["tiny", "50", "50"],
    ]
    assert all(float(row[3]) > 0 for row in rows)  # seconds
    assert {row.value for row in run.rows if row.method == "input"} == {None}
    psnr = {
        (row.method, row.value, row.image): row.values["psnr"]
        for row in run.rows
        if row.degradation == "blur1"
    }
    gains = [psnr["tiny", 10, i] - psnr["first-stage", None, i] for i in ("p0", "p1")]
    assert float(rows[1][4].split()[0]) == pytest.approx(sum(gains) / 2, abs=0.006)
    results = {
        case.value: run.result(case, "tiny", "p0").read_bytes()
        for case in run.cases
        if case.degradation == "blur1" and case.value is not None
    }
    assert len({*results.values()}) == 3  # 1, 10 and 50 steps differ
    assert {case.degradation for case in run.cases} == {"sr2", "sr4", "blur1"}
    plot = (run.out / "plots" / "steps-curves.svg").read_text("utf-8")
    assert "stroke-dasharray" in plot  # the levels of input and first stage


def test_paper_mode_takes_no_part_where_it_fixes_what_is_swept(
    photos: Path, tmp_path: Path, tiny_preset: Path
) -> None:
    methods = parse_methods([f"printed={tiny_preset}:device=cpu,paper=true"])
    cases = TABLES["start-noise"].build(photos, tmp_path / "work", True, 0)
    kept, notes = cases_with_able_methods(cases, methods)
    assert kept == [] and "paper mode with a sweep of strength" in notes[0]
    cases = TABLES["steps"].build(photos, tmp_path / "work", True, 0)
    kept, _ = cases_with_able_methods(cases, methods)
    assert len(kept) == 3 * 3  # the swept cases of three damages


def test_guidance_is_swept_over_photos_with_their_captions(bench: Bench, tiny: str) -> None:
    run = bench("guidance", tiny)
    rows = cells(section(run, "guidance"), "Guidance by")
    assert [row[:3] for row in rows] == [
        [f"photos, gray, guidance {value}", "tiny", "2"] for value in (1, 4, 8)
    ]
    assert {case.options.prompt for case in run.cases} == {"a red dress"}
    results = {
        case.options.guidance: run.result(case, "tiny", "p0").read_bytes()
        for case in run.cases
        if case.value == 0
    }
    assert len({*results.values()}) == 3


def test_quality_on_the_way_has_a_row_for_each_step(bench: Bench, tiny_preset: Path) -> None:
    run = bench("inference-steps", "input", f"tiny={tiny_preset}:device=cpu")
    values = [row.value for row in run.rows if row.method == "tiny" and row.image == "p0"]
    assert values == [1.0, 10.0, 20.0]


def test_photos_are_coloured_by_their_captions(bench: Bench, tiny: str) -> None:
    run = bench("colorize", "input", tiny)
    assert {case.options.prompt for case in run.cases} == {"a red dress"}
    (first, second) = cells(section(run, "colorize"), "Text-guided")
    assert first[:3] == ["photos, gray", "input", "2"] and second[1:3] == ["tiny", "2"]


def test_edits_that_change_nothing_have_failed(bench: Bench, tiny: str) -> None:
    run = bench("edits", "input", tiny)
    rows = cells(section(run, "edits"), "Failure rate")
    still = [row for row in rows if row[0] == "input"]
    assert len(still) == 6 and {row[4] for row in still} == {"1.00"}
    assert {row[3] for row in rows if row[0] == "tiny"} == {"2"}


def test_autoencoders_of_presets_and_named_ones_are_measured(
    bench: Bench, tiny: str, tiny_preset: Path
) -> None:
    again = f"again={tiny_preset}:strength=1"
    run = bench("autoencoder", "input", tiny, again, f"vae={tiny_preset / 'vae'}")
    rows = {row[1]: row[3:] for row in cells(section(run, "autoencoder"), "The autoencoder")}
    assert set(rows) == {"input", "tiny", "again", "vae", "tiny's autoencoder"}
    assert rows["vae"] == rows["tiny's autoencoder"]


def test_spectra_of_clean_photos_are_those_of_clean_photos(bench: Bench) -> None:
    run = bench("frequencies", "input", "lanczos")
    rows = {(row[0], row[1]): row for row in cells(section(run, "frequencies"), "High")}
    spectrum = 5
    assert rows[("photos, clean", "lanczos")][spectrum].startswith("0.00")
    assert (run.out / "plots" / "frequencies-spectra.svg").is_file()


def test_an_autoencoder_keeps_the_size_of_a_photo(tiny_preset: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    image = np.random.default_rng(0).integers(0, 255, (37, 51, 3), dtype=np.uint8)
    assert cv2.imwrite(str(tmp_path / "in" / "a.png"), image)
    (method,) = parse_methods([f"vae={tiny_preset / 'vae'}"])
    assert isinstance(method, Autoencoder)
    own = Case("autoencoder", "Set", "clean", tmp_path / "in", None)
    method.check([own])
    method.restore_folder(own, {"a": tmp_path / "in" / "a.png"}, tmp_path, tmp_path / "log")
    made = cv2.imread(str(tmp_path / "a.png"))
    assert made is not None and made.shape == (37, 51, 3)
    with pytest.raises(UsageError, match="the autoencoder vae"):
        method.check([Case("t", "Set", "blur5", tmp_path / "in", None)])


@pytest.mark.parametrize(
    ("degradation", "gamma"),
    [
        ("sr2", 0.5),
        ("sr4", 0.25),
        ("blur1", 0.95),
        ("blur20", 0.0),
        ("blur10", 0.5),
        ("noise0.1", 0.9),
        ("blur2+sr4+noise0.05", 0.225),
        ("blur1+sr2+noise0.2", 0.4),
    ],
)
def test_gamma_falls_with_the_degradation(degradation: str, gamma: float) -> None:
    assert retention_rate(degradation) == pytest.approx(gamma)


def test_quality_is_plotted_over_gamma(bench: Bench) -> None:
    run = bench("retention", "input", "lanczos")
    assert {(row.degradation, row.parameter) for row in run.rows} == {
        ("sr", "gamma"),
        ("blur", "gamma"),
        ("noise", "gamma"),
        ("joint", "gamma"),
    }
    assert {row.value for row in run.rows if row.degradation == "sr"} == {0.5, 0.25}
    assert (run.out / "plots" / "retention-curves.svg").is_file()


def test_old_photos_are_compared_with_the_photo_in_colour(photos: Path, tmp_path: Path) -> None:
    colour, target = TABLES["old-photo"].build(photos, tmp_path / "work", True, 0)
    assert colour.degradation == "moderate" and "without lost colours" in target.degradation
    for name in ("p0", "p1"):
        assert colour.references is not None
        inputs = [(case.inputs / f"{name}.png").read_bytes() for case in (colour, target)]
        reference = cv2.imread(str(colour.references / f"{name}.png"))
        photo = cv2.imread(str(photos / f"{name}.png"))
        assert reference is not None and photo is not None
        assert inputs[0] == inputs[1] and np.array_equal(reference, photo[4:68, 16:80])


def test_alignment_of_eq_13_compares_with_the_input(photos: Path, tmp_path: Path) -> None:
    table = TABLES["alignment"]
    score = table.table_measures["alignment-y"].score
    (case,) = (c for c in table.build(photos, tmp_path / "work", True, 0) if "sr2" in c.name)
    assert case.references is not None
    small = cv2.imread(str(case.inputs / "p0.png"))
    assert small is not None
    large = cv2.resize(small, (64, 64), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(tmp_path / "same.png"), large)
    assert score(case, "p0", tmp_path / "same.png") > 0.99
    assert score(case, "p0", case.references / "p1.png") < 0.9


def test_mixtures_are_compared_with_methods_for_one_task(bench: Bench) -> None:
    run = bench("mixtures", *TABLES["mixtures"].methods[:5])
    assert run.failures == [] and len(run.rows) == 5 * 2 * len(run.cases)
    scratched = {
        row.method: row.values["psnr"]
        for row in run.rows
        if row.degradation == "noise+blur" and row.image == "p0"
    }
    assert scratched["opencv-denoise"] > scratched["input"] == scratched["opencv-inpaint"]


def test_a_table_is_measured_on_luma_without_its_border_when_asked(
    photos: Path, tmp_path: Path
) -> None:
    runs = [
        run_table(
            TABLES["sr4"],
            parse_methods(["input"]),
            photos,
            tmp_path / "out",
            quick=True,
            protocol=protocol,
        )
        for protocol in (None, Protocol("y", 4))
    ]
    rgb, luma = (run.rows[0].values["psnr"] for run in runs)
    assert abs(rgb - luma) > 0.1
    assert "on Y, crop border 4" in (tmp_path / "out" / "tables.md").read_text("utf-8")


@pytest.mark.parametrize("name", ["alignment-lq", "ssim-lq"])
def test_alignment_with_the_input_is_one_when_the_output_is_the_clean_photo(
    photos: Path, tmp_path: Path, name: str
) -> None:
    table = TABLES["alignment"]
    for case in table.build(photos, tmp_path / "work", True, 0):
        assert case.references is not None
        score = table.table_measures[name].score
        assert score(case, "p0", case.references / "p0.png") == pytest.approx(1, abs=0.02)
        assert score(case, "p0", case.references / "p1.png") < 0.9


def test_dinov2_is_asked_for_alignment_when_its_weights_are_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = TABLES["alignment"]
    assert [*table.extra] == ["alignment-y", "alignment-lq", "ssim-lq"]
    monkeypatch.setattr(base, "weighted_metrics", lambda: ["dinov2"])
    assert [*table.extra] == ["alignment-y", "alignment-lq", "ssim-lq", "dinov2-lq"]
    assert "dinov2" in table.metrics


@pytest.mark.parametrize(("name", "side"), [("sr2", 8), ("sr4", 4), ("blur20", 16)])
def test_damage_is_done_again_in_the_size_of_the_input(name: str, side: int) -> None:
    image = np.random.default_rng(0).random((16, 16, 3), np.float32)
    assert damaged_again(image, name).shape == (side, side, 3)


@pytest.mark.parametrize(
    ("method", "value"),
    [("p0", 0.0), ("p0.5 seed 1", 0.5), ("p_iide=1", 1.0), ("compact", None), ("p2", None)],
)
def test_swap_settings_are_read_from_names(method: str, value: float | None) -> None:
    assert swap_of(method) == value


def test_presets_are_grouped_by_their_swap_setting(bench: Bench) -> None:
    run = bench("p-iide", "p0 seed 0=input", "p0 seed 1=lanczos", "p1=bicubic")
    rows = cells(section(run, "p-iide"), "By p_iide")
    assert [row[:3] for row in rows] == [
        ["0.0", "photos, moderate", "2"],
        ["0.0", "photos, sr4", "2"],
        ["1.0", "photos, moderate", "1"],
        ["1.0", "photos, sr4", "1"],
    ]
    assert len(rows[0][3].split()) == 2


def test_a_table_without_any_method_that_fits_says_so(bench: Bench, tiny_preset: Path) -> None:
    run = bench("sr4", f"vae={tiny_preset / 'vae'}")
    assert run.rows == [] and "No method that was named can take part." in run.notes
    assert "No method that was named" in (run.out / "report.html").read_text("utf-8")
