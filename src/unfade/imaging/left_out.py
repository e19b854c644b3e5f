"""Warns of parts of a file that a result does not contain, and removes them from its XMP.

A phone stores a video (motion photo) or a gain map (Ultra HDR) after the picture of a JPEG, and
describes it in the XMP.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Sequence
from pathlib import Path
from xml.dom import minidom

import unfade.imaging.ifd as ifd
import unfade.imaging.xmp_tree as tree
from unfade.errors import printable

logger = logging.getLogger(__name__)

_CONTAINER = "http://ns.google.com/photos/1.0/container/"
_DEVICE = "http://ns.google.com/photos/dd/1.0/device/"
_GAIN_MAPS = ("http://ns.adobe.com/hdr-gain-map/1.0/", "http://ns.apple.com/HDRGainMap/1.0/")
_GAIN_MAP_MARKS = (b"hdr-gain-map", b"HDRGainMap", b"urn:iso:std:iso:ts:21496")
_MPF, _MPF_ENTRIES, _MPF_ENTRY_BYTES = b"MPF\0", 0xB002, 16
_PREVIEWS = frozenset({0x010001, 0x010002})  # MPF's types of large thumbnails
_LEAST_BYTES = 4096  # of other data that is worth a word


def warn(path: Path, segments: Sequence[tuple[str, bytes]], behind: bytes) -> None:
    """Warns of what a JPEG contains besides its picture.

    Args:
        segments: (name, payload) of its segments.
        behind: the data after the end of its picture.
    """
    parts: list[str] = []
    if b"ftyp" in behind:
        parts.append("a video (of a motion photo)")
    if any(mark in behind for mark in _GAIN_MAP_MARKS):
        parts.append("a gain map (of an Ultra HDR photo)")
    elif b"\xff\xd8\xff" in behind and not _previews_only(segments):
        parts.append("another picture behind the first")
    if not parts and len(behind.strip(b"\0")) >= _LEAST_BYTES and b"\xff\xd8\xff" not in behind:
        parts.append(f"{len(behind)} bytes of unknown data behind the picture")
    if any(name == "APP11" and b"c2pa" in payload for name, payload in segments):
        parts.append("Content Credentials (C2PA), which vouch for the photo as it was")
    if parts:
        logger.warning("%s: left out %s", printable(path), ", ".join(parts))


def _previews_only(segments: Sequence[tuple[str, bytes]]) -> bool:
    """Whether a directory (CIPA DC-007) says that all further pictures are small copies."""
    block = next((p for name, p in segments if name == "APP2" and p.startswith(_MPF)), b"")
    try:
        block = block.removeprefix(_MPF)
        order, _, offset = ifd.header(block)
        records = ifd.parse(ifd.reader(block), offset, order).entries[_MPF_ENTRIES].data
    except (ValueError, KeyError, struct.error):
        return False
    kinds = [
        struct.unpack_from(order + "I", records, at)[0] & 0xFFFFFF
        for at in range(_MPF_ENTRY_BYTES, len(records), _MPF_ENTRY_BYTES)
    ]
    return bool(kinds) and _PREVIEWS.issuperset(kinds)


def remove_statements(dom: minidom.Document) -> bool:
    """Removes from a packet what it says of such parts, with a warning; says whether any was."""
    kinds: dict[str, None] = {}
    for description, field in tree.properties(dom):
        kind = _kind(tree.name_of(field))
        if kind:
            kinds[kind] = None
            tree.remove(description, field)
    if kinds:
        logger.warning(
            "its XMP said that the file holds %s: left out, the result holds the picture alone",
            " and ".join(kinds),
        )
    return bool(kinds)


def _kind(name: tree.Name) -> str:
    namespace, local = name
    if local.startswith(("MotionPhoto", "MicroVideo")):
        return "a video (motion photo)"
    if namespace in _GAIN_MAPS:
        return "a gain map (Ultra HDR)"
    if namespace == _DEVICE:
        return "a depth map"
    if namespace == _CONTAINER:
        return "further parts"
    return "extended XMP, which is missing" if name == tree.POINTER else ""
