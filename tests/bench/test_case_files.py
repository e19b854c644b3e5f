from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from unfade.bench.case_files import inputs_of, match_outputs, reference_of, references_of
from unfade.bench.cases import Case
from unfade.errors import InputError, UsageError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        (("a.png", "b.png", "c.png"), "a.png b.png"),
        (("a.jpg", "b.TIF"), "a.jpg b.TIF"),
        (("a_out.png", "b_out.png"), "a_out.png b_out.png"),
        (("SR-a.png", "SR-b.png"), "SR-a.png SR-b.png"),
        (("a_out.png", "a_x4.png", "b_x4.png"), "a_x4.png b_x4.png"),
        (("a.png", "b_out.png"), "a.png"),
        (("x.png", "y.png"), ""),
        (("other/a.png", "other/b.png"), ""),
    ],
)
def test_outputs_are_matched_by_name_or_one_affix(
    tmp_path: Path, outputs: tuple[str, ...], expected: str
) -> None:
    found = match_outputs(touch(tmp_path, *outputs), ["a", "b"])
    assert " ".join(found[name].name for name in ("a", "b") if name in found) == expected


def test_sub_folders_and_whole_names_are_matched(tmp_path: Path) -> None:
    touch(tmp_path, "1_out.png", "10_out.png", "100_out.png")
    found = match_outputs(tmp_path, ["1", "10", "100"])
    assert {name: path.name for name, path in found.items()} == {
        "1": "1_out.png",
        "10": "10_out.png",
        "100": "100_out.png",
    }
    touch(tmp_path, "x/a.png", "y/a.png")
    assert set(match_outputs(tmp_path, ["x/a", "y/a"])) == {"x/a", "y/a"}


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 files called a"):
        match_outputs(touch(tmp_path, "a.png", "a.jpg"), ["a"])


def test_references_are_found_whatever_their_suffix(make_case: Callable[..., Case]) -> None:
    case = make_case(images=("a", "sub/b"))
    assert case.references is not None
    (case.references / "a.png").rename(case.references / "a.PNG")
    assert list(inputs_of(case)) == ["a", "sub/b"]
    assert reference_of(case, "a") == case.references / "a.PNG"
    assert references_of(case)["sub/b"] == reference_of(case, "sub/b")
    assert references_of(replace(case, references=None)) == {}
    assert reference_of(replace(case, references=None), "a") is None


def test_missing_references_are_named(make_case: Callable[..., Case]) -> None:
    case = make_case(images=tuple("abcdef"))
    assert case.references is not None
    for name in "bcdef":
        (case.references / f"{name}.png").unlink()
    with pytest.raises(UsageError, match=r"b, c, d and 2 more \(5 of 6\)"):
        references_of(case)
