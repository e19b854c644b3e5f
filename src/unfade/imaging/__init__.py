"""Reads and writes photos and masks, with metadata; gives pixels as sRGB region by region."""

from unfade.imaging.formats import MAX_FILE_BYTES, MAX_PIXELS, SUFFIXES
from unfade.imaging.masks import read_mask, write_mask
from unfade.imaging.photo import Metadata, Photo
from unfade.imaging.reading import read_photo
from unfade.imaging.writing import WRITABLE_SUFFIXES, write_photo

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "SUFFIXES",
    "WRITABLE_SUFFIXES",
    "Metadata",
    "Photo",
    "read_mask",
    "read_photo",
    "write_mask",
    "write_photo",
]
