from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from unfade.errors import InputError
from unfade.web.store import Store


@pytest.fixture
def own(tmp_path: Path) -> Store:
    return Store(tmp_path / "temporary")


def put(folder: Path, name: str, text: str = "x") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_upload_is_adopted_under_its_name(own: Store) -> None:
    given = put(own.folder(), "print.jpg", "abc")
    kept = own.adopt(given, max_bytes=3)
    assert kept != given and kept.name == "print.jpg" and kept.read_text("utf-8") == "abc"


def test_adopt_refuses_paths_that_lead_out_and_files_that_are_too_large(
    own: Store, tmp_path: Path
) -> None:
    secret = put(tmp_path, "secret.txt")
    inside = own.folder()
    (inside / "link.jpg").symlink_to(secret)
    (own.root / "folder").symlink_to(tmp_path)
    for path in (secret, inside / ".." / ".." / ".." / "secret.txt", inside / "link.jpg",
                 own.root / "folder" / "secret.txt", inside, inside / "none.jpg"):  # fmt: skip
        with pytest.raises(InputError, match="not uploaded here"):
            own.adopt(path, max_bytes=10)
    with pytest.raises(InputError, match=r"print\.jpg: got .* MB, expected at most"):
        own.adopt(put(own.folder(), "print.jpg", "abcd"), max_bytes=3)


def test_sweep_removes_what_is_an_hour_old(own: Store) -> None:
    old, new = put(own.folder(), "old.jpg"), put(own.folder(), "new.jpg")
    past = time.time() - 3601
    os.utime(old, (past, past))
    os.utime(old.parent, (past, past))
    assert own.sweep() == 1
    assert not old.exists() and new.exists() and own.root.is_dir()
    own.sweep(time.time() + 3700)
    assert not new.exists() and own.root.is_dir()


def test_new_store_removes_what_a_killed_server_left(own: Store) -> None:
    killed, lives = Store(own.root.parent), Store(own.root.parent)
    put(killed.folder(), "photo.jpg")
    other = own.root.parent / "unfade-notes"
    other.mkdir()
    for folder in (killed.root, other):
        os.utime(folder, (0, 0))
    Store(own.root.parent)
    assert not killed.root.exists()
    assert lives.root.exists() and own.root.exists() and other.exists()


def test_close_removes_its_own_folder_only(own: Store, tmp_path: Path) -> None:
    beside = put(tmp_path / "temporary", "mine.txt")
    own.close()
    assert not own.root.exists() and beside.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_folder_is_closed_to_others(own: Store) -> None:
    assert own.root.stat().st_mode & 0o077 == 0
    assert own.folder().stat().st_mode & 0o077 == 0
