from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.archive.helpers import photos, run_here, states

from unfade.archive.planning import list_inputs
from unfade.archive.sources import Input, Search
from unfade.archive.storage import LocalStorage
from unfade.errors import UsageError

MakePhoto = Callable[..., Path]


def found(src: Path | str, skip: Path | str = "") -> list[Input]:
    return list(Search(str(src), str(skip)))


def keys(src: Path | str, skip: Path | str = "") -> list[str]:
    return [one.key for one in found(src, skip)]


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_tree_is_sorted_and_passes_over_what_is_no_photo(tmp_path: Path) -> None:
    root = tmp_path / "scans"
    touch(root / "b.jpg", root / "a/x.tif", root / "a/y.PNG", root / "a/notes.txt",
          root / ".hidden/z.jpg", root / "@eaDir/t.jpg", root / "out/r.jpg", root / "c.heic",
          root / "b.compare.png")  # fmt: skip
    search = Search(str(root), str(root / "out"))
    assert [one.key for one in search] == ["b.jpg", "a/x.tif", "a/y.PNG"]
    assert search.left_out == {".heic file, which cannot be read": 1, "folder @eaDir": 1}


def test_single_photo_glob_and_list_name_the_same_inputs(tmp_path: Path) -> None:
    root = tmp_path / "scans"
    touch(root / "a/x.jpg", root / "b/y.jpg")
    assert keys(root / "a/x.jpg") == ["x.jpg"]
    assert keys(f"{root}/**/*.jpg") == ["a/x.jpg", "b/y.jpg"]
    listed = tmp_path / "list.txt"
    listed.write_text(f"# two photos\nscans/a/x.jpg\n{root}/b/y.jpg\nscans/a/x.jpg\n")
    assert keys(listed) == ["a/x.jpg", "b/y.jpg"]
    listed.write_text("scans/a/x.jpg\nscans/b/none.jpg\n")
    one, other = found(listed)
    assert (one.key, one.error) == ("a/x.jpg", None)
    assert other.error is not None and "no such file" in other.error


@pytest.mark.parametrize("src", ["none", "none.jpg", "*.jpg", "none.txt", "none.tar"])
def test_src_that_does_not_exist_is_refused(tmp_path: Path, src: str) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        found(tmp_path / src)


def test_names_that_would_write_one_result_are_told(tmp_path: Path) -> None:
    root = tmp_path / "scans"
    touch(root / "p/x.jpg")
    with tarfile.open(root / "p.tar", "w") as tar:
        tar.add(root / "p/x.jpg", "x.jpg")
    (table,) = list_inputs(Search(str(root), ""), LocalStorage(str(tmp_path / "out")))
    rows = table.to_pylist()
    assert [row["state"] for row in rows] == ["planned", "failed"]
    assert "second input for the result p/x.jpg" in rows[1]["error"]
    assert len({row["key"] for row in rows}) == 2


def test_name_that_is_not_utf8_is_listed_as_failed(tmp_path: Path) -> None:
    root = tmp_path / "scans"
    root.mkdir()
    (Path(os.fsdecode(os.fsencode(root) + b"/\xff.jpg"))).write_bytes(b"x")
    (one,) = found(root)
    assert one.error is not None and "not UTF-8" in one.error
    assert one.key == "\\xff.jpg"


def test_members_of_shards_are_restored_below_a_folder_of_their_name(
    tmp_path: Path, make_photo: MakePhoto
) -> None:
    photo = make_photo("one.jpg", height=24, width=24)
    shards = tmp_path / "shards"
    shards.mkdir()
    with tarfile.open(shards / "photos-00.tar", "w") as tar:
        tar.add(photo, "0001.jpg")
        text = tarfile.TarInfo("0001.json")
        tar.addfile(text, io.BytesIO())
        evil = tarfile.TarInfo("../out.jpg")
        tar.addfile(evil, io.BytesIO())
    (shards / "photos-01.tar").write_bytes(b"no tar" * 500)
    run_here(tmp_path / "one.jpg", tmp_path / "plain")
    summary = run_here(shards, tmp_path / "out")
    assert summary.counts == {"done": 1}
    assert len(summary.plan.broken) == 2
    assert photos(tmp_path / "out") == {"photos-00/0001.jpg": photos(tmp_path / "plain")["one.jpg"]}
    assert sorted(states(tmp_path / "out").values()) == ["done", "failed", "failed"]
