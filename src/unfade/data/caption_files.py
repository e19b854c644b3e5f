"""Captions beside photos, in the layouts that folders of training pictures have.

    x.jpg  x.txt               captions of x.jpg, one on each line
    x.jpg  x.caption           the same
    captions.jsonl             lines of {"file": "x.jpg", "captions": ["...", "..."]}
    x.jpg  x.json              {"captions": [...]} or {"caption": "..."}, in a WebDataset shard

A line of captions.jsonl may also have "file_name" in place of "file", and one "caption" or "text"
in place of "captions". A photo has the captions of all of them, each once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, cast

from unfade.errors import InputError
from unfade.files import atomic_file

TEXT_SUFFIXES = (".txt", ".caption")
LISTING = "captions.jsonl"


def text_captions(data: bytes) -> tuple[str, ...]:
    """The captions in a text file, one on each line. ValueError if it is not UTF-8."""
    lines = (line.strip() for line in data.decode("utf-8-sig").splitlines())
    return tuple(line for line in lines if line)


def record_captions(record: Any) -> tuple[str, ...]:
    """The captions in a photo's JSON object, none where it has none.

    Raises:
        TypeError: they are neither a list of texts nor a text.
    """
    for name in ("caption", "text"):
        if isinstance(record.get(name), str) and "captions" not in record:
            return (record[name].strip(),) if record[name].strip() else ()
    captions = record.get("captions", [])
    if not isinstance(captions, list) or not all(
        isinstance(x, str) for x in cast(list[Any], captions)
    ):
        raise TypeError("captions that are no list of texts")
    return tuple(cast(list[str], captions))


def merged(captions: Iterable[str]) -> tuple[str, ...]:
    """Each caption once, in the order of its first appearance."""
    return tuple(dict.fromkeys(captions))


def folder_captions(files: Sequence[Path], photos: Set[Path]) -> dict[Path, tuple[str, ...]]:
    """The captions of photos, by the photo's path without its suffix.

    Args:
        files: all files of a folder, at any depth.
        photos: the paths of its photos, without their suffixes; other text files are not read.

    Raises:
        InputError: a file of captions cannot be read.
    """
    by_photo: dict[Path, list[str]] = {}
    for path in files:
        if path.name == LISTING:
            for name, captions in listed_captions(path):
                by_photo.setdefault((path.parent / name).with_suffix(""), []).extend(captions)
    for path in files:
        if path.suffix.lower() in TEXT_SUFFIXES and path.with_suffix("") in photos:
            try:
                captions = text_captions(path.read_bytes())
            except (OSError, ValueError) as error:
                fix = "save it as UTF-8, or remove it"
                got = "captions that cannot be read"
                raise InputError(got, "text in UTF-8", fix, path=path) from error
            by_photo.setdefault(path.with_suffix(""), []).extend(captions)
    return {key: merged(captions) for key, captions in by_photo.items()}


def listed_captions(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    """The names of photos and their captions in a captions.jsonl.

    Raises:
        InputError: it cannot be read.
    """
    out: list[tuple[str, tuple[str, ...]]] = []
    number = 0
    try:
        for line in path.read_text("utf-8-sig").splitlines():
            number += 1
            if line.strip():
                record = json.loads(line)
                name = record.get("file", record.get("file_name"))
                if not isinstance(name, str):
                    raise TypeError("no file")
                out.append((name, record_captions(record)))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"captions that cannot be read (line {number})",
            'lines of {"file": "x.jpg", "captions": ["..."]}',
            "correct or remove it",
            path=path,
        ) from error
    return out


def add_captions(path: Path, captions: Mapping[str, str]) -> None:
    """Adds lines to a captions.jsonl, or begins one; a kill leaves the old file or the new one.

    Args:
        captions: the name of a photo, from the file's folder with "/" -> its caption.

    Raises:
        InputError: the file that is there cannot be read.
        OutputError: it cannot be written.
    """
    try:
        before = path.read_bytes() if path.exists() else b""
    except OSError as error:
        got, fix = f"captions that cannot be read ({error.strerror})", "check its permissions"
        raise InputError(got, "a file that can be read", fix, path=path) from error
    if before and not before.endswith(b"\n"):
        before += b"\n"
    lines = [
        json.dumps({"file": name, "captions": [caption]}) + "\n"
        for name, caption in captions.items()
    ]
    with atomic_file(path) as file:
        file.write(before + "".join(lines).encode())
