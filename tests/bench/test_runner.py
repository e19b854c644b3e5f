from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from unfade.bench.cases import Case, Cost
from unfade.bench.methods.base import Method
from unfade.bench.methods.names import parse_methods
from unfade.bench.runner import Run, run_cases
from unfade.errors import InputError, UnfadeError, UsageError
from unfade.eval.rows import read_rows
from unfade.options import RestoreOptions

MakeCase = Callable[..., Case]
MakeProgram = Callable[[str], str]
COPY = "cv2.imwrite(str(target / path.name), image)"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def run(
    cases: Sequence[Case],
    methods: Sequence[str | Method],
    out: Path,
    metrics: Sequence[str] = ("psnr",),
) -> Run:
    known = [parse_methods([m])[0] if isinstance(m, str) else m for m in methods]
    return run_cases(cases, known, out, metrics=metrics)


@dataclass
class Counting:
    """Copies inputs, and remembers which; stops as Ctrl-C does before the image `stop_at`."""

    name: str = "counting"
    takes_whole_case: bool = False
    stop_at: str = ""
    version: int = 1
    seen: list[str] = field(default_factory=list)

    def check(self, cases: Sequence[Case]) -> None:
        pass

    def identity(self, case: Case) -> Mapping[str, int]:
        return {"version": self.version}

    def restore_folder(
        self, case: Case, images: Mapping[str, Path], outputs: Path, log: Path
    ) -> Cost:
        for name, path in images.items():
            if name == self.stop_at:
                raise KeyboardInterrupt
            (outputs / f"{name}.png").write_bytes(path.read_bytes())
            self.seen.append(name)
        return Cost(len(images), 1.0, 2.0, 3.0, 4)


def test_rows_hold_the_scores_of_each_method(make_case: MakeCase, out: Path) -> None:
    case = make_case()
    result = run([case], ["input", "first-stage"], out, ["psnr", "ssim"])
    assert [(row.method, row.image) for row in result.rows] == [
        (method, image) for method in ("input", "first-stage") for image in "abc"
    ]
    assert case.references is not None
    hq, lq = (cv2.imread(str(folder / "a.png")) for folder in (case.references, case.inputs))
    expected = peak_signal_noise_ratio(hq, lq)  # pyright: ignore
    assert result.rows[0].values["psnr"] == pytest.approx(expected, abs=1e-4)
    assert set(result.rows[0].values) == {"psnr", "ssim"}
    assert result.rows == sorted(read_rows(out / "rows.parquet"), key=lambda r: r.method != "input")
    cost = result.costs["table", "Set-noise", "first-stage"]
    assert cost.images == 3 and cost.parameters is not None and cost.parameters > 1_000_000
    assert cost.megapixels == pytest.approx(3 * 48 * 48 / 1e6)
    assert result.failures == [] and result.notes == []


def test_only_what_another_identity_or_metric_asks_for_is_done_again(
    make_case: MakeCase, out: Path
) -> None:
    first, again = Counting(), Counting()
    one = run([make_case()], [first], out)
    two = run([make_case()], [again], out)
    assert first.seen == ["a", "b", "c"] and again.seen == []
    assert two.rows == one.rows and two.costs == one.costs
    run([make_case()], [Counting()], out)
    again = Counting(version=2)
    run([make_case()], [again], out)
    assert again.seen == ["a", "b", "c"]
    run([make_case()], [Counting()], out)
    again = Counting()
    result = run([make_case()], [again], out, ["psnr", "gmsd"])
    assert again.seen == [] and set(result.rows[0].values) == {"psnr", "gmsd"}


def test_results_outlast_an_interruption(make_case: MakeCase, out: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run([make_case()], [Counting(stop_at="c")], out)
    rest = Counting()
    result = run([make_case()], [rest], out)
    assert rest.seen == ["c"]
    assert len(result.rows) == 3
    assert result.costs["table", "Set-noise", "counting"] == Cost(3, 3.0, 6.0, 3.0, 4)


def test_changed_inputs_results_and_references_are_done_again(
    make_case: MakeCase, out: Path
) -> None:
    case = make_case()
    first = run([case], [Counting()], out)
    first.result(case, "counting", "a").write_bytes(b"something else")
    first.result(case, "counting", "b").unlink()
    again = Counting()
    assert run([case], [again], out).rows == first.rows
    assert again.seen == ["a", "b"]
    run([case], [Counting()], out)
    cv2.imwrite(str(case.inputs / "b.png"), np.full((48, 48, 3), 90, np.uint8))
    again = Counting()
    result = run([case], [again], out)
    assert again.seen == ["b"]
    assert result.rows[1].values["psnr"] < result.rows[0].values["psnr"]
    before = run([case], [Counting()], out)
    assert case.references is not None
    cv2.imwrite(str(case.references / "b.png"), np.full((48, 48, 3), 90, np.uint8))
    again = Counting()
    after = run([case], [again], out)
    assert again.seen == []
    assert [a == b for a, b in zip(after.rows, before.rows, strict=True)] == [True, False, True]


def test_set_measures_are_measured_and_kept(make_case: MakeCase, out: Path) -> None:
    case = make_case(side=200, images=("a", "b"))
    first = run([case], ["input"], out, ["psnr", "patch-fd"])
    assert first.distances["table", "Set-noise", "input"]["patch-fd"].mean > 0
    again = run([case], ["input"], out, ["psnr", "patch-fd"])
    assert repr(again.distances) == repr(first.distances)  # two photos have no interval: NaN


def test_a_table_of_its_own_measures_is_cached(make_case: MakeCase, out: Path) -> None:
    asked: list[str] = []

    def brightness(case: Case, image: str, result: Path) -> float:
        asked.append(image)
        if image == "b":
            raise InputError("nothing", "something", "look")
        return float(cv2.imread(str(result)).mean())  # pyright: ignore

    for _ in range(2):
        result = run_cases(
            [make_case()], [Counting()], out, metrics=["psnr"], extra={"brightness": brightness}
        )
    assert asked == ["a", "b", "c"]
    assert ["brightness" in row.values for row in result.rows] == [True, False, True]  # pyright: ignore
    assert any("brightness of counting is undefined for 1 of 3" in note for note in result.notes)  # pyright: ignore


def test_a_crash_is_recorded_and_the_others_go_on(
    make_case: MakeCase, make_program: MakeProgram, out: Path
) -> None:
    crash = make_program(f"{COPY}\nif path.stem == 'b': sys.exit('out of paper')")
    result = run([make_case()], [f"broken={crash}", f"copy={make_program(COPY)}"], out)
    assert [row.method for row in result.rows] == ["copy"] * 3
    (failure,) = result.failures
    assert (failure.method, failure.image) == ("broken", None)
    assert "exit code 1" in failure.error and "out of paper" in failure.error
    assert "out of paper" in (out / "logs/table/Set-noise/broken.log").read_text()
    assert result.notes == ["table/Set-noise: broken is scored on 0 of 3 images."]
    assert json.loads((out / "failures.json").read_text())[0]["method"] == "broken"
    assert not list((out / "results/table/Set-noise/broken").iterdir())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("cv2.imwrite(str(target / path.name), image[1:])", "48 x 47 pixels"),
        ("cv2.imwrite(str(target / path.name), image[..., 0])", "gray"),
        ("(target / path.name).write_bytes(b'no picture')", "b.png is a text file"),
        ("pass", "no result"),
    ],
)
def test_results_that_cannot_be_used_are_told_one_by_one(
    make_case: MakeCase, make_program: MakeProgram, out: Path, body: str, words: str
) -> None:
    own = f"if path.stem == 'b':\n    {body}\nelse:\n    {COPY}"
    result = run([make_case()], [f"theirs={make_program(own)}", "input"], out)
    assert [row.image for row in result.rows] == ["a", "c", "a", "b", "c"]
    (failure,) = result.failures
    assert failure.image == "b" and words in failure.error
    assert "theirs is scored on 2 of 3 images" in result.notes[0]


def test_a_program_that_failed_is_run_again(
    make_case: MakeCase, make_program: MakeProgram, tmp_path: Path, out: Path
) -> None:
    flag = tmp_path / "flag"
    method = f"theirs={make_program(f'if pathlib.Path({str(flag)!r}).exists(): {COPY}')}"
    assert len(run([make_case()], [method], out).rows) == 0
    flag.touch()
    result = run([make_case()], [method], out)
    assert len(result.rows) == 3 and result.failures == []


def test_niqe_of_small_photos_is_missing_and_no_failure(make_case: MakeCase, out: Path) -> None:
    result = run([make_case()], ["input"], out, ["psnr", "niqe"])
    assert all(set(row.values) == {"psnr"} for row in result.rows)
    assert result.failures == []
    assert result.notes == ["table/Set-noise: niqe of input is undefined for 3 of 3 images."]


def test_a_case_without_references_takes_what_needs_none_and_refuses_the_rest(
    make_case: MakeCase, out: Path
) -> None:
    case = replace(make_case(), references=None)
    result = run([case], ["input"], out, ["psnr", "colourfulness"])
    assert [set(row.values) for row in result.rows] == [{"colourfulness"}] * 3
    assert "no psnr" in result.notes[0]
    with pytest.raises(UsageError, match="no references"):
        run([replace(make_case(), references=None)], ["input"], out, ["psnr"])


def test_methods_take_part_in_their_cases_only(make_case: MakeCase, out: Path) -> None:
    cases = [make_case("one", methods=("input",)), make_case("two")]
    result = run(cases, ["input", "lanczos"], out)
    assert {(row.degradation, row.method) for row in result.rows} == {
        ("one", "input"),
        ("two", "input"),
        ("two", "lanczos"),
    }


def test_rows_of_other_tables_stay(make_case: MakeCase, out: Path) -> None:
    run([make_case(table="one")], ["input"], out)
    run([make_case(table="two")], ["input"], out)
    run([make_case(table="two")], ["bicubic"], out)
    rows = read_rows(out / "rows.parquet")
    assert {(row.table, row.method) for row in rows} == {("one", "input"), ("two", "bicubic")}
    lines = json.loads((out / "costs.json").read_text())
    assert {(line["table"], line["method"]) for line in lines} == {
        ("one", "input"),
        ("two", "bicubic"),
    }


def test_gray_photos_are_compared_with_colour_ones(make_case: MakeCase, out: Path) -> None:
    options = RestoreOptions(task="colorize", device="cpu")
    case = make_case(options=options)
    for path in case.inputs.iterdir():
        gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert gray is not None and cv2.imwrite(str(path), gray)
    result = run([case], ["input", "opencv", "first-stage"], out)
    assert len(result.rows) == 9 and result.failures == []


def test_progress_ends_with_all_of_the_work(make_case: MakeCase, out: Path) -> None:
    steps: list[tuple[int, int, str]] = []
    methods = parse_methods(["input", "lanczos"])
    for _ in range(2):
        run_cases(
            [make_case()],
            methods,
            out,
            metrics=["psnr"],
            progress=lambda done, whole, text: steps.append((done, whole, text)),
        )
        assert steps[-1][:2] == (12, 12)
    assert [step[0] for step in steps[: len(steps) // 2]] == sorted(
        step[0] for step in steps[: len(steps) // 2]
    )


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda case: (case.references / "b.png").unlink(), "no reference of b (1 of 3)"),
        (lambda case: cv2.imwrite(str(case.references / "b.png"), np.ones((9, 9, 3))), "9 x 9"),
        (lambda case: (case.inputs / "b.png").write_bytes(b"broken"), "b.png"),
        (lambda case: [path.unlink() for path in case.inputs.iterdir()], "without photos"),
        (lambda case: (case.inputs / "a.jpg").write_bytes(b""), "2 files called a"),
    ],
)
def test_wrong_photos_are_refused_before_anything_runs(
    make_case: MakeCase, out: Path, spoil: Callable[[Case], object], words: str
) -> None:
    cases = [make_case("good"), make_case("bad")]
    spoil(cases[1])
    method = Counting()
    with pytest.raises(UnfadeError) as caught:
        run(cases, [method], out)
    assert words in str(caught.value) and method.seen == []


@pytest.mark.parametrize(
    ("methods", "metrics", "words"),
    [
        (["input", "input"], ["psnr"], "two methods called 'input'"),
        ([], ["psnr"], "no method"),
        (["lanczos"], ["psnr"], "no method for table/Set-noise"),
        (["input"], ["beauty"], "metric 'beauty'"),
        (["input"], ["psnr", "ssim-lq"], "metric 'ssim-lq'"),
        (["input"], [], "no metric"),
        (["x=no-such-program {input} {output}", "input"], ["psnr"], "no program here"),
        (["x='run {input} {output}", "input"], ["psnr"], "no closing quotation"),
        (["x=run {input}", "input"], ["psnr"], "without {output}"),
    ],
)
def test_wrong_methods_and_metrics_are_refused_before_anything_runs(
    make_case: MakeCase, out: Path, methods: list[str], metrics: list[str], words: str
) -> None:
    case = make_case(methods=("input", "x"))
    with pytest.raises(UsageError) as caught:
        run([case], methods, out, metrics)
    assert words in str(caught.value)
    assert not (out / "results").exists()
