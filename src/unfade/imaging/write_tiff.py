"""TIFF, strip by strip, with EXIF and GPS directories (tifffile does not write those)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, BinaryIO, cast

import imagecodecs
import numpy as np
from numpy.typing import NDArray

import unfade.imaging.exif as exif
import unfade.imaging.ifd as ifd
from unfade.imaging.sheet import Sheet
from unfade.imaging.write_pillow import Extras

_codecs = cast(Any, imagecodecs)
_STRIP_BYTES = 1 << 20
_BIG_FROM = 4_000_000_000  # bytes: classic TIFF counts to 2 ** 32
_PHOTOMETRIC = {1: 1, 3: 2, 4: 5}
_PREDICT = 2
_INCH = 2
_ICC, _XMP, _IPTC = 34675, 700, 33723
Compress = Callable[[bytes], bytes]


def _deflate(data: bytes) -> bytes:
    return bytes(_codecs.deflate_encode(data, 6))


def _lzw(data: bytes) -> bytes:
    return bytes(_codecs.lzw_encode(data))


def _zstd(data: bytes) -> bytes:
    return bytes(_codecs.zstd_encode(data, 6))


# (TIFF's number, function) by the compression of the input; None stores the samples as they are.
_COMPRESSORS: dict[str, tuple[int, Compress | None]] = {
    "none": (1, None),
    "lzw": (5, _lzw),
    "deflate": (8, _deflate),
    "zstd": (50000, _zstd),
}


def write_tiff(file: BinaryIO, sheet: Sheet, extras: Extras) -> None:
    """The photo in the compression of its input, or deflate where that would lose or is unknown."""
    order, tags = exif.to_tiff(extras.exif) if extras.exif else ("<", ifd.Directory())
    number, compress = _COMPRESSORS.get(sheet.metadata.compression, _COMPRESSORS["deflate"])
    row_bytes = sheet.width * sheet.samples * sheet.depth // 8
    big = row_bytes * sheet.height > _BIG_FROM
    mark = b"II" if order == "<" else b"MM"
    file.write(mark + struct.pack(order + ("HHHQ" if big else "HI"), *_header(big, 0)))
    at = 16 if big else 8
    rows_per_strip = max(1, min(sheet.height, _STRIP_BYTES // row_bytes))
    offsets: list[int] = []
    counts: list[int] = []
    for block in sheet.blocks(rows_per_strip):
        data = _strip(block, order, compress)
        offsets.append(at)
        counts.append(len(data))
        at += file.write(data)
        if at % 2:
            at += file.write(b"\0")
    size = ifd.LONG8 if big else ifd.LONG
    _describe(tags, sheet, order, number)
    for tag, values in ((273, offsets), (279, counts)):
        tags.entries[tag] = ifd.numbers(tag, size, values, order)
    tags.entries[278] = ifd.numbers(278, ifd.LONG, [rows_per_strip], order)
    for tag, kind, value in (
        (_ICC, ifd.UNDEFINED, sheet.icc),
        (_XMP, 1, extras.xmp),
        (_IPTC, ifd.UNDEFINED, sheet.metadata.iptc),
    ):
        if value:
            tags.entries[tag] = ifd.Entry(tag, kind, value)
    file.write(ifd.serialise(tags, at, order, big=big))
    file.seek(2)
    file.write(struct.pack(order + ("HHHQ" if big else "HI"), *_header(big, at)))


def _header(big: bool, first: int) -> tuple[int, ...]:
    return (43, 8, 0, first) if big else (42, first)


def _strip(block: NDArray[Any], order: str, compress: Compress | None) -> bytes:
    """One strip (h, W, samples): the differences between neighbours, compressed."""
    if compress is not None:
        before = np.zeros_like(block[:, :1])
        block = np.diff(block, axis=1, prepend=before)
    data = block.astype(f"{order}u{block.itemsize}").tobytes()
    return data if compress is None else compress(data)


def _describe(tags: ifd.Directory, sheet: Sheet, order: str, compression: int) -> None:
    """The tags that say how the pixels are stored."""

    def add_tag(tag: int, kind: int, *values: int) -> None:
        tags.entries[tag] = ifd.numbers(tag, kind, values, order)

    add_tag(254, ifd.LONG, 0)
    add_tag(256, ifd.LONG, sheet.width)
    add_tag(257, ifd.LONG, sheet.height)
    add_tag(258, ifd.SHORT, *[sheet.depth] * sheet.samples)
    add_tag(259, ifd.SHORT, compression)
    add_tag(262, ifd.SHORT, _PHOTOMETRIC[sheet.channels])
    add_tag(exif.ORIENTATION, ifd.SHORT, exif.UPRIGHT)
    add_tag(277, ifd.SHORT, sheet.samples)
    add_tag(284, ifd.SHORT, 1)
    add_tag(339, ifd.SHORT, *[1] * sheet.samples)
    if compression != 1:
        add_tag(317, ifd.SHORT, _PREDICT)
    if sheet.alpha:
        add_tag(338, ifd.SHORT, sheet.metadata.alpha_kind)
    for tag in (exif.X_RESOLUTION, exif.Y_RESOLUTION, exif.RESOLUTION_UNIT):
        tags.entries.pop(tag, None)
    if sheet.metadata.dpi is not None:
        x, y = sheet.metadata.dpi
        add_tag(exif.X_RESOLUTION, ifd.RATIONAL, *exif.fraction(x))
        add_tag(exif.Y_RESOLUTION, ifd.RATIONAL, *exif.fraction(y))
        add_tag(exif.RESOLUTION_UNIT, ifd.SHORT, _INCH)
