"""SHA-256 of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from unfade.errors import InputError

_CHUNK_BYTES = 1 << 20


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file, hexadecimal. InputError where it cannot be read."""
    digest = hashlib.sha256()
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            got, fix = "something that is no plain file", "name a file"
            raise InputError(got, "a file that can be read", fix, path=path)
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        fix = "check the name and its permissions"
        raise InputError(reason, "a file that can be read", fix, path=path) from error
    return digest.hexdigest()
