from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import pytest

from unfade.bench.cases import Case, Cost
from unfade.bench.runner import Run, run_cases

MakeCase = Callable[..., Case]


@dataclass
class Counting:
    """Copies inputs, and remembers which; a version for each degradation where told so."""

    versions: Mapping[str, int] = field(default_factory=dict)
    name: str = "counting.1"
    takes_whole_case: bool = False
    seen: list[str] = field(default_factory=list)

    def check(self, cases: Sequence[Case]) -> None:
        pass

    def identity(self, case: Case) -> Mapping[str, int]:
        return {"version": self.versions.get(case.degradation, 0)}

    def restore_folder(
        self, case: Case, images: Mapping[str, Path], outputs: Path, log: Path
    ) -> Cost:
        for name, path in images.items():
            (outputs / f"{name}.png").write_bytes(path.read_bytes())
            self.seen.append(name)
        return Cost(len(images), 0.5 * len(images), 2.0 * len(images), 3.0, 4)


@pytest.fixture
def cases(make_case: MakeCase) -> list[Case]:
    """Two tables with the same three inputs."""
    case = make_case(table="one")
    return [case, replace(case, table="two", degradation="again")]


def run(cases: Sequence[Case], method: Counting, out: Path) -> Run:
    return run_cases(cases, [method], out, metrics=["psnr"])


def test_a_result_is_made_once_when_two_tables_ask_for_it(
    cases: list[Case], tmp_path: Path
) -> None:
    method = Counting()
    result = run(cases, method, tmp_path)
    assert method.seen == ["a", "b", "c"]
    first, second = (result.rows_of(case, method.name) for case in cases)
    assert [row.values for row in first] == [row.values for row in second] and len(second) == 3
    assert result.costs["two", cases[1].name, method.name] == Cost(3, 1.5, 6.0, 3.0, 4)


def test_nothing_is_borrowed_when_the_options_differ(cases: list[Case], tmp_path: Path) -> None:
    method = Counting({"again": 1})
    run(cases, method, tmp_path)
    assert method.seen == ["a", "b", "c"] * 2


def test_nothing_is_borrowed_when_the_input_differs(cases: list[Case], tmp_path: Path) -> None:
    run(cases[:1], Counting(), tmp_path)
    path = cases[1].inputs / "b.png"
    image = cv2.imread(str(path))
    assert image is not None and cv2.imwrite(str(path), 255 - image)
    method = Counting()
    run(cases[1:], method, tmp_path)
    assert method.seen == ["b"]


def test_nothing_is_borrowed_when_the_result_was_tampered_with(
    cases: list[Case], tmp_path: Path
) -> None:
    first = run(cases[:1], Counting(), tmp_path)
    first.result(cases[0], "counting.1", "c").write_bytes(b"something else")
    method = Counting()
    run(cases[1:], method, tmp_path)
    assert method.seen == ["c"]


def test_nothing_is_borrowed_when_a_program_is_timed(cases: list[Case], tmp_path: Path) -> None:
    method = Counting(takes_whole_case=True)
    run(cases, method, tmp_path)
    assert method.seen == ["a", "b", "c"] * 2


def test_nothing_is_borrowed_when_the_references_are_gray(
    cases: list[Case], tmp_path: Path
) -> None:
    references = tmp_path / "gray"
    references.mkdir()
    assert cases[0].references is not None
    for path in cases[0].references.iterdir():
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert image is not None and cv2.imwrite(str(references / path.name), image)
    method = Counting()
    result = run([cases[0], replace(cases[1], references=references)], method, tmp_path / "out")
    assert method.seen == ["a", "b", "c"] * 2  # and refused, as it should be
    assert len(result.failures) == 3 and "colour" in result.failures[0].error
