"""Writes IPTC captions and credits of a JPEG: a resource inside Photoshop's APP13 segment."""

from __future__ import annotations

import logging
import struct

logger = logging.getLogger(__name__)

RESOURCE = 0x0404
_MAX_SEGMENT_BYTES = 65533


def segment(iptc: bytes | None) -> bytes:
    """An APP13 segment that holds the IPTC records; empty where there are none."""
    if not iptc:
        return b""
    resource = (
        b"8BIM" + struct.pack(">HHI", RESOURCE, 0, len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    )
    payload = b"Photoshop 3.0\0" + resource
    if len(payload) > _MAX_SEGMENT_BYTES:
        logger.warning("IPTC of %d bytes does not fit into JPEG and is left out", len(iptc))
        return b""
    return b"\xff\xed" + struct.pack(">H", len(payload) + 2) + payload
