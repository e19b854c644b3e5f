"""File operations: atomic writes, hashes, folders, names of photos."""

from unfade.files.atomic import atomic_file, remove_leftovers
from unfade.files.folders import make_folder
from unfade.files.hashing import sha256_file

__all__ = ["atomic_file", "make_folder", "remove_leftovers", "sha256_file"]
