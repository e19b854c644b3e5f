from __future__ import annotations

from pathlib import Path

import pytest

from unfade.errors import UsageError
from unfade.eval.matching import match_folders


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_files_match_by_their_stem_below_the_folders(tmp_path: Path) -> None:
    clean = make(tmp_path / "clean", "b.png", "sub/a.tif", "v1.2.jpg", "notes.txt")
    ours = make(tmp_path / "ours", "b.JPG", "sub/a.png", "v1.2.png", "b.json")
    matches, problems = match_folders({"ours": ours}, clean)
    assert [m.name for m in matches] == ["b", "sub/a", "v1.2"]
    assert matches[1].reference == clean / "sub/a.tif"
    assert matches[1].results == {"ours": ours / "sub/a.png"}
    assert problems == []


def test_what_has_no_partner_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    clean = make(tmp_path / "clean", "a.png", "b.png", "c.png")
    ours = make(tmp_path / "ours", "a.png", "b.png")
    theirs = make(tmp_path / "theirs", "a.png", "d.png")
    matches, problems = match_folders({"ours": ours, "theirs": theirs}, clean)
    assert {m.name: list(m.results) for m in matches} == {"a": ["ours", "theirs"], "b": ["ours"]}
    texts = sorted(f"{p.path and p.path.name} {p.got}" for p in problems)
    assert texts == [
        "b.png no result of theirs",
        "c.png no result of ours",
        "c.png no result of theirs",
        "d.png no reference",
    ]


def test_hidden_and_ignored_files_are_no_results_and_doubles_a_problem(tmp_path: Path) -> None:
    clean = make(tmp_path / "clean", "a.png")
    ours = make(tmp_path / "ours", "a.png", "a.compare.png", ".a.png", ".thumbs/a.png")
    matches, problems = match_folders({"ours": ours}, clean, ignored=".compare.png")
    assert len(matches) == 1 and problems == []
    clean = make(tmp_path / "clean", "a.png", "b.png")
    ours = make(tmp_path / "ours", "a.png", "a.jpg", "b.png")
    matches, problems = match_folders({"ours": ours}, clean)
    assert [m.name for m in matches] == ["b"]
    assert any("2 files called a.*" in str(p) for p in problems)


@pytest.mark.parametrize("case", ["missing", "empty", "strangers"])
def test_folders_that_give_nothing_are_refused(tmp_path: Path, case: str) -> None:
    clean = make(tmp_path / "clean", "a.png")
    ours = tmp_path / "ours"
    if case == "empty":
        make(ours, "a.txt")
    if case == "strangers":
        make(ours, "z.png")
    with pytest.raises(UsageError, match="ours"):
        match_folders({"ours": ours}, clean)
