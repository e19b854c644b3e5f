"""Checks that a JPEG can be decoded and is complete; finds the quality it was saved with.

libjpeg fills missing data with gray without an error. With a lossless file it writes past the end
of the rows that Pillow allocates.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping, Sequence

from PIL.JpegImagePlugin import JpegImageFile

END = b"\xff\xd9"
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
#: Markers that a frame begins with: the code of its process. All but these are segments.
_FRAMES = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
_READABLE = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})  # DCT, sequential and progressive
_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_JPEG_LS = 0xF7
_BITS = 8
_ZERO_TAIL = 64
_ROWS = 64

#: Table K.1 of ITU-T T.81 (luminance): libjpeg scales it by the quality.
_BASE_TABLE = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)


def quality_of(tables: Mapping[int, Sequence[int]]) -> int | None:
    """The libjpeg quality, 1..100, whose luminance table comes nearest to a file's first.

    Args:
        tables: by their number, 64 steps of quantisation each.

    Returns:
        None where there is no table.
    """
    if not tables:
        return None
    total = sum(tables[min(tables)])
    return min(range(100, 0, -1), key=lambda quality: abs(_table_sum(quality) - total))


def _table_sum(quality: int) -> int:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return sum(min(max((step * scale + 50) // 100, 1), 255) for step in _BASE_TABLE)


def unsupported(data: bytes) -> str:
    """The kind of a JPEG that must not be decoded, such as "a 12-bit JPEG"; "" if it may be."""
    frame = _frame(data)
    if frame is None:
        return ""
    kind, bits = frame
    if kind == _JPEG_LS:
        return "a JPEG-LS file"
    if kind in _LOSSLESS:
        return "a lossless JPEG"
    if kind not in _READABLE:
        return "a hierarchical JPEG"
    return f"a {bits}-bit JPEG" if bits != _BITS else ""


def _frame(data: bytes) -> tuple[int, int] | None:
    """The marker and the bits per sample of the first frame; None where a scan comes before it."""
    position = 2
    while (match := _NEXT_MARKER.search(data, position)) is not None:
        position, marker = match.start(), data[match.start() + 1]
        if marker in _FRAMES:
            return marker, int.from_bytes(data[position + 4 : position + 5], "big")
        if marker in (_START_OF_SCAN, _END_OF_IMAGE):
            return None
        position += 2
        if marker not in _STANDALONE:
            position += int.from_bytes(data[position : position + 2], "big")
    return None


def body(data: bytes) -> tuple[bytes, bool]:
    """(the first picture of the file without its end marker, whether the marker was there)."""
    position = 2
    in_scan = False
    while True:
        match = _NEXT_MARKER.search(data, position)
        if match is None or (not in_scan and match.start() > position + _ZERO_TAIL):
            return _without_tail(data), False
        position, marker = match.start(), data[match.start() + 1]
        if marker == _END_OF_IMAGE:
            return data[:position].rstrip(b"\xff"), True
        if marker == 0xD8:  # another picture begins: this one had no end
            return _without_tail(data[:position]), False
        if marker in _STANDALONE:
            position += 2
            continue
        in_scan = in_scan or marker == _START_OF_SCAN
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")


def _without_tail(data: bytes) -> bytes:
    """Data without the run of zeros that a broken copy leaves at the end."""
    stripped = data.rstrip(b"\0")
    return (stripped if len(data) - len(stripped) > _ZERO_TAIL else data).rstrip(b"\xff")


def is_complete(picture: bytes, *, exact: bool) -> bool:
    """Whether the data of a picture (from `body`) reaches its last block.

    The data is decoded with two different tails: if a block is missing, it is decoded from the tail
    and the pictures differ. This is done at an eighth of the size; with progressive files, whose
    details come last, and if `exact`, at full size.
    """
    first, second = (_digest(picture + _tail(byte) + END, exact) for byte in (0x55, 0x9A))
    return first == second


def _tail(byte: int) -> bytes:
    run = bytes([byte]) * 64
    return run + b"".join(bytes([0xFF, 0xD0 + i]) + run for i in range(8))


def _digest(data: bytes, exact: bool) -> bytes:
    image = JpegImageFile(io.BytesIO(data))
    if not exact and "progressive" not in image.info:
        image.draft(image.mode, (max(1, image.width // 8), max(1, image.height // 8)))
    image.load()
    result = hashlib.blake2b()
    for top in range(0, image.height, _ROWS):
        bottom = min(top + _ROWS, image.height)
        result.update(image.crop((0, top, image.width, bottom)).tobytes())
    return result.digest()
