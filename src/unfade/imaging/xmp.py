"""XMP packets: the input's is kept, what a restored photo makes untrue is mended, ours goes in."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from xml.dom import minidom
from xml.parsers.expat import ExpatError

from unfade.errors import UsageError

logger = logging.getLogger(__name__)

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_TIFF = "http://ns.adobe.com/tiff/1.0/"
_EXIF = "http://ns.adobe.com/exif/1.0/"
_XMP = "http://ns.adobe.com/xap/1.0/"
_BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
_END = '<?xpacket end="w"?>'
_EMPTY = (
    f'{_BEGIN}<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"></rdf:RDF></x:xmpmeta>'
    f"{_END}"
)
JPEG_MARK = b"http://ns.adobe.com/xap/1.0/\0"  # in front of a packet in an APP1 segment
_PROBE_BYTES = 64
Name = tuple[str, str]  # namespace, local name


def merge(
    packet: bytes | None, description: str | None, *, height: int, width: int
) -> bytes | None:
    """The packet of an upright photo of this size, with one rdf:Description merged into it.

    A property that the description sets replaces the packet's own.
    """
    dom = _parse(packet)
    if dom is None:
        if description is None:
            return None
        dom = minidom.parseString(_EMPTY.encode())
    changed = _refresh(dom, height, width)
    if description is not None:
        _insert(dom, description)
    elif not changed:
        return packet
    return "".join(str(node.toxml()) for node in dom.childNodes).encode()


def _parse(packet: bytes | None) -> minidom.Document | None:
    """The packet as a document with an rdf:RDF in it, or None."""
    data = packet or b""
    if b"\0" not in data[:_PROBE_BYTES]:  # not in UTF-16, where zeros belong to the text
        data = data.rstrip(b"\0 \r\n\t")
    if not data:
        return None
    reason = "no rdf:RDF in it"
    try:
        if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
            raise ValueError("a document type is not allowed")
        dom = minidom.parseString(data)
        if _find_rdf(dom) is not None:
            return dom
    except (ExpatError, ValueError, LookupError, RecursionError) as error:
        reason = str(error)
    logger.warning("the XMP packet cannot be parsed (%s) and is left out", reason)
    return None


def _find_rdf(dom: minidom.Document) -> minidom.Element | None:
    found = dom.getElementsByTagNameNS(RDF, "RDF")
    return found[0] if found else None


def _descriptions(dom: minidom.Document) -> Iterator[minidom.Element]:
    rdf = _find_rdf(dom)
    for node in list(rdf.childNodes) if rdf else []:
        if isinstance(node, minidom.Element) and _name(node) == (RDF, "Description"):
            yield node


def _name(node: minidom.Element | minidom.Attr) -> Name:
    return (node.namespaceURI or "", node.localName or "")


def _attributes(element: minidom.Element) -> list[minidom.Attr]:
    attributes = element.attributes
    return [attribute for attribute in attributes.values()] if attributes else []


def _refresh(dom: minidom.Document, height: int, width: int) -> bool:
    """Mends orientation and size and drops thumbnails; says whether anything changed."""
    truth: dict[Name, str] = {
        (_TIFF, "Orientation"): "1",
        (_TIFF, "ImageWidth"): str(width),
        (_TIFF, "ImageLength"): str(height),
        (_EXIF, "PixelXDimension"): str(width),
        (_EXIF, "PixelYDimension"): str(height),
    }
    changed = False
    for description in _descriptions(dom):
        for attribute in _attributes(description):
            value = truth.get(_name(attribute))
            if value is not None and attribute.value != value:
                attribute.value = value
                changed = True
        for child in _elements(description):
            value = truth.get(_name(child))
            if _name(child) == (_XMP, "Thumbnails"):
                description.removeChild(child).unlink()
                changed = True
            elif value is not None and _text(child) != value:
                for node in list(child.childNodes):
                    child.removeChild(node)
                child.appendChild(dom.createTextNode(value))
                changed = True
    return changed


def _elements(parent: minidom.Element) -> list[minidom.Element]:
    return [node for node in parent.childNodes if isinstance(node, minidom.Element)]


def _text(element: minidom.Element) -> str:
    return "".join(n.data for n in element.childNodes if isinstance(n, minidom.Text))


def _insert(dom: minidom.Document, text: str) -> None:
    """Puts the description into the packet, in place of what says the same there."""
    wrapped = f'<rdf:RDF xmlns:rdf="{RDF}">{text}</rdf:RDF>'
    try:
        new = list(_descriptions(minidom.parseString(wrapped.encode())))
    except (ExpatError, UnicodeEncodeError) as error:
        raise UsageError(
            f"XMP that is no XML ({error})",
            "one rdf:Description element with its namespaces",
            "correct the text given as xmp",
        ) from error
    rdf = _find_rdf(dom)
    if not new or rdf is None:
        raise UsageError(
            "XMP without an rdf:Description",
            "one rdf:Description element with its namespaces",
            "correct the text given as xmp",
        )
    about = next((d.getAttributeNS(RDF, "about") for d in _descriptions(dom)), "")
    for description in new:
        names = _properties(description)
        for old in list(_descriptions(dom)):
            _remove(old, names)
            if not _properties(old) and not _elements(old):
                rdf.removeChild(old).unlink()
        fresh = dom.importNode(description, True)
        fresh.setAttribute("xmlns:rdf", RDF)
        fresh.setAttributeNS(RDF, "rdf:about", about)
        rdf.appendChild(fresh)


def _properties(description: minidom.Element) -> set[Name]:
    """The names that a description sets, as attributes or as elements."""
    names = {_name(attribute) for attribute in _attributes(description)}
    names |= {_name(child) for child in _elements(description)}
    return {name for name in names if name[0] not in ("", RDF, "http://www.w3.org/2000/xmlns/")}


def _remove(description: minidom.Element, names: set[Name]) -> None:
    for attribute in _attributes(description):
        if _name(attribute) in names:
            description.removeAttributeNode(attribute)
    for child in _elements(description):
        if _name(child) in names:
            description.removeChild(child).unlink()
