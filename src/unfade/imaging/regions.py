"""Maps coordinates in an XMP packet (regions of faces, focus areas, panoramas).

They are mapped as the pixels are when a photo is turned upright or resized. Regions count, as in
EXIF, in the order in which the file stores its pixels, unless AppliedToDimensions says that they
were drawn on the upright photo.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.dom import minidom

import unfade.imaging.xmp_tree as tree
from unfade.imaging.orient import TURNED, Placement

_MWG = "http://www.metadataworkinggroup.com/schemas/regions/"
_AREA = "http://ns.adobe.com/xmp/sType/Area#"
_DIMENSIONS = "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
_EXIF = "http://ns.adobe.com/exif/1.0/"
_MICROSOFT = "http://ns.microsoft.com/photo/1.2/t/Region#"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_PANORAMA = "http://ns.google.com/photos/1.0/panorama/"
_ACROSS = ("CroppedAreaLeftPixels", "CroppedAreaImageWidthPixels", "FullPanoWidthPixels")
_DOWN = ("CroppedAreaTopPixels", "CroppedAreaImageHeightPixels", "FullPanoHeightPixels")

Numbers = list[float]


def move(dom: minidom.Document, placement: Placement) -> bool:
    """Maps all known coordinates of a packet; returns whether any changed.

    Numbers that make no sense are left as they are.
    """
    if placement.unchanged:
        return False
    applied = _applied_size(dom)
    stored = _as_tagged(applied, placement)
    changed = False
    for element in dom.getElementsByTagName("*"):
        name = tree.name_of(element)
        if name == (_MWG, "AppliedToDimensions"):
            changed |= _move_dimensions(element, stored)
        elif name == (_MWG, "Area"):
            changed |= _move_area(element, stored, applied)
        elif name == (_IPTC, "RegionBoundary"):
            changed |= _move_boundary(element, stored)
        elif name in ((_EXIF, "SubjectArea"), (_EXIF, "SubjectLocation")):
            changed |= _move_subject(element, placement)
        for node in (element, *tree.attributes(element)):
            if tree.name_of(node) == (_MICROSOFT, "Rectangle"):
                changed |= _move_rectangle(node, stored)
            elif tree.name_of(node)[0] == _PANORAMA:
                changed |= _scale_panorama(node, placement)
    return changed


def _as_tagged(size: tuple[float, float] | None, placement: Placement) -> Placement:
    """The placement, without its turn where the regions were drawn on the upright photo.

    Args:
        size: (height, width) that they were drawn on, where that is known.
    """
    if placement.orientation not in TURNED or size is None:
        return placement
    height, width = size
    stored_height, stored_width = placement.stored
    drawn_upright = (width - height) * (stored_width - stored_height) < 0
    return placement.without_turn() if drawn_upright else placement


def _applied_size(dom: minidom.Document) -> tuple[float, float] | None:
    """(height, width) that the regions were drawn on."""
    for element in dom.getElementsByTagNameNS(_MWG, "AppliedToDimensions"):
        values = _numbers(element, [(_DIMENSIONS, "h"), (_DIMENSIONS, "w")])
        if values is not None and min(values) > 0:
            return values[0], values[1]
    return None


def _move_dimensions(element: minidom.Element, placement: Placement) -> bool:
    names = [(_DIMENSIONS, "w"), (_DIMENSIONS, "h")]
    size = _numbers(element, names)
    return size is not None and _set_values(element, names, placement.pixel_size(*size))


def _move_area(
    element: minidom.Element, placement: Placement, applied: tuple[float, float] | None
) -> bool:
    unit = tree.field(element, (_AREA, "unit"))
    pixel = unit is not None and tree.text(unit) == "pixel"
    names = [(_AREA, "x"), (_AREA, "y"), (_AREA, "w"), (_AREA, "h")]
    point, size = _numbers(element, names[:2]), _numbers(element, names[2:])
    if point is None:
        return False
    if pixel:
        changed = _set_values(element, names[:2], placement.pixel(*point, within=applied))
    else:
        changed = _set_values(element, names[:2], placement.relative(*point))
    if size is not None:
        moved = placement.pixel_size(*size) if pixel else placement.relative_size(*size)
        changed |= _set_values(element, names[2:], moved)
    return changed


def _move_rectangle(node: tree.Field, placement: Placement) -> bool:
    """A rectangle "left, top, width, height" in shares of the photo."""
    values = _parse(tree.text(node).split(","))
    if values is None or len(values) != 4:
        return False
    moved = _move_box(values, placement, pixel=False)
    return tree.set_text(node, ", ".join(map(_format, moved)))


def _move_box(box: Numbers, placement: Placement, *, pixel: bool) -> Numbers:
    """(left, top, width, height) of a box as it lies after the turn."""
    left, top, width, height = box
    centre = (left + width / 2, top + height / 2)
    if pixel:
        x, y = placement.pixel(*centre)
        width, height = placement.pixel_size(width, height)
    else:
        x, y = placement.relative(*centre)
        width, height = placement.relative_size(width, height)
    return [x - width / 2, y - height / 2, width, height]


def _move_boundary(element: minidom.Element, placement: Placement) -> bool:
    """IPTC's boundary of a region: a rectangle, a circle or a polygon."""
    unit = tree.field(element, (_IPTC, "rbUnit"))
    pixel = unit is not None and tree.text(unit) == "pixel"
    corner, size = [(_IPTC, "rbX"), (_IPTC, "rbY")], [(_IPTC, "rbW"), (_IPTC, "rbH")]
    box = _numbers(element, [*corner, *size])
    if box is not None:
        return _set_values(element, [*corner, *size], _move_box(box, placement, pixel=pixel))
    changed = False
    radius = [(_IPTC, "rbRx")]
    length = _numbers(element, radius)
    if length is not None:  # along the width: in shares of it, unless in pixels
        across = placement.stored[1] / placement.upright[1]
        scaled = placement.pixel_size(length[0], length[0])[0] if pixel else length[0] * across
        changed |= _set_values(element, radius, [scaled])
    items = element.getElementsByTagNameNS(tree.RDF, "li")
    for point in (element, *items):
        values = _numbers(point, corner)
        if values is not None:
            moved = placement.pixel(*values) if pixel else placement.relative(*values)
            changed |= _set_values(point, corner, moved)
    return changed


def _move_subject(element: minidom.Element, placement: Placement) -> bool:
    """EXIF's subject area or location, as a list of whole numbers."""
    items = list(element.getElementsByTagNameNS(tree.RDF, "li"))
    values = _parse([tree.text(item) for item in items])
    if values is None:
        return False
    moved = placement.subject([round(value) for value in values])
    pairs = zip(items, moved, strict=True)
    return any([tree.set_text(item, str(value)) for item, value in pairs])


def _scale_panorama(node: tree.Field, placement: Placement) -> bool:
    name = tree.name_of(node)[1]
    values = _parse([tree.text(node)])
    if values is None or name not in (*_ACROSS, *_DOWN):
        return False
    down, across = placement.scale
    return tree.set_text(node, str(round(values[0] * (across if name in _ACROSS else down))))


def _numbers(structure: minidom.Element, names: Sequence[tree.Name]) -> Numbers | None:
    """The values of these fields; None where one is missing or no number."""
    fields = [tree.field(structure, name) for name in names]
    return _parse([tree.text(field) for field in fields if field is not None], len(names))


def _parse(texts: Sequence[str], count: int | None = None) -> Numbers | None:
    try:
        values = [float(text) for text in texts]
    except ValueError:
        return None
    complete = values and (count is None or len(values) == count)
    return values if complete and all(map(math.isfinite, values)) else None


def _set_values(
    structure: minidom.Element, names: Sequence[tree.Name], values: Sequence[float]
) -> bool:
    changed = False
    for name, value in zip(names, values, strict=True):
        field = tree.field(structure, name)
        if field is not None:
            changed |= tree.set_text(field, _format(value))
    return changed


def _format(value: float) -> str:
    return f"{value:.9g}"
