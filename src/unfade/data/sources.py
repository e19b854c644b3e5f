"""Clean photos from WebDataset shards or folders, held encoded in memory."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from unfade.degrade.types import Image
from unfade.errors import InputError

_LABELS = ".labels.png"
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True)
class LabelMap:
    """An encoded map that says what each pixel of a photo shows.

    Attributes:
        code: a gray PNG of the photo's size, one class a gray level.
        names: gray level -> the name of the class.
    """

    code: bytes
    names: dict[int, str]

    def decode(self) -> NDArray[np.uint8]:
        """-> (H, W). InputError where the bytes are no picture."""
        levels = np.frombuffer(self.code, np.uint8)
        decoded = cv2.imdecode(levels, cv2.IMREAD_GRAYSCALE) if levels.size else None
        if decoded is None:
            raise InputError("an undecodable map of labels", "a gray PNG", "remove it")
        return np.asarray(decoded, np.uint8)


@dataclass(frozen=True)
class CleanPhoto:
    """An encoded clean photo with its captions and labelled regions, if any."""

    key: str
    code: bytes
    captions: tuple[str, ...] = ()
    labels: LabelMap | None = None

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
        """In pixels, from the header alone. InputError where the bytes are no picture."""
        try:
            with PIL.Image.open(io.BytesIO(self.code)) as picture:
                return min(picture.size)
        except (OSError, ValueError) as error:
            raise InputError(
                f"undecodable photo '{self.key}'", "a JPEG or PNG", "remove it"
            ) from error


def _from_shard(path: Path) -> list[CleanPhoto]:
    try:
        with tarfile.open(path) as tar:
            return _members(tar)
    except (tarfile.TarError, OSError, ValueError, AttributeError, TypeError) as error:
        raise InputError(
            f"a damaged shard ({error})", "a tar of photos with their .json", "fetch it again",
            path=path,
        ) from error  # fmt: skip


def _members(tar: tarfile.TarFile) -> list[CleanPhoto]:
    pictures: dict[str, bytes] = {}
    maps: dict[str, bytes] = {}
    captions: dict[str, tuple[str, ...]] = {}
    names: dict[str, dict[int, str]] = {}
    for member in tar:
        handle = tar.extractfile(member) if member.isfile() else None
        if handle is None:
            continue
        name = PurePosixPath(member.name)
        key, suffix = name.with_suffix("").as_posix(), name.suffix.lower()
        if suffix == ".json":
            record = json.loads(handle.read())
            captions[key], names[key] = _captions(record), _label_names(record)
        elif name.name.lower().endswith(_LABELS):
            maps[name.as_posix()[: -len(_LABELS)]] = handle.read()
        elif suffix in _SUFFIXES:
            pictures[key] = handle.read()
    labels = {k: LabelMap(code, names[k]) for k, code in maps.items() if names.get(k)}
    return [CleanPhoto(k, c, captions.get(k, ()), labels.get(k)) for k, c in pictures.items()]


def _captions(record: Any) -> tuple[str, ...]:
    """Those of a photo's JSON object, none where it has none."""
    found = record.get("captions", [])
    if not isinstance(found, list) or not all(isinstance(x, str) for x in cast(list[Any], found)):
        raise TypeError("captions that are no list of texts")
    return tuple(cast(list[str], found))


def _label_names(record: Any) -> dict[int, str]:
    """Gray levels and their names from a photo's JSON object, none where it has none."""
    found = record.get("labels", {})
    if not isinstance(found, dict):
        raise TypeError("labels that are no table of names")
    return {int(level): str(name) for level, name in cast(dict[Any, Any], found).items()}


def load_photos(folder: Path) -> Sequence[CleanPhoto]:
    """Reads every shard (*.tar) of a folder or, without shards, its pictures.

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
        found = folder.rglob("*")
        files = sorted(p for p in found if p.suffix.lower() in _SUFFIXES and p.is_file())
        photos = [CleanPhoto(p.relative_to(folder).as_posix(), _read(p)) for p in files]
    if not photos:
        raise InputError(
            "no photos", "pictures or WebDataset shards (*.tar)", "add some", path=folder
        )
    return sorted(photos, key=lambda photo: photo.key)


def load_folders(folders: Sequence[Path]) -> Sequence[CleanPhoto]:
    """The photos of several folders, sorted by key. InputError as of `load_photos`."""
    found = [photo for folder in folders for photo in load_photos(folder)]
    return sorted(found, key=lambda photo: photo.key)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        fix = "check its rights"
        raise InputError(reason, "a file that can be read", fix, path=path) from error


def hold_out(
    photos: Sequence[CleanPhoto], count: int = 48
) -> tuple[Sequence[CleanPhoto], Sequence[CleanPhoto]]:
    """Parts photos into those to train on and some, spread evenly, to check on.

    At most a tenth is held out; where that is none, both parts are all photos.
    """
    count = min(count, len(photos) // 10)
    if count == 0:
        return photos, photos
    places = {(2 * i + 1) * len(photos) // (2 * count) for i in range(count)}
    kept = [photo for i, photo in enumerate(photos) if i not in places]
    return kept, [photos[i] for i in sorted(places)]


def fingerprint(photos: Sequence[CleanPhoto]) -> str:
    """The SHA-256 of photos, captions and labels, in their order."""
    digest = hashlib.sha256()
    for photo in photos:
        digest.update(json.dumps([photo.key, len(photo.code), *photo.captions]).encode())
        digest.update(photo.code)
        if photo.labels is not None:
            digest.update(photo.labels.code)
    return digest.hexdigest()
