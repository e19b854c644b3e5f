"""Writes files atomically, through a temporary file beside them."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

from unfade.errors import OutputError

_BUFFER_BYTES = 1 << 20
_TEMPORARY = ".unfade-{}.tmp"


@contextlib.contextmanager
def atomic_file(path: Path) -> Generator[BinaryIO]:
    """A file that takes the name `path` when the block ends well, and is gone when it does not."""
    temporary = path.with_name(_TEMPORARY.format(secrets.token_hex(6)))
    try:
        if path.is_dir():
            raise OutputError("a folder", "the name of a file", "add a file name", path=path)
        if path.exists() and not path.is_file():
            fix = "choose another name: a device or a pipe would be replaced by the file"
            raise OutputError("a device or a pipe", "a file or nothing", fix, path=path)
        with _created(temporary) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(OSError):
            temporary.chmod(path.stat().st_mode & 0o7777)
        temporary.replace(path)
    except OSError as error:
        raise _explain(error, path) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    _sync_folder(path.parent)


def remove_leftovers(folder: Path, *, age_s: float) -> None:
    """Removes what processes that were killed in `atomic_file` left in a folder.

    Args:
        age_s: seconds for which nobody has written to it; 0 where nobody else writes there.
    """
    for path in folder.glob(_TEMPORARY.format("*")):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime >= age_s:
                path.unlink()


@contextlib.contextmanager
def _created(path: Path) -> Generator[BinaryIO]:
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o666)
    with os.fdopen(descriptor, "w+b", buffering=_BUFFER_BYTES) as file:
        yield file


def _sync_folder(folder: Path) -> None:
    """Makes the new name outlast a power cut, where the system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


#: Characters that exFAT, NTFS and shares of Windows do not take in names.
_FORBIDDEN = frozenset('<>:"|?*\\')


def _explain(error: OSError, path: Path) -> OutputError:
    forbidden = "".join(sorted(_FORBIDDEN.intersection(path.name)))
    unknown = error.errno == errno.EINVAL or (error.errno == errno.ENOENT and path.parent.is_dir())
    if forbidden and unknown:
        got, fix = f"a name with the characters {forbidden} in it", "rename the photo"
        return OutputError(got, "a name that this disk takes", fix, path=path)
    disk, room = "no room left on the disk", "free some space or write elsewhere"
    quota, no_folder = "no room left in the quota", "no folder here, but a file of its name"
    fixes = {
        errno.ENOSPC: (disk, "room for the result", room),
        errno.EDQUOT: (quota, "room for the result", room),
        errno.EFBIG: ("too large a file for this disk", "room for it", "write to another disk"),
        errno.ENOENT: ("no such folder", "a folder that exists", "create it first"),
        errno.ENOTDIR: (no_folder, "a folder", "choose another folder"),
        errno.EACCES: ("no right to write", "a folder that can be written", "choose another one"),
        errno.EPERM: ("no right to write", "a folder that can be written", "choose another one"),
        errno.EROFS: ("a read-only disk", "a folder that can be written", "choose another one"),
        errno.ENAMETOOLONG: ("too long a name", "a shorter one", "rename the photo"),
    }
    reason = error.strerror or str(error) or type(error).__name__
    got, expected, fix = fixes.get(
        error.errno or 0, (reason, "a file that can be written", "write elsewhere")
    )
    return OutputError(got, expected, fix, path=path)
