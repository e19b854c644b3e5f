"""Reads and updates EXIF blocks: orientation, size, density, subject area and thumbnail.

A block is patched in place where possible, so that offsets inside maker notes stay valid.
A block here starts at its TIFF header, without the "Exif\\0\\0" that JPEG puts before it.
"""

from __future__ import annotations

import logging
import struct

import unfade.imaging.ifd as ifd
from unfade.imaging.orient import TURNED, Placement, upright_size

logger = logging.getLogger(__name__)

ORIENTATION = 0x0112
UPRIGHT = 1
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
MAKER_NOTE = 0x927C
_WIDTH_TAGS, _HEIGHT_TAGS = (0x0100, 0xA002), (0x0101, 0xA003)
_SUBJECT_TAGS = (0x9214, 0xA214)  # area and location, pixels of the stored photo
_DENSITIES = ((0x011A, 0x011B), (0xA20E, 0xA20F))  # of the photo and of the sensor: across, down
_THUMBNAIL_OFFSET, _THUMBNAIL_BYTES = 0x0201, 0x0202
_INCH, _CENTIMETRE = 2, 3
_PREFIX = b"Exif\0\0"

# Tags of a TIFF that describe the storage of its pixels, or that are handled elsewhere.
_STORAGE = (
    *(254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281),
    *(284, 288, 289, 290, 291, 292, 293, 297, 317, 320, 321, 322, 323, 324, 325, 330, 332),
    *(334, 336, 338, 339, 340, 341, 342, 343, 347, *range(512, 533), 559),
    *(700, 33421, 33422, 33723, 34377, 34675, 37724, 50255, *range(50706, 51200)),
)
_STRUCTURE = frozenset(_STORAGE)


def strip_prefix(block: bytes | None) -> bytes | None:
    """The block from its TIFF header on, or None if it is empty."""
    if block is None:
        return None
    return block.removeprefix(_PREFIX) or None


def directory(block: bytes) -> tuple[str, ifd.Directory]:
    """(byte order, first directory) of a block; ValueError if it is malformed."""
    order, _, offset = ifd.header(block)
    return order, ifd.parse(ifd.reader(block), offset, order)


def orientation(block: bytes | None) -> int:
    """1..8; 1 where the block has no orientation or a wrong one."""
    if not block:
        return 1
    try:
        order, first = directory(block)
        return first_orientation(first, order)
    except (ValueError, struct.error):
        return 1


def first_orientation(first: ifd.Directory, order: str) -> int:
    """1..8 from the orientation tag of a directory."""
    entry = first.entries.get(ORIENTATION)
    values = ifd.integers(entry, order) if entry else ()
    return values[0] if values and 1 <= values[0] <= 8 else 1


def dpi(first: ifd.Directory, order: str) -> tuple[float, float] | None:
    """(x, y) in dots per inch from the resolution tags of a directory."""
    unit_entry = first.entries.get(RESOLUTION_UNIT)
    unit = (ifd.integers(unit_entry, order) if unit_entry else ()) or (_INCH,)
    scale = {_INCH: 1.0, _CENTIMETRE: 2.54}.get(unit[0])
    entries = [first.entries.get(X_RESOLUTION), first.entries.get(Y_RESOLUTION)]
    values = [ifd.rational(entry, order) if entry else None for entry in entries]
    x, y = values[0], values[1] or values[0]
    return (x * scale, y * scale) if scale and x and y else None


def block_dpi(data: bytes | None) -> tuple[float, float] | None:
    """(x, y) in dots per inch from a block; None if it has no density."""
    try:
        order, first = directory(data or b"")
    except (ValueError, struct.error):
        return None
    return dpi(first, order) if X_RESOLUTION in first.entries else None


def with_dpi(data: bytes | None, value: tuple[float, float]) -> bytes:
    """A block with this (x, y) density, for formats that store it in EXIF only."""
    order, first = directory(data) if data else ("<", ifd.Directory())
    current = dpi(first, order)
    if data and current and all(abs(a - b) < 0.5 for a, b in zip(current, value, strict=True)):
        return data
    for tag, number in zip((X_RESOLUTION, Y_RESOLUTION), value, strict=True):
        first.entries[tag] = ifd.numbers(tag, ifd.RATIONAL, fraction(number), order)
    first.entries[RESOLUTION_UNIT] = ifd.numbers(RESOLUTION_UNIT, ifd.SHORT, [_INCH], order)
    return block(first, order)


def fraction(value: float) -> tuple[int, int]:
    """A density as numerator and denominator."""
    is_integer = abs(value - round(value)) < 1e-3
    return (round(value), 1) if is_integer else (round(value * 10000), 10000)


def refresh(
    block: bytes | None, *, height: int, width: int, before: tuple[int, int] | None = None
) -> bytes | None:
    """The block for an upright photo of this size: orientation 1, new size, no thumbnail.

    Args:
        before: (height, width) of the upright photo that was resized to this size; None where
            it was not resized.

    Returns:
        None, with a warning, where the block cannot be parsed.
    """
    if not block:
        return None
    try:
        order, first = directory(block)
        orientation_value = first_orientation(first, order)
        stored = upright_size(*(before or (height, width)), orientation_value)
        return _patch(block, order, first, Placement(orientation_value, stored, (height, width)))
    except (ValueError, struct.error) as error:
        logger.warning("the EXIF block cannot be parsed (%s) and is left out", error)
        return None


def _patch(block: bytes, order: str, first: ifd.Directory, placement: Placement) -> bytes:
    data = bytearray(block)
    height, width = placement.final
    directories = [first]
    directories += [first.children[ifd.EXIF_IFD]] if ifd.EXIF_IFD in first.children else []
    for entries in (part.entries for part in directories):
        if placement.orientation in TURNED:
            for across, down in _DENSITIES:
                _exchange(data, entries.get(across), entries.get(down))
        for tags, value in (((ORIENTATION,), 1), (_WIDTH_TAGS, width), (_HEIGHT_TAGS, height)):
            for entry in (entries[tag] for tag in tags if tag in entries):
                _overwrite(data, entry, value, order)
        for entry in (entries[tag] for tag in _SUBJECT_TAGS if tag in entries):
            _move_subject(data, entry, placement, order)
    if first.next_offset and first.next_field >= 0:
        _drop_thumbnail(data, order, first)
    return bytes(data)


def _overwrite(data: bytearray, entry: ifd.Entry, value: int, order: str) -> None:
    """Overwrites the value of an inline tag of one whole number."""
    if entry.count != 1 or entry.kind not in (ifd.SHORT, ifd.LONG):
        return
    kind = ifd.LONG if value > 0xFFFF else entry.kind
    packed = struct.pack(order + ("H" if kind == ifd.SHORT else "I"), value).ljust(4, b"\0")
    data[entry.at : entry.at + 4] = packed
    data[entry.at - 6 : entry.at - 4] = struct.pack(order + "H", kind)


def _move_subject(data: bytearray, entry: ifd.Entry, placement: Placement, order: str) -> None:
    """Maps the subject area to the turned and resized photo."""
    if entry.kind != ifd.SHORT or not 2 <= entry.count <= 4:
        return
    values = [min(max(value, 0), 0xFFFF) for value in placement.subject(ifd.integers(entry, order))]
    data[entry.at : entry.at + len(entry.data)] = struct.pack(f"{order}{len(values)}H", *values)


def _exchange(data: bytearray, across: ifd.Entry | None, down: ifd.Entry | None) -> None:
    """Exchanges horizontal and vertical density, for a photo turned by 90 degrees."""
    if across is None or down is None or not across.kind == down.kind == ifd.RATIONAL:
        return
    if len(across.data) == len(down.data):
        data[across.at : across.at + len(down.data)] = down.data
        data[down.at : down.at + len(across.data)] = across.data


def _drop_thumbnail(data: bytearray, order: str, first: ifd.Directory) -> None:
    """Unlinks the second directory and erases the thumbnail."""
    try:
        second = ifd.parse(ifd.reader(bytes(data)), first.next_offset, order)
        data[first.next_field : first.next_field + 4] = bytes(4)
        start = ifd.integers(second.entries[_THUMBNAIL_OFFSET], order)[0]
        count = ifd.integers(second.entries[_THUMBNAIL_BYTES], order)[0]
    except (ValueError, KeyError, IndexError, struct.error):
        data[first.next_field : first.next_field + 4] = bytes(4)
        return
    if start + count >= len(data):
        del data[start:]
    else:
        data[start : start + count] = bytes(count)


def from_tiff(first: ifd.Directory, order: str) -> bytes | None:
    """An EXIF block from the first directory of a TIFF, without the tags of its storage."""
    copied = first.copy(without=_STRUCTURE)
    description = copied.entries.get(270)
    if description and description.data.startswith((b'{"shape"', b"ImageJ=", b"<?xml")):
        del copied.entries[270]  # it describes an array in the old file, not a photo
    if not copied.entries and not copied.children:
        return None
    return block(copied, order)


def to_tiff(data: bytes) -> tuple[str, ifd.Directory]:
    """(byte order, tags for the first directory of a TIFF) from a block."""
    order, first = directory(data)
    return order, first.copy(without=_STRUCTURE)


def block(first: ifd.Directory, order: str) -> bytes:
    """A block of its own from a directory."""
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    return start + ifd.serialise(first, 8, order)


def shrink(data: bytes, limit: int) -> bytes | None:
    """The block within a format's size limit: without the maker note if needed, or None."""
    if len(data) <= limit:
        return data
    order, first = directory(data)
    if ifd.EXIF_IFD in first.children:
        first.children[ifd.EXIF_IFD] = first.children[ifd.EXIF_IFD].copy(without=[MAKER_NOTE])
    smaller = block(first, order)
    logger.warning("EXIF of %d bytes does not fit into %d: reduced", len(data), limit)
    return smaller if len(smaller) <= limit else None
