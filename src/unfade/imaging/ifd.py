"""TIFF directories (IFDs), the container of EXIF and of TIFF tags: parse, edit, serialise."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

ReadAt = Callable[[int, int], bytes]  # (offset, count) -> exactly count bytes, or ValueError

EXIF_IFD = 34665
GPS_IFD = 34853
INTEROP_IFD = 40965
POINTERS = (EXIF_IFD, GPS_IFD, INTEROP_IFD)

SHORT, LONG, RATIONAL, UNDEFINED, LONG8 = 3, 4, 5, 7, 16
# Bytes of one value, by TIFF type.
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_BIG_BYTES = {16: 8, 17: 8, 18: 8}

MAX_ENTRIES = 4096
MAX_VALUE_BYTES = 16 << 20


@dataclass(frozen=True)
class Entry:
    """One tag: its values are raw bytes in the byte order of the directory."""

    tag: int
    kind: int
    data: bytes
    at: int = -1  # offset of the data where it was read

    @property
    def count(self) -> int:
        """How many values the tag has."""
        return len(self.data) // (TYPE_BYTES | _BIG_BYTES)[self.kind]


@dataclass
class Directory:
    """A directory with its child directories (EXIF, GPS, interoperability)."""

    entries: dict[int, Entry] = field(default_factory=dict[int, Entry])
    children: dict[int, Directory] = field(default_factory=dict[int, "Directory"])
    next_field: int = -1  # where the offset of the next directory is stored
    next_offset: int = 0

    def copy(self, without: Iterable[int] = ()) -> Directory:
        """A copy in which top-level tags can be changed; `without` names those to leave out."""
        drop = frozenset(without)
        copied = {tag: entry for tag, entry in self.entries.items() if tag not in drop}
        return Directory(copied, dict(self.children))


def reader(blob: bytes) -> ReadAt:
    """Reads of a block of bytes that refuse to go past its end."""

    def read_at(offset: int, count: int) -> bytes:
        if offset < 0 or offset + count > len(blob):
            raise ValueError("a directory points past the end of its data")
        return blob[offset : offset + count]

    return read_at


def header(start: bytes) -> tuple[str, bool, int]:
    """(byte order, BigTIFF?, offset of the first directory) from the first 16 bytes."""
    order = {b"II": "<", b"MM": ">"}.get(start[:2], "")
    if not order or len(start) < 8:
        raise ValueError("no TIFF header")
    magic: int = struct.unpack(order + "H", start[2:4])[0]
    if magic == 42:
        return order, False, struct.unpack(order + "I", start[4:8])[0]
    if magic == 43 and len(start) >= 16:
        return order, True, struct.unpack(order + "Q", start[8:16])[0]
    raise ValueError("no TIFF header")


def parse(
    read_at: ReadAt, offset: int, order: str, *, big: bool = False, depth: int = 0
) -> Directory:
    """The directory at `offset`; entries that make no sense are left out."""
    count_format, entry_bytes = ("Q", 20) if big else ("H", 12)
    head = struct.calcsize(order + count_format)
    count: int = struct.unpack(order + count_format, read_at(offset, head))[0]
    if count > MAX_ENTRIES:
        raise ValueError(f"a directory of {count} entries")
    table = read_at(offset + head, count * entry_bytes)
    result = Directory(next_field=offset + head + count * entry_bytes)
    for i in range(count):
        field_at = offset + head + i * entry_bytes
        row = table[i * entry_bytes : (i + 1) * entry_bytes]
        entry = _parse_entry(read_at, row, order, field_at)
        if entry is None:
            continue
        if entry.tag in POINTERS and depth < 2:
            _parse_child(read_at, result, entry, order, big, depth)
        elif entry.tag not in POINTERS:
            result.entries[entry.tag] = entry
    next_format = order + ("Q" if big else "I")
    try:
        next_bytes = read_at(result.next_field, struct.calcsize(next_format))
        result.next_offset = struct.unpack(next_format, next_bytes)[0]
    except ValueError:
        result.next_field = -1
    return result


def _parse_entry(read_at: ReadAt, row: bytes, order: str, at: int) -> Entry | None:
    big = len(row) == 20
    tag, kind, count = struct.unpack(order + ("HHQ" if big else "HHI"), row[: 12 if big else 8])
    size = (TYPE_BYTES | _BIG_BYTES).get(kind, 0) * count
    inline = row[12:] if big else row[8:]
    if size == 0 or size > MAX_VALUE_BYTES:
        return None
    if size <= len(inline):
        return Entry(tag, kind, inline[:size], at + (12 if big else 8))
    offset: int = struct.unpack(order + ("Q" if big else "I"), inline)[0]
    try:
        return Entry(tag, kind, read_at(offset, size), offset)
    except ValueError:
        return None


def _parse_child(
    read_at: ReadAt, parent: Directory, entry: Entry, order: str, big: bool, depth: int
) -> None:
    try:
        offset = integers(entry, order)[0]
        parent.children[entry.tag] = parse(read_at, offset, order, big=big, depth=depth + 1)
    except (ValueError, IndexError, struct.error):
        return  # a broken child is left out; the parent is still good


def integers(entry: Entry, order: str) -> tuple[int, ...]:
    """The values of a whole-number tag; empty for any other type."""
    code = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 18: "Q"}
    letter = code.get(entry.kind)
    return struct.unpack(f"{order}{entry.count}{letter}", entry.data) if letter else ()


def rational(entry: Entry, order: str) -> float | None:
    """The first value of a RATIONAL tag."""
    if entry.kind != RATIONAL:
        return None
    top, bottom = struct.unpack(order + "2I", entry.data[:8])
    return top / bottom if bottom else None


def numbers(tag: int, kind: int, values: Iterable[int], order: str) -> Entry:
    """An entry of whole numbers (RATIONAL: numerator and denominator in turn)."""
    items = list(values)
    letter = {1: "B", SHORT: "H", LONG: "I", RATIONAL: "I", LONG8: "Q"}[kind]
    return Entry(tag, kind, struct.pack(f"{order}{len(items)}{letter}", *items))


def serialise(directory: Directory, at: int, order: str, *, big: bool = False) -> bytes:
    """Bytes of the directory, its values and its children, to be placed at offset `at`."""
    inline_bytes, pointer = (8, "Q") if big else (4, "I")
    entries = [e for e in directory.entries.values() if big or e.kind in TYPE_BYTES]
    rows = len(entries) + len(directory.children)
    head = struct.pack(order + ("Q" if big else "H"), rows)
    values_at = at + len(head) + rows * (20 if big else 12) + inline_bytes
    values = bytearray()

    def offset_of(data: bytes) -> int:
        offset = values_at + len(values)
        values.extend(data + b"\0" * (len(data) % 2))
        return offset

    table: dict[int, bytes] = {}
    for entry in entries:
        data = entry.data
        if len(data) <= inline_bytes:
            data = data.ljust(inline_bytes, b"\0")
        else:
            data = struct.pack(order + pointer, offset_of(data))
        table[entry.tag] = _row(entry.tag, entry.kind, entry.count, data, order, big)
    for tag, child in directory.children.items():
        offset = values_at + len(values)
        offset_of(serialise(child, offset, order, big=big))
        data = struct.pack(order + pointer, offset)
        table[tag] = _row(tag, LONG8 if big else LONG, 1, data, order, big)
    body = b"".join(table[tag] for tag in sorted(table))
    return head + body + bytes(inline_bytes) + bytes(values)


def _row(tag: int, kind: int, count: int, data: bytes, order: str, big: bool) -> bytes:
    return struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, count) + data
