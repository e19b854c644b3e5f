"""The folder for uploads and results of the page, which are removed after an hour."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import tempfile
import threading
import time
from pathlib import Path

from unfade.errors import InputError
from unfade.files import make_folder

KEEP_S = 3600.0
_SWEEP_S = 60.0
_PREFIX = "unfade-web-"


class Store:
    """One new folder for uploads, masks and results, readable by its owner only.

    Folders that killed servers left beside it are removed once they are unused for `keep_s`.

    Args:
        parent: where the folder is made; None is the system's folder for temporary files.
        keep_s: files older than this are removed by `sweep`.
    """

    def __init__(self, parent: Path | None = None, *, keep_s: float = KEEP_S) -> None:
        if parent is not None:
            make_folder(parent)
        self.root = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent)).resolve()
        _remove_abandoned(self.root, keep_s)
        self.keep_s = keep_s
        self._closed = threading.Event()

    def folder(self) -> Path:
        """A new folder with a name that cannot be guessed."""
        path = self.root / secrets.token_hex(16)
        path.mkdir(mode=0o700)
        return path

    def adopt(self, upload: str | Path, *, max_bytes: int) -> Path:
        """Copies an uploaded file into a folder of its own, under its own name.

        Raises:
            InputError: it is not a plain file of this store (a link, a path from elsewhere), or
                it is too large.
        """
        path = Path(os.path.abspath(upload))  # noqa: PTH100  resolve() would follow links
        inside = path.is_relative_to(self.root) and path.resolve() == path
        if not inside:
            raise _not_uploaded(path)
        try:
            handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        except OSError as error:
            raise _not_uploaded(path) from error
        info = os.fstat(handle)
        if not stat.S_ISREG(info.st_mode):
            os.close(handle)
            raise _not_uploaded(path)
        with os.fdopen(handle, "rb") as source:
            if info.st_size > max_bytes:
                got, most = f"{info.st_size / 1e6:.0f} MB", f"at most {max_bytes / 1e6:.0f} MB"
                fix = "save the photo smaller"
                raise InputError(got, most, fix, path=Path(path.name))
            target = self.folder() / path.name
            with target.open("xb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
        return target

    def size(self) -> int:
        """Bytes of all files in it."""
        paths = (Path(folder) / name for folder, _, names in os.walk(self.root) for name in names)
        return sum(_size(path) for path in paths)

    def sweep(self, now_s: float | None = None) -> int:
        """Removes files that are older than `keep_s`, and folders left empty; counts the files."""
        now_s = time.time() if now_s is None else now_s
        removed = 0
        for folder, _, names in os.walk(self.root, topdown=False):
            for name in names:
                path = Path(folder) / name
                if now_s - _modified_s(path, now_s) > self.keep_s:
                    path.unlink(missing_ok=True)
                    removed += 1
            directory = Path(folder)
            if directory != self.root and now_s - _modified_s(directory, now_s) > self.keep_s:
                _remove_empty(directory)
        return removed

    def watch(self) -> None:
        """Sweeps once a minute, in a thread, until `close`, and shows that the folder is in use."""

        def work() -> None:
            while not self._closed.wait(_SWEEP_S):
                os.utime(self.root)
                self.sweep()

        threading.Thread(target=work, name="unfade-sweep", daemon=True).start()

    def close(self) -> None:
        """Removes the folder and all that is in it."""
        self._closed.set()
        shutil.rmtree(self.root, ignore_errors=True)


def _modified_s(path: Path, missing_s: float) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return missing_s


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:  # removed meanwhile
        return 0


def _remove_abandoned(root: Path, keep_s: float) -> None:
    """Removes the folders of ended servers of the same user beside a new one."""
    for folder in root.parent.glob(f"{_PREFIX}*"):
        try:
            info = folder.lstat()
        except OSError:  # gone
            continue
        abandoned = stat.S_ISDIR(info.st_mode) and info.st_uid == root.stat().st_uid
        if abandoned and time.time() - info.st_mtime > keep_s:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # not empty, or gone
        return


def _not_uploaded(path: Path) -> InputError:
    fix = "choose the file on the page again"
    return InputError("a file that was not uploaded here", "an upload", fix, path=Path(path.name))
