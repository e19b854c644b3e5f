"""Updates XMP packets: copies the input's, corrects sizes, and adds the restoration record."""

from __future__ import annotations

from xml.dom import minidom
from xml.parsers.expat import ExpatError

import unfade.imaging.left_out as left_out
import unfade.imaging.regions as regions
import unfade.imaging.xmp_tree as tree
from unfade.errors import UsageError
from unfade.imaging.orient import Placement
from unfade.imaging.xmp_tree import RDF, Name

_TIFF = "http://ns.adobe.com/tiff/1.0/"
_EXIF = "http://ns.adobe.com/exif/1.0/"
_XMP = "http://ns.adobe.com/xap/1.0/"
_BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
_END = '<?xpacket end="w"?>'
_EMPTY = (
    f'{_BEGIN}<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"></rdf:RDF></x:xmpmeta>'
    f"{_END}"
)


def merge(
    packet: bytes | None, description: str | None, *, height: int, width: int
) -> bytes | None:
    """The packet of an upright photo of this size, with one rdf:Description merged into it.

    A property that the description sets replaces the packet's own.
    """
    dom = tree.parse(packet)
    if dom is None:
        if description is None:
            return None
        dom = minidom.parseString(_EMPTY.encode())
    changed = _refresh(dom, height, width)
    if description is not None:
        _insert(dom, description)
    elif not changed:
        return packet
    return tree.serialise(dom)


def refresh(packet: bytes | None, placement: Placement) -> bytes | None:
    """The packet of a photo that was turned upright or resized.

    Returns:
        None, with a warning, where the packet cannot be parsed.
    """
    dom = tree.parse(packet)
    if dom is None:
        return None
    changed = left_out.remove_statements(dom)
    changed |= regions.move(dom, placement)
    changed |= _refresh(dom, *placement.final)
    return tree.serialise(dom) if changed else packet


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
    for description, field in tree.properties(dom):
        value = truth.get(tree.name_of(field))
        if tree.name_of(field) == (_XMP, "Thumbnails"):
            tree.remove(description, field)
            changed = True
        elif value is not None:
            changed |= tree.set_text(field, value)
    return changed


def _insert(dom: minidom.Document, text: str) -> None:
    """Puts the description into the packet, in place of what says the same there."""
    wrapped = f'<rdf:RDF xmlns:rdf="{RDF}">{text}</rdf:RDF>'
    try:
        parsed = minidom.parseString(wrapped.encode())
    except (ExpatError, UnicodeEncodeError) as error:
        raise UsageError(
            f"XMP that is no XML ({error})",
            "one rdf:Description element with its namespaces",
            "correct the text given as xmp",
        ) from error
    rdf, new = tree.rdf_element(dom), list(tree.descriptions(parsed))
    if not new or rdf is None:
        raise UsageError(
            "XMP without an rdf:Description",
            "one rdf:Description element with its namespaces",
            "correct the text given as xmp",
        )
    about = next((d.getAttributeNS(RDF, "about") for d in tree.descriptions(dom)), "")
    names = {tree.name_of(field) for _, field in tree.properties(parsed)}
    for old, field in tree.properties(dom):
        if tree.name_of(field) in names:
            tree.remove(old, field)
    for old in list(tree.descriptions(dom)):
        if not any(holder is old for holder, _ in tree.properties(dom)):
            rdf.removeChild(old).unlink()
    for description in new:
        added = dom.importNode(description, True)
        added.setAttribute("xmlns:rdf", RDF)
        added.setAttributeNS(RDF, "rdf:about", about)
        rdf.appendChild(added)
