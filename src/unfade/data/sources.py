"""Loads clean photos from WebDataset shards or folders; their bytes are read on demand."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, cast

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from unfade.data.caption_files import (
    TEXT_SUFFIXES,
    folder_captions,
    merged,
    record_captions,
    text_captions,
)
from unfade.degrade.types import Image
from unfade.errors import InputError
from unfade.imaging.formats import SUFFIXES

log = logging.getLogger(__name__)
_LABELS = ".labels.png"
_ARCHIVES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip", ".7z", ".parquet")
_READERS = 8  # files that are read at the same time


@dataclass(frozen=True)
class Stored:
    """The location of a photo's bytes: a file, or a part of a shard.

    Attributes:
        start: the first byte.
        length: None is up to the end of the file.
    """

    path: Path
    start: int = 0
    length: int | None = None

    def read(self) -> bytes:
        """Reads the bytes. InputError if the file cannot be read."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.start)
                return file.read(-1 if self.length is None else self.length)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            fix = "check its rights"
            raise InputError(reason, "a file that can be read", fix, path=self.path) from error


@dataclass(frozen=True)
class LabelMap:
    """An encoded segmentation map of a photo.

    Attributes:
        code: a gray PNG of the photo's size, one class a gray level.
        names: gray level -> the name of the class.
    """

    code: bytes
    names: dict[int, str]

    def decode(self) -> NDArray[np.uint8]:
        """-> (H, W). InputError if the bytes are no picture."""
        levels = np.frombuffer(self.code, np.uint8)
        decoded = cv2.imdecode(levels, cv2.IMREAD_GRAYSCALE) if levels.size else None
        if decoded is None:
            raise InputError("an undecodable map of labels", "a gray PNG", "remove it")
        return np.asarray(decoded, np.uint8)


@dataclass(frozen=True)
class CleanPhoto:
    """An encoded clean photo with its captions and labelled regions, if any.

    Attributes:
        source: its bytes, or their location.
    """

    key: str
    source: bytes | Stored
    captions: tuple[str, ...] = ()
    labels: LabelMap | None = None

    @property
    def code(self) -> bytes:
        """The encoded photo. InputError if its file cannot be read."""
        return self.source if isinstance(self.source, bytes) else self.source.read()

    @cached_property
    def sha256(self) -> str:
        """Of the encoded photo. InputError if its file cannot be read."""
        return hashlib.sha256(self.code).hexdigest()

    def decode(self) -> Image:
        """-> (H, W, 3) float32, sRGB [0, 1].

        Raises:
            InputError: the bytes are no picture.
        """
        code = np.frombuffer(self.code, np.uint8)
        decoded = cv2.imdecode(code, cv2.IMREAD_COLOR) if code.size else None
        if decoded is None:
            raise InputError(f"undecodable photo '{self.key}'", "a JPEG or PNG", "remove it")
        rgb = np.ascontiguousarray(decoded[..., ::-1]).astype(np.float32)
        return rgb / np.float32(255)

    def short_side(self) -> int:
        """In pixels, from the header alone. InputError if the bytes are no picture."""
        whole = isinstance(self.source, Stored) and self.source.length is None
        file = cast(Stored, self.source).path if whole else io.BytesIO(self.code)
        try:
            with PIL.Image.open(file) as picture:
                return min(picture.size)
        except (OSError, ValueError) as error:
            raise InputError(
                f"undecodable photo '{self.key}'", "a JPEG or PNG", "remove it"
            ) from error


def _from_shard(path: Path) -> list[CleanPhoto]:
    try:
        with tarfile.open(path, "r:") as tar:
            return _members(path, tar)
    except (tarfile.TarError, OSError, ValueError, AttributeError, TypeError) as error:
        raise InputError(
            f"a damaged shard ({error})",
            "an uncompressed tar of photos with their captions",
            "fetch it again, or unpack it",
            path=path,
        ) from error


def _members(path: Path, tar: tarfile.TarFile) -> list[CleanPhoto]:
    """The photos of a shard: their locations, with their captions and labels."""
    pictures: dict[str, Stored] = {}
    maps: dict[str, bytes] = {}
    captions: dict[str, tuple[str, ...]] = {}
    names: dict[str, dict[int, str]] = {}
    size = path.stat().st_size
    for member in tar:
        if not member.isfile():
            continue
        if member.offset_data + member.size > size:
            raise ValueError("it is cut short")
        name = PurePosixPath(member.name)
        key, suffix = name.with_suffix("").as_posix(), name.suffix.lower()
        if suffix == ".json":
            record = json.loads(_content(tar, member))
            captions[key] = merged([*captions.get(key, ()), *record_captions(record)])
            names[key] = _label_names(record)
        elif suffix in TEXT_SUFFIXES:
            texts = text_captions(_content(tar, member))
            captions[key] = merged([*captions.get(key, ()), *texts])
        elif name.name.lower().endswith(_LABELS):
            maps[name.as_posix()[: -len(_LABELS)]] = _content(tar, member)
        elif suffix in SUFFIXES:
            pictures[key] = Stored(path, member.offset_data, member.size)
    labels = {k: LabelMap(code, names[k]) for k, code in maps.items() if names.get(k)}
    return [CleanPhoto(k, p, captions.get(k, ()), labels.get(k)) for k, p in pictures.items()]


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    handle = tar.extractfile(member)
    return b"" if handle is None else handle.read()


def _label_names(record: Any) -> dict[int, str]:
    """Gray levels and their names from a photo's JSON object, none where it has none."""
    names = record.get("labels", {})
    if not isinstance(names, dict):
        raise TypeError("labels that are no table of names")
    return {int(level): str(name) for level, name in cast(dict[Any, Any], names).items()}


def load_photos(folder: Path) -> Sequence[CleanPhoto]:
    """Finds the photos in every shard (*.tar) of a folder or, without shards, its pictures.

    Captions are those of `data.caption_files`.

    Returns:
        The photos sorted by key, so that an index means the same photo everywhere.

    Raises:
        InputError: the folder is missing or holds no photos, or a file cannot be read.
    """
    if not folder.is_dir():
        raise InputError(
            "no such folder", "a folder of photos or .tar shards", "check the path", path=folder
        )
    shards = sorted(folder.glob("*.tar"))
    photos = [photo for shard in shards for photo in _from_shard(shard)]
    if not shards:
        photos = _from_folder(folder)
    if not photos:
        packed = [p.name for p in folder.iterdir() if p.name.lower().endswith(_ARCHIVES)]
        fix = f"unpack {sorted(packed)[0]} and its like" if packed else "add some"
        raise InputError("no photos", "pictures or WebDataset shards (*.tar)", fix, path=folder)
    return sorted(photos, key=lambda photo: photo.key)


def _from_folder(folder: Path) -> list[CleanPhoto]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    pictures = [p for p in files if p.suffix.lower() in SUFFIXES]
    known = {p.with_suffix("") for p in pictures}
    captions = folder_captions(files, known)
    unknown = captions.keys() - known
    if unknown:
        log.warning("%s: captions of %d photos that are not there", folder, len(unknown))
    return [
        CleanPhoto(p.relative_to(folder).as_posix(), Stored(p), captions.get(p.with_suffix(""), ()))
        for p in pictures
    ]


def load_folders(folders: Sequence[Path]) -> Sequence[CleanPhoto]:
    """The photos of several folders, sorted by key. InputError as of `load_photos`."""
    photos = [photo for folder in folders for photo in load_photos(folder)]
    return sorted(photos, key=lambda photo: photo.key)


def hold_out(
    photos: Sequence[CleanPhoto], count: int = 48
) -> tuple[Sequence[CleanPhoto], Sequence[CleanPhoto]]:
    """Splits photos into training photos and held-out photos, which are spread evenly.

    At most a tenth is held out; where that is none, both parts are all photos.
    """
    count = min(count, len(photos) // 10)
    if count == 0:
        return photos, photos
    held_out = {(2 * i + 1) * len(photos) // (2 * count) for i in range(count)}
    training = [photo for i, photo in enumerate(photos) if i not in held_out]
    return training, [photos[i] for i in sorted(held_out)]


def _sha256(photo: CleanPhoto) -> str:
    return photo.sha256


def fingerprint(photos: Sequence[CleanPhoto]) -> str:
    """The SHA-256 of photos, captions and labels, in their order.

    Each photo is read once, the first time. InputError if one cannot be read.
    """
    with ThreadPoolExecutor(_READERS) as pool:
        hashes = list(pool.map(_sha256, photos))
    digest = hashlib.sha256()
    for photo, content in zip(photos, hashes, strict=True):
        digest.update(json.dumps([photo.key, content, *photo.captions]).encode())
        if photo.labels is not None:
            digest.update(photo.labels.code)
    return digest.hexdigest()
