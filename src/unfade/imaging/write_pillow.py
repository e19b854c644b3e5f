"""JPEG, WebP and BMP, through Pillow's encoders."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, BinaryIO

from PIL import Image

import unfade.imaging.exif as exif
import unfade.imaging.formats as formats
import unfade.imaging.iptc as iptc
import unfade.imaging.jpeg_xmp as jpeg_xmp
from unfade.errors import OutputError
from unfade.imaging.sheet import Sheet

logger = logging.getLogger(__name__)

_MODES = {(1, False): "L", (3, False): "RGB", (4, False): "CMYK", (3, True): "RGBA"}
_LARGEST = {formats.JPEG: 65500, formats.WEBP: 16383}
_MARKER_BYTES = 65533
_PREFIX = b"Exif\0\0"


@dataclass(frozen=True)
class Extras:
    """Metadata ready to be written: it holds for the photo as it is now."""

    exif: bytes | None
    xmp: bytes | None
    quality: int


class _Stream:
    """A file without a descriptor, so that Pillow writes through it and errors keep their cause."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def write_jpeg(file: BinaryIO, sheet: Sheet, extras: Extras) -> None:
    """JPEG at full chroma resolution (4:4:4)."""
    _check_size(sheet, formats.JPEG)
    block = exif.shrink(extras.exif, _MARKER_BYTES - len(_PREFIX)) if extras.exif else None
    options: dict[str, Any] = {"quality": extras.quality, "subsampling": 0}
    options |= {"exif": _PREFIX + block} if block else {}
    metadata = sheet.metadata
    options["extra"] = jpeg_xmp.segments(extras.xmp) + iptc.segment(metadata.iptc)
    if metadata.comment and len(metadata.comment) < _MARKER_BYTES:
        options["comment"] = metadata.comment
    _save(file, sheet, formats.JPEG, {**options, **_common(sheet)})


def write_webp(file: BinaryIO, sheet: Sheet, extras: Extras) -> None:
    """WebP: lossless where the input was."""
    _check_size(sheet, formats.WEBP)
    options: dict[str, Any] = {"quality": extras.quality, "exact": True, **_common(sheet)}
    if sheet.metadata.lossless:
        options |= {"lossless": True, "quality": 80}  # effort, not loss
    density = options.pop("dpi", None)
    block = exif.with_dpi(extras.exif, density) if density else extras.exif
    options |= {"exif": block} if block else {}
    options |= {"xmp": extras.xmp} if extras.xmp else {}
    _save(file, sheet, formats.WEBP, options)


def write_bmp(file: BinaryIO, sheet: Sheet, extras: Extras) -> None:
    """BMP of 8 or 24 bits; it has no place for EXIF, XMP or a profile."""
    if extras.exif or extras.xmp:
        logger.info("BMP holds neither EXIF nor XMP: left out")
    options = {"dpi": (0, 0), **_common(sheet)}  # 0: unknown; Pillow would claim 96
    options.pop("icc_profile", None)
    _save(file, sheet, formats.BMP, options)


def _check_size(sheet: Sheet, kind: str) -> None:
    largest = _LARGEST[kind]
    if max(sheet.height, sheet.width) > largest:
        got = f"{sheet.width} x {sheet.height} pixels for {kind}"
        raise OutputError(got, f"at most {largest} on a side", "write PNG or TIFF")


def _common(sheet: Sheet) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if sheet.metadata.dpi is not None:
        options["dpi"] = sheet.metadata.dpi
    if sheet.icc is not None:
        options["icc_profile"] = sheet.icc
    return options


def _save(file: BinaryIO, sheet: Sheet, kind: str, options: dict[str, Any]) -> None:
    mode = _MODES[sheet.channels, sheet.alpha]
    image = Image.new(mode, (sheet.width, sheet.height))
    top = 0
    for block in sheet.blocks():
        rows = block.shape[0]
        part = Image.frombuffer(mode, (sheet.width, rows), block, "raw", mode, 0, 1)
        image.paste(part, (0, top))
        top += rows
    stream: Any = _Stream(file)
    image.save(stream, kind, **options)
