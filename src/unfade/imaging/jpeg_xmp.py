"""XMP in the segments of a JPEG: one standard packet, and extended XMP for what does not fit.

Source: XMP Specification Part 3, section 1.1.3.1.
"""

from __future__ import annotations

import hashlib
import logging
import struct
from collections.abc import Sequence
from xml.dom import minidom

import unfade.imaging.xmp_tree as tree
from unfade.imaging.xmp_tree import NOTE, POINTER, RDF

logger = logging.getLogger(__name__)

_STANDARD = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
_DIGEST_CHARACTERS = 32
_MARKER_BYTES = 65533  # of a segment, without its marker and length
_PART_BYTES = 65000  # of extended XMP in one segment


def read(segments: Sequence[tuple[str, bytes]]) -> bytes | None:
    """The packet in the segments (name, payload) of a JPEG, extended XMP merged into it.

    Extended XMP that is incomplete is left out; the packet then still points to it.
    """
    payloads = [payload for name, payload in segments if name == "APP1"]
    standard = next((p for p in payloads if p.startswith(_STANDARD)), b"")
    packet = standard.removeprefix(_STANDARD) or None
    if packet is None or b"HasExtendedXMP" not in packet:
        return packet
    dom = tree.parse(packet)
    pointer = None if dom is None else tree.find(dom, POINTER)
    if dom is None or pointer is None:
        return packet
    description, field = pointer
    extended = _joined(payloads, tree.text(field).strip().encode())
    extension = tree.parse(extended)
    if extension is None:
        return packet
    tree.remove(description, field)
    for description in tree.descriptions(extension):
        _import(dom, description)
    return tree.serialise(dom)


def _joined(payloads: Sequence[bytes], digest: bytes) -> bytes | None:
    """The extended XMP of this digest from its segments, which come in any order."""
    head = _EXTENSION + digest
    parts: dict[int, bytes] = {}
    total = 0
    for payload in payloads:
        if len(digest) == _DIGEST_CHARACTERS and payload.startswith(head):
            fields, data = payload[len(head) : len(head) + 8], payload[len(head) + 8 :]
            if len(fields) == 8:
                total, offset = struct.unpack(">II", fields)
                parts[offset] = data
    joined = b"".join(parts[offset] for offset in sorted(parts))
    starts = [0, *(offset + len(parts[offset]) for offset in sorted(parts))]
    complete = sorted(parts) == starts[:-1] and len(joined) == total
    return joined if parts and complete else None


def segments(packet: bytes | None) -> bytes:
    """A packet as APP1 segments, markers included.

    Where it does not fit into one, properties go to extended XMP until the rest does: those of
    the last rdf:Description first (ours, where `xmp.merge` put one in), the largest before others.
    """
    if not packet:
        return b""
    if len(_STANDARD) + len(packet) <= _MARKER_BYTES:
        return _segment(_STANDARD + packet)
    dom = tree.parse(packet)
    if dom is None:
        return b""
    standard, extended = _split(dom)
    if len(_STANDARD) + len(standard) > _MARKER_BYTES:
        logger.warning("XMP of %d bytes does not fit into JPEG and is left out", len(packet))
        return b""
    digest = hashlib.md5(extended, usedforsecurity=False).hexdigest().upper().encode()
    standard = standard.replace(b"0" * _DIGEST_CHARACTERS, digest)
    result = _segment(_STANDARD + standard)
    for offset in range(0, len(extended), _PART_BYTES):
        head = _EXTENSION + digest + struct.pack(">II", len(extended), offset)
        result += _segment(head + extended[offset : offset + _PART_BYTES])
    return result


def _segment(payload: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload


def _split(dom: minidom.Document) -> tuple[bytes, bytes]:
    """(standard packet, extended XMP); the pointer of the first is a row of zeros."""
    extension = minidom.parseString(
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"/></x:xmpmeta>'
    )
    rdf = tree.rdf_element(dom)
    assert rdf is not None, "`tree.parse` looks for it"
    note = dom.createElementNS(RDF, "rdf:Description")
    about = next((d.getAttributeNS(RDF, "about") for d in tree.descriptions(dom)), "")
    for name, value in (("xmlns:rdf", RDF), ("xmlns:xmpNote", NOTE)):
        note.setAttribute(name, value)
    note.setAttributeNS(RDF, "rdf:about", about)
    note.setAttributeNS(NOTE, "xmpNote:HasExtendedXMP", "0" * _DIGEST_CHARACTERS)
    rdf.insertBefore(note, rdf.firstChild)
    movable = list(reversed(list(tree.descriptions(dom))[1:]))
    excess = len(_STANDARD) + len(tree.serialise(dom)) - _MARKER_BYTES
    for description in movable:
        fields = [field for holder, field in tree.properties(dom) if holder is description]
        for field in sorted(fields, key=_size, reverse=True):
            if excess <= 0:
                break
            _move(description, field, extension)
            excess = len(_STANDARD) + len(tree.serialise(dom)) - _MARKER_BYTES
    return tree.serialise(dom), tree.serialise(extension)


def _size(field: tree.Field) -> int:
    return len(field.value if isinstance(field, minidom.Attr) else field.toxml())


def _move(description: minidom.Element, field: tree.Field, extension: minidom.Document) -> None:
    """Moves one property into an rdf:Description of its own in another document."""
    new_description = extension.createElementNS(RDF, "rdf:Description")
    new_description.setAttribute("xmlns:rdf", RDF)
    new_description.setAttributeNS(RDF, "rdf:about", description.getAttributeNS(RDF, "about"))
    if isinstance(field, minidom.Attr):
        new_description.setAttributeNS(field.namespaceURI or "", field.name, field.value)
    else:
        new_description.appendChild(extension.importNode(field, True))
    _declare(new_description, description)
    _import(extension, new_description)
    tree.remove(description, field)


def _declare(target: minidom.Element, source: minidom.Node | None) -> None:
    """Declares on an element the namespaces that hold where another stands."""
    while isinstance(source, minidom.Element):
        for attribute in tree.attributes(source):
            if attribute.name.startswith("xmlns") and not target.hasAttribute(attribute.name):
                target.setAttribute(attribute.name, attribute.value)
        source = source.parentNode


def _import(dom: minidom.Document, description: minidom.Element) -> None:
    """Adds a copy of an rdf:Description, with its namespaces, to another document."""
    copy = dom.importNode(description, True)
    _declare(copy, description)
    rdf = tree.rdf_element(dom)
    assert rdf is not None, "`tree.parse` looks for it"
    rdf.appendChild(copy)
