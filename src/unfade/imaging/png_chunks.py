"""Reads and writes chunks of a PNG: text, EXIF, XMP, profile and density."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEYWORD = b"XML:com.adobe.xmp"
_RAW_EXIF = (b"Raw profile type exif", b"Raw profile type APP1")
_METRES_PER_INCH = 0.0254
_MAX_INFLATED = 64 << 20
# TensorCache that stay true for a restored photo in the same colour space.
COPIED = frozenset({b"gAMA", b"cHRM", b"sRGB", b"cICP", b"tEXt", b"zTXt", b"iTXt"})
COLOUR = frozenset({b"gAMA", b"cHRM", b"sRGB", b"cICP"})

Chunk = tuple[bytes, bytes]


def chunks(data: bytes) -> Iterator[Chunk]:
    """(name, contents) of every chunk, up to IEND; ValueError where the file is cut short."""
    at = len(SIGNATURE)
    while True:
        if at + 8 > len(data):
            raise ValueError("its last chunk is missing")
        count, name = struct.unpack(">I4s", data[at : at + 8])
        if name == b"IEND":
            return
        if at + 12 + count > len(data):
            raise ValueError("a chunk is cut short")
        yield name, data[at + 8 : at + 8 + count]
        at += 12 + count


def pack(name: bytes, contents: bytes) -> bytes:
    """A chunk with its length and check sum."""
    crc = zlib.crc32(contents, zlib.crc32(name))
    return struct.pack(">I", len(contents)) + name + contents + struct.pack(">I", crc)


def inflate(data: bytes) -> bytes:
    """Inflates zlib data, within a limit."""
    stream = zlib.decompressobj()
    result = stream.decompress(data, _MAX_INFLATED)
    if stream.unconsumed_tail:
        raise ValueError("compressed metadata of more than 64 MB")
    return result


def profile(contents: bytes) -> bytes | None:
    """The ICC profile in an iCCP chunk."""
    _, _, remaining = contents.partition(b"\0")
    try:
        return inflate(remaining[1:]) or None
    except (zlib.error, ValueError):
        return None


def pack_profile(icc: bytes) -> bytes:
    """An iCCP chunk."""
    return pack(b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc, 9))


def xmp(contents: bytes) -> bytes | None:
    """The packet in an iTXt chunk, or None where it is other text."""
    keyword, _, remaining = contents.partition(b"\0")
    if keyword != XMP_KEYWORD or len(remaining) < 2:
        return None
    compressed = remaining[0] == 1
    text = remaining[2:].split(b"\0", 2)[-1]
    try:
        return inflate(text) if compressed else text
    except (zlib.error, ValueError):
        return None


def pack_xmp(packet: bytes) -> bytes:
    """An iTXt chunk with an XMP packet, not compressed, as the standard asks."""
    return pack(b"iTXt", XMP_KEYWORD + b"\0\0\0\0\0" + packet)


def dpi(contents: bytes) -> tuple[float, float] | None:
    """(x, y) in dots per inch from a pHYs chunk."""
    if len(contents) != 9:
        return None
    x, y, unit = struct.unpack(">IIB", contents)
    return (x * _METRES_PER_INCH, y * _METRES_PER_INCH) if unit == 1 and x and y else None


def pack_dpi(value: tuple[float, float]) -> bytes:
    """A pHYs chunk."""
    x, y = (min(0xFFFFFFFF, max(1, round(v / _METRES_PER_INCH))) for v in value)
    return pack(b"pHYs", struct.pack(">IIB", x, y, 1))


def raw_exif(name: bytes, contents: bytes) -> bytes | None:
    """EXIF as ImageMagick used to store it: hexadecimal digits in a text chunk."""
    keyword, _, remaining = contents.partition(b"\0")
    if keyword not in _RAW_EXIF or name not in (b"tEXt", b"zTXt"):
        return None
    try:
        text = inflate(remaining[1:]) if name == b"zTXt" else remaining
        return bytes.fromhex("".join(text.decode("latin-1").split()[2:]))
    except (zlib.error, ValueError):
        return None
