"""Storage of results and manifest: a folder, or a prefix of an object store (fsspec)."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, Protocol

from unfade.errors import OutputError, UsageError
from unfade.files import atomic_file, make_folder, sha256_file

#: Folder below DST for manifest, lock, report and temporary files.
RECORDS = "unfade-archive"
_STAGES = f"{RECORDS}/stage"
_CHUNK_BYTES = 1 << 20
_LIST_FROM = 50  # number of objects from which a listing is faster than single requests


class Storage(Protocol):
    """A tree of files. Names are relative to its root, with "/"."""

    url: str

    def read(self, name: str) -> bytes | None:
        """The contents of a file, None where there is none."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Writes a file atomically. OutputError where that fails."""
        ...

    def publish(self, file: Path, name: str) -> None:
        """Moves a finished local file here, atomically; an earlier one is replaced."""
        ...

    def size(self, name: str) -> int | None:
        """Bytes of a file, None where there is none."""
        ...

    def sizes(self, names: Sequence[str]) -> list[int | None]:
        """`size` of many files."""
        ...

    def sha256(self, name: str) -> str:
        """SHA-256 of a file, hexadecimal."""
        ...

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder, sorted; empty where there is no folder."""
        ...

    def remove(self, name: str) -> None:
        """Removes a file, if it is there."""
        ...

    def stage(self, run: str) -> contextlib.AbstractContextManager[Path]:
        """A local folder for the files of one photo before they are published."""
        ...

    def clear_stages(self) -> None:
        """Removes the temporary files of killed runs."""
        ...


def is_url(text: str) -> bool:
    """Whether a text is a URL for fsspec rather than a local path."""
    return "://" in text


def open_storage(url: str) -> Storage:
    """The storage at a path or URL. UsageError if its file system is unknown."""
    return RemoteStorage(url) if is_url(url) else LocalStorage(url)


def file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL and the path in it, without a cache of listings.

    Raises:
        UsageError: fsspec or the package for this kind of URL is missing, or the kind is unknown.
    """
    try:
        import fsspec  # pyright: ignore[reportMissingTypeStubs]

        result: Any = fsspec.core.url_to_fs(url, use_listings_cache=False)  # pyright: ignore
    except (ImportError, ValueError) as error:
        kind = url.split("://", maxsplit=1)[0]
        fix = "pip install '.[cluster]' in a clone of unfade, and what fsspec names for "
        fix += f"{kind}://"
        raise UsageError(f"{url} ({error})", "a kind of URL that can be opened", fix) from error
    return result[0], str(result[1]).rstrip("/")


class LocalStorage:
    """A folder of this machine, or one that all machines share."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.root = Path(url)

    def read(self, name: str) -> bytes | None:
        """See `Storage`."""
        try:
            return (self.root / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def write(self, name: str, data: bytes) -> None:
        """See `Storage`."""
        path = self.root / name
        make_folder(path.parent)
        with atomic_file(path) as file:
            file.write(data)

    def publish(self, file: Path, name: str) -> None:
        """See `Storage`."""
        path = self.root / name
        make_folder(path.parent)
        try:
            if path.is_dir():
                raise OutputError("a folder", "the name of a result", "move it away", path=path)
            file.replace(path)
        except OSError as error:
            reason = error.strerror or str(error)
            fix = "choose another DST"
            raise OutputError(reason, "a file that can be written", fix, path=path) from error

    def size(self, name: str) -> int | None:
        """See `Storage`."""
        try:
            return (self.root / name).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def sizes(self, names: Sequence[str]) -> list[int | None]:
        """See `Storage`."""
        return [self.size(name) for name in names]

    def sha256(self, name: str) -> str:
        """See `Storage`."""
        return sha256_file(self.root / name)

    def names(self, folder: str) -> list[str]:
        """See `Storage`."""
        try:
            return sorted(e.name for e in os.scandir(self.root / folder) if e.is_file())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def remove(self, name: str) -> None:
        """See `Storage`."""
        with contextlib.suppress(FileNotFoundError):
            (self.root / name).unlink()

    @contextlib.contextmanager
    def stage(self, run: str) -> Generator[Path]:
        """See `Storage`; on the disk of the results, so that a move is a rename."""
        parent = self.root / _STAGES / run
        make_folder(parent)
        with tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    def clear_stages(self) -> None:
        """See `Storage`."""
        shutil.rmtree(self.root / _STAGES, ignore_errors=True)


class RemoteStorage:
    """A prefix of an object store, or another file system of fsspec.

    Writes to an object store are atomic. On other file systems a file is written under a temporary
    name and then moved.
    """

    _ATOMIC = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "az", "memory"})

    def __init__(self, url: str) -> None:
        self.url = url
        self._fs, self._root = file_system(url)
        kinds = self._fs.protocol
        self._atomic = bool(self._ATOMIC.intersection([kinds] if isinstance(kinds, str) else kinds))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def read(self, name: str) -> bytes | None:
        """See `Storage`."""
        try:
            return self._fs.cat_file(self._path(name))
        except (FileNotFoundError, IsADirectoryError):
            return None

    def write(self, name: str, data: bytes) -> None:
        """See `Storage`."""
        with self._writing(name) as path:
            self._fs.pipe_file(path, data)

    def publish(self, file: Path, name: str) -> None:
        """See `Storage`."""
        with self._writing(name) as path:
            self._fs.put_file(str(file), path)
        file.unlink()

    @contextlib.contextmanager
    def _writing(self, name: str) -> Generator[str]:
        """The path to write to, which is then moved; errors of the store become an OutputError."""
        path = self._path(name)
        target = path if self._atomic else f"{path}.unfade-part"
        try:
            if not self._atomic:
                self._fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            yield target
            if not self._atomic:
                self._fs.mv(target, path)
        except Exception as error:  # each file system has errors of its own
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            expected = "an object that can be written"
            raise OutputError(f"{name}: {reason}", expected, "check the store") from error

    def size(self, name: str) -> int | None:
        """See `Storage`."""
        try:
            info = self._fs.info(self._path(name))
        except FileNotFoundError:
            return None
        return None if info["type"] == "directory" else int(info["size"])

    def sizes(self, names: Sequence[str]) -> list[int | None]:
        """See `Storage`; lists all objects if that takes fewer requests."""
        if len(names) < _LIST_FROM:
            return [self.size(name) for name in names]
        start = len(self._root) + 1
        sizes: dict[str, int] = {}
        for folder, _, files in self._fs.walk(self._root, detail=True):
            for name, info in files.items():
                sizes[f"{folder}/{name}"[start:]] = int(info["size"])
        return [sizes.get(name) for name in names]

    def sha256(self, name: str) -> str:
        """See `Storage`."""
        digest = hashlib.sha256()
        with self._fs.open(self._path(name), "rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest()

    def names(self, folder: str) -> list[str]:
        """See `Storage`."""
        try:
            entries = self._fs.ls(self._path(folder), detail=True)
        except FileNotFoundError:
            return []
        return sorted(e["name"].rsplit("/", 1)[-1] for e in entries if e["type"] == "file")

    def remove(self, name: str) -> None:
        """See `Storage`."""
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._path(name))

    @contextlib.contextmanager
    def stage(self, run: str) -> Generator[Path]:
        """See `Storage`; in the temporary folder of this machine."""
        with tempfile.TemporaryDirectory(prefix="unfade-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    def clear_stages(self) -> None:
        """See `Storage`; does nothing: temporary folders of other machines cannot be reached."""
