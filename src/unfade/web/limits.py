"""The limits of what a visitor may upload, and errors worded for visitors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from unfade.errors import InputError, UnfadeError

#: How many restorations may wait; a further one is refused.
QUEUE = 40


#: Advice for visitors that replaces advice for the command line, by a word of the latter.
_FIXES = {
    "max_pixels=": "make the photo smaller, and choose it again",
    "magick": "save its pages as separate photos, and choose those",
    "preset=": "ask whoever runs this page for weights that can do it",
    "controlnet=": "ask whoever runs this page for weights that can do it",
}


@dataclass(frozen=True)
class Limits:
    """How much one visitor may ask for.

    Attributes:
        max_bytes: of one file.
        max_pixels: of one photo, checked before it is decoded.
        max_photos: of one visitor.
        queue: restorations that may wait.
        max_store_bytes: of all uploads and results together.
    """

    max_bytes: int = 500_000_000
    max_pixels: int = 100_000_000
    max_photos: int = 50
    queue: int = QUEUE
    max_store_bytes: int = 20_000_000_000

    def check_bytes(self, path: Path) -> None:
        """InputError where a file is larger than the limit."""
        size = path.stat().st_size
        if size > self.max_bytes:
            got, expected = f"{size / 1e6:.0f} MB", f"at most {self.max_bytes / 1e6:.0f} MB"
            raise InputError(got, expected, "save the photo smaller", path=Path(path.name))

    def check_count(self, count: int) -> None:
        """InputError where a visitor has more photos than the limit."""
        if count > self.max_photos:
            expected = f"at most {self.max_photos} for one visitor"
            raise InputError(f"{count} photos", expected, "reload the page to start afresh")


def sentence(error: UnfadeError) -> str:
    """An error for visitors: it names the photo, no folder of the server, and no command."""
    name = "" if error.path is None else f"{error.path.name}: "
    got = error.got[:1].upper() + error.got[1:]
    fix = next((fix for word, fix in _FIXES.items() if word in error.fix), error.fix)
    return f"{name}{got}. Needed: {error.expected}. {fix[:1].upper() + fix[1:]}."
