"""Names of files in folders of photos: which are skipped, and which a file system treats as one."""

from __future__ import annotations

import os
import tempfile
import unicodedata
from pathlib import Path

COMPARE_SUFFIX = ".compare.png"

#: Suffixes of photo formats that cannot be read.
OTHER_PHOTOS = frozenset(
    {".heic", ".heif", ".avif", ".jp2", ".jxl", ".gif", ".psd", ".dng", ".cr2", ".cr3", ".nef",
     ".arw"}
)  # fmt: skip
#: Folders in which file servers, phones and archives keep thumbnails and deleted photos.
SERVICE_FOLDERS = frozenset(
    {"@eaDir", "#recycle", "#snapshot", "@Recycle", "@Recently-Snapshot", ".@__thumb", "@tmp",
     ".thumbnails", "__MACOSX", "$RECYCLE.BIN", "System Volume Information", "lost+found"}
)  # fmt: skip


def other_photo(name: str) -> str:
    """The suffix of a photo that cannot be read; empty for anything else."""
    suffix = Path(name).suffix.lower()
    return suffix if suffix in OTHER_PHOTOS and not name.startswith(".") else ""


def folded(path: Path) -> str:
    """A key that is equal for names that some file system treats as one: case, accents, dots."""
    name = unicodedata.normalize("NFKC", os.path.realpath(path)).casefold()
    return "/".join(part.rstrip(" .") for part in Path(name).parts)


def is_one_file(first: Path, second: Path) -> bool:
    """Whether the file system treats two names as one; tries it in a temporary folder."""
    first_path, second_path = os.path.realpath(first), os.path.realpath(second)
    common = Path(os.path.commonpath([first_path, second_path]))
    writable = next(folder for folder in (common, *common.parents) if folder.is_dir())
    try:
        with tempfile.TemporaryDirectory(prefix=".unfade-", dir=writable) as folder:
            probe = Path(folder) / os.path.relpath(first_path, common)
            probe.parent.mkdir(parents=True, exist_ok=True)
            probe.touch()
            return os.path.lexists(Path(folder) / os.path.relpath(second_path, common))
    except OSError:  # not writable: the first job raises the error
        return False
