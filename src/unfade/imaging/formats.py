"""Detects formats by content and by suffix, and checks limits before anything is decoded."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path
from typing import BinaryIO

from unfade.errors import InputError

JPEG, PNG, TIFF, WEBP, BMP = "JPEG", "PNG", "TIFF", "WEBP", "BMP"

FORMATS: dict[str, str] = {
    ".jpg": JPEG,
    ".jpeg": JPEG,
    ".jpe": JPEG,
    ".jfif": JPEG,
    ".png": PNG,
    ".tif": TIFF,
    ".tiff": TIFF,
    ".webp": WEBP,
    ".bmp": BMP,
    ".dib": BMP,
}
SUFFIXES: frozenset[str] = frozenset(FORMATS)
READABLE = "JPEG, PNG, TIFF, WebP or BMP"

MAX_PIXELS = 300_000_000
MAX_FILE_BYTES = 4 << 30

_CONVERT = "convert it to one of these"
_COPY_AGAIN = "copy or download it again"


def open_input(path: Path, max_bytes: int) -> BinaryIO:
    """An input opened for reading; InputError where it is no file, empty or too large."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            got = "a folder" if path.is_dir() else "something that is no plain file"
            raise InputError(got, f"a photo ({READABLE})", "name a file", path=path)
        file = path.open("rb")  # the caller closes it
    except OSError as error:
        reason = error.strerror or str(error)
        fix = "check the name" if isinstance(error, FileNotFoundError) else "check its permissions"
        raise InputError(reason.lower(), "a file that can be read", fix, path=path) from error
    size = os.fstat(file.fileno()).st_size
    if 0 < size <= max_bytes:
        return file
    file.close()
    if not size:
        raise InputError("an empty file (0 bytes)", f"a photo ({READABLE})", _COPY_AGAIN, path=path)
    got, expected = f"{size / 1e6:.0f} MB", f"at most {max_bytes / 1e6:.0f} MB"
    raise InputError(got, expected, "make the photo smaller", path=path)


def sniff(path: Path, start: bytes) -> str:
    """The format by the first bytes of a file."""
    if start.startswith(b"\xff\xd8\xff"):
        return JPEG
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return TIFF
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return WEBP
    if start[:2] == b"BM":
        return BMP
    got = _other_kind(start)
    fix = _CONVERT if got != "an unknown kind of file" else "check the file, or " + _CONVERT
    raise InputError(got, f"a photo ({READABLE})", fix, path=path)


def _other_kind(start: bytes) -> str:
    """The kind of a file of another format, for errors."""
    brand = start[8:12] if start[4:8] == b"ftyp" else b""
    if brand in (b"heic", b"heix", b"hevc", b"mif1", b"msf1"):
        return "a HEIC file"
    if brand in (b"avif", b"avis"):
        return "an AVIF file"
    magic = {
        b"GIF8": "a GIF file",
        b"%PDF": "a PDF file",
        b"8BPS": "a Photoshop file",
        b"\x00\x00\x00\x0c": "a JPEG 2000 or JPEG XL file",
        b"\xff\x0a": "a JPEG XL file",
        b"II\xbc\x01": "a JPEG XR file",
        b"PK\x03\x04": "a ZIP file",
        b"<svg": "an SVG file",
    }
    for signature, name in magic.items():
        if start.startswith(signature):
            return name
    try:
        text = start.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        if error.start < len(start) - 4:
            return "an unknown kind of file"
        text = start[: error.start].decode("utf-8")
    if all(c.isprintable() or c in "\r\n\t\f" for c in text):
        return "a text file"
    return "an unknown kind of file"


def check_size(path: Path, height: int, width: int, max_pixels: int) -> None:
    """Raises InputError if the size in the header is zero or exceeds `max_pixels`."""
    if height < 1 or width < 1:
        raise InputError(f"a photo of {width} x {height} pixels", "a size", _COPY_AGAIN, path=path)
    if height * width > max_pixels:
        raise InputError(
            f"{width} x {height} = {height * width / 1e6:.1f} megapixels",
            f"at most {max_pixels / 1e6:g}",
            "raise the limit (max_pixels=N) if you trust the file, or make it smaller",
            path=path,
        )


def several_pictures(path: Path, count: int, unit: str, *, coder: str = "") -> InputError:
    """The error for a file with several pages or frames.

    Args:
        coder: the prefix that ImageMagick needs, if it does not recognise the format itself.
    """
    animated = unit == "frames"  # a frame may hold only what differs from the one before
    target = path.with_name(f"{path.stem}-%03d{'.png' if animated else path.suffix}")
    source = f"{coder}:{path}" if coder else str(path)
    words = ["magick", source, *(["-coalesce"] if animated else []), str(target)]
    fix = f"split it first, as ImageMagick does: {shlex.join(words)}"
    return InputError(f"a file that has {count} {unit}", "one photo", fix, path=path)


def broken(path: Path, kind: str, error: BaseException | str) -> InputError:
    """The error for a file whose pixels cannot be decoded."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return InputError(
        f"a {kind} file that is damaged or cut short ({reason})",
        "a whole photo",
        _COPY_AGAIN,
        path=path,
    )
