"""Names of photos in folders: what is passed over, and which names a file system confuses."""

from __future__ import annotations

import os
import tempfile
import unicodedata
from pathlib import Path

COMPARE_SUFFIX = ".compare.png"

#: Photos that are met in folders and cannot be read.
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
    """A text that names share which some file system takes for one: by case, accents, dots."""
    name = unicodedata.normalize("NFKC", os.path.realpath(path)).casefold()
    return "/".join(part.rstrip(" .") for part in Path(name).parts)


def is_one_file(first: Path, second: Path) -> bool:
    """Whether the file system takes two names for one: it is asked, in a folder made for that."""
    one, other = os.path.realpath(first), os.path.realpath(second)
    above = Path(os.path.commonpath([one, other]))
    place = next(folder for folder in (above, *above.parents) if folder.is_dir())
    try:
        with tempfile.TemporaryDirectory(prefix=".unfade-", dir=place) as folder:
            probe = Path(folder) / os.path.relpath(one, above)
            probe.parent.mkdir(parents=True, exist_ok=True)
            probe.touch()
            return os.path.lexists(Path(folder) / os.path.relpath(other, above))
    except OSError:  # where nothing can be written, the first job tells it
        return False
