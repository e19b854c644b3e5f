from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from unfade.errors import OutputError
from unfade.files import atomic_file


def write(path: Path, data: bytes = b"new") -> None:
    with atomic_file(path) as file:
        file.write(data)


def only(folder: Path, *names: str) -> None:
    assert sorted(p.name for p in folder.iterdir()) == sorted(names)


def test_a_file_appears_whole_with_the_permissions_of_any_new_file(tmp_path: Path):
    write(tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == b"new"
    only(tmp_path, "a.bin")
    write(tmp_path / "a.bin")
    (tmp_path / "b.bin").write_bytes(b"")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a.bin", "b.bin")}
    assert len(modes) == 1


def test_an_old_file_is_replaced_and_keeps_its_permissions(tmp_path: Path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    path.chmod(0o640)
    write(path)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_nothing_is_left_when_writing_is_broken_off(error: type[BaseException], tmp_path: Path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_file(path) as file:
        file.write(b"half")
        raise error
    assert path.read_bytes() == b"old"
    only(tmp_path, "a.bin")


@pytest.mark.parametrize("call", ["fsync", "open", "replace"])
def test_nothing_is_left_when_the_system_refuses(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path if call == "replace" else os, call, fail)
    with pytest.raises(OutputError, match=r"no room left on the disk.*free some space"):
        write(tmp_path / "a.bin")
    monkeypatch.undo()
    only(tmp_path)


def test_the_errors_say_what_to_do_and_leave_nothing(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    for path, message in (
        (tmp_path / "none" / "a.bin", "no such folder.*create it first"),
        (tmp_path / "file" / "a.bin", "a file of its name"),
        (tmp_path, "a folder.*add a file name"),
    ):
        with pytest.raises(OutputError, match=message) as caught:
            write(path)
        assert caught.value.path == path
    with pytest.raises(OutputError, match="rename the photo"):
        write(tmp_path / ("x" * 300))
    only(tmp_path, "file")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions are others there")
def test_a_folder_that_cannot_be_written(ordinary_folder: Path):
    folder = ordinary_folder / "closed"
    folder.mkdir()
    folder.chmod(0o500)
    with pytest.raises(OutputError, match="no right to write"):
        write(folder / "a.bin")
    folder.chmod(0o700)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_replaced(tmp_path: Path):
    pipe = tmp_path / "out.png"
    os.mkfifo(pipe)
    with pytest.raises(OutputError, match="device or a pipe"):
        write(pipe)
    assert pipe.is_fifo()
    only(tmp_path, "out.png")


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOENT])
def test_characters_that_the_disk_does_not_take_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object) -> None:
        """What exFAT and SMB answer to such a name."""
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OutputError, match=r"characters :\? ") as caught:
        write(tmp_path / "what: a day?.jpg")
    assert "rename" in caught.value.fix
    with pytest.raises(OutputError) as caught:
        write(tmp_path / "plain.jpg")
    assert "character" not in caught.value.got
