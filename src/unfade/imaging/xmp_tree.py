"""Access to an XMP packet as a tree of XML elements: parsing, properties and their text."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from xml.dom import minidom
from xml.parsers.expat import ExpatError

logger = logging.getLogger(__name__)

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
NOTE = "http://ns.adobe.com/xmp/note/"
Name = tuple[str, str]  # namespace, local name
POINTER: Name = (NOTE, "HasExtendedXMP")
_PROBE_BYTES = 64
Field = minidom.Attr | minidom.Element  # XMP writes simple properties in either form


def parse(packet: bytes | None) -> minidom.Document | None:
    """The packet as a document that holds an rdf:RDF element.

    Returns:
        None where there is no packet; also, with a warning, where it cannot be parsed.
    """
    data = packet or b""
    if b"\0" not in data[:_PROBE_BYTES]:  # not UTF-16, where zeros belong to the text
        data = data.rstrip(b"\0 \r\n\t")
    if not data:
        return None
    reason = "no rdf:RDF in it"
    try:
        if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
            raise ValueError("a document type is not allowed")
        dom = minidom.parseString(data)
        if rdf_element(dom) is not None:
            return dom
    except (ExpatError, ValueError, LookupError, RecursionError) as error:
        reason = str(error)
    logger.warning("the XMP packet cannot be parsed (%s) and is left out", reason)
    return None


def serialise(dom: minidom.Document) -> bytes:
    """The document as a packet, UTF-8."""
    return "".join(str(node.toxml()) for node in dom.childNodes).encode()


def rdf_element(dom: minidom.Document) -> minidom.Element | None:
    """The rdf:RDF element."""
    elements = dom.getElementsByTagNameNS(RDF, "RDF")
    return elements[0] if elements else None


def descriptions(dom: minidom.Document) -> Iterator[minidom.Element]:
    """The rdf:Description elements at the top: their attributes and children are properties."""
    rdf = rdf_element(dom)
    for node in list(rdf.childNodes) if rdf else []:
        if isinstance(node, minidom.Element) and name_of(node) == (RDF, "Description"):
            yield node


def properties(dom: minidom.Document) -> Iterator[tuple[minidom.Element, Field]]:
    """All properties at the top, each with its rdf:Description; they may be removed meanwhile."""
    for description in descriptions(dom):
        for field in (*attributes(description), *elements(description)):
            if is_property(field):
                yield description, field


def is_property(node: Field) -> bool:
    """Whether an attribute or element is a property, and no part of XML's or RDF's syntax."""
    return name_of(node)[0] not in ("", RDF, "http://www.w3.org/2000/xmlns/")


def find(dom: minidom.Document, name: Name) -> tuple[minidom.Element, Field] | None:
    """A property at the top, with its rdf:Description."""
    return next((item for item in properties(dom) if name_of(item[1]) == name), None)


def remove(parent: minidom.Element, field: Field) -> None:
    """Removes a property of an rdf:Description."""
    if isinstance(field, minidom.Attr):
        parent.removeAttributeNode(field)
    else:
        parent.removeChild(field).unlink()


def name_of(node: Field) -> Name:
    """(namespace, local name); the namespace is "" where there is none."""
    return (node.namespaceURI or "", node.localName or "")


def attributes(element: minidom.Element) -> list[minidom.Attr]:
    """The attributes of an element, those that declare namespaces included."""
    found = element.attributes
    return [attribute for attribute in found.values()] if found else []


def elements(parent: minidom.Element) -> list[minidom.Element]:
    """The elements directly below an element."""
    return [node for node in parent.childNodes if isinstance(node, minidom.Element)]


def field(structure: minidom.Element, name: Name) -> Field | None:
    """A field of a structure, however it is written: attribute, element, nested Description."""
    for holder in (structure, *elements(structure)):
        if holder is not structure and name_of(holder) != (RDF, "Description"):
            continue
        for node in (*attributes(holder), *elements(holder)):
            if name_of(node) == name:
                return node
    return None


def text(node: Field) -> str:
    """The text of a simple property."""
    if isinstance(node, minidom.Attr):
        return str(node.value)
    return "".join(n.data for n in node.childNodes if isinstance(n, minidom.Text))


def set_text(node: Field, value: str) -> bool:
    """Puts text in the place of a simple property's; says whether that was another."""
    if text(node) == value:
        return False
    if isinstance(node, minidom.Attr):
        node.value = value
        return True
    for child in list(node.childNodes):
        node.removeChild(child)
    document = node.ownerDocument
    assert document is not None, "a parsed element belongs to a document"
    node.appendChild(document.createTextNode(value))
    return True
