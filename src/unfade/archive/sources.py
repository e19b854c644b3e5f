"""Lists the inputs of an archive: of a folder, a glob, a list, tar shards or URLs."""

from __future__ import annotations

import glob
import os
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from unfade.archive.storage import RECORDS, file_system, is_url
from unfade.errors import InputError, UsageError, printable
from unfade.files.photos import COMPARE_SUFFIX, SERVICE_FOLDERS, other_photo
from unfade.imaging.formats import SUFFIXES

LISTS = (".txt", ".lst")
SHARDS = (".tar",)
_MAX_NAMED = 8  # kinds of files in an error
MEMBER = "::"  # between the name of a shard and that of its member


class Input(NamedTuple):
    """One input, or the error that made it unreadable."""

    key: str  # its path below SRC
    source: str  # path or URL; of a member, SHARD::NAME
    size: int
    stamp: str  # changes when the input does
    offset: int | None = None  # of a member in its shard
    error: str | None = None


@dataclass
class Search:
    """Iterates over the inputs of SRC, in a fixed order.

    Attributes:
        src: SRC of the command line.
        skip: a folder to leave out: DST, which may lie in SRC.
        left_out: reason -> count of files and folders that were left out.
        other_files: suffix -> count of files that are neither photos nor shards.
    """

    src: str
    skip: str
    left_out: Counter[str] = field(default_factory=Counter[str])
    other_files: Counter[str] = field(default_factory=Counter[str])

    def __iter__(self) -> Iterator[Input]:
        """Raises UsageError where SRC does not exist or is of no known kind."""
        kind = Path(self.src).suffix.lower()
        if kind in LISTS:
            yield from self._list()
        elif glob.has_magic(self.src) and not (not is_url(self.src) and Path(self.src).exists()):
            yield from self._glob()
        else:
            yield from self._path(self.src)

    def _path(self, name: str) -> Iterator[Input]:
        """A folder or a single file, local or at a URL."""
        if is_url(name):
            fs, root = file_system(name)
            try:
                info = fs.info(root)
            except FileNotFoundError as error:
                raise _missing(name) from error
            if info["type"] == "directory":
                yield from self._remote_folder(fs, root)
            else:
                yield from self._remote_file(fs, info, root.rsplit("/", 1)[-1])
            return
        path = Path(name)
        if path.is_dir():
            yield from self._folder(path, "")
        elif path.is_file():
            yield from self._file(path, path.name)
        else:
            raise _missing(name)

    # --- this machine ---

    def _folder(self, folder: Path, prefix: str) -> Iterator[Input]:
        """The photos and shards in a folder and below, sorted; `prefix` ends with "/"."""
        try:
            with os.scandir(folder) as entries:
                sorted_entries = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            error = InputError(reason, "a folder that can be read", "check its permissions")
            text = error.message(printable(folder))
            yield Input(_printable(prefix + "."), _printable(str(folder)), 0, "", error=text)
            return
        names = {entry.name for entry in sorted_entries}
        folders: list[os.DirEntry[str]] = []
        for entry in sorted_entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                folders.append(entry)
            elif self._is_input(entry.name) and not self._is_result(folder, entry.name, names):
                yield from self._entry(entry, prefix + entry.name)
        for entry in folders:
            if entry.name in SERVICE_FOLDERS:
                self.left_out[f"folder {entry.name}"] += 1
            elif not entry.is_symlink() and entry.name != RECORDS and not self._is_skipped(entry):
                yield from self._folder(Path(entry.path), f"{prefix}{entry.name}/")

    def _is_skipped(self, folder: os.DirEntry[str]) -> bool:
        return not is_url(self.skip) and os.path.realpath(folder) == os.path.realpath(self.skip)

    def _is_input(self, name: str) -> bool:
        suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - a million times
        if suffix in SUFFIXES:
            return not name.endswith(COMPARE_SUFFIX)
        if other_photo(name):
            self.left_out[f"{suffix} file, which cannot be read"] += 1
        elif suffix not in SHARDS:
            self.other_files[f"{suffix} file" if suffix else "file without a suffix"] += 1
        return suffix in SHARDS

    def _is_result(self, folder: Path, name: str, names: set[str]) -> bool:
        """Whether a photo is a result of unfade, by its manifest."""
        if Path(name).stem + ".json" not in names and name + ".json" not in names:
            return False
        import unfade.manifest as manifests

        is_result = manifests.find(folder / name) is not None
        self.left_out["result of unfade"] += is_result
        return is_result

    def _entry(self, entry: os.DirEntry[str], key: str) -> Iterator[Input]:
        try:
            info = entry.stat()
        except OSError as error:
            yield _unreadable(key, entry.path, error)
            return
        if key.lower().endswith(SHARDS):
            yield from self._shard(entry.path, key, f"{info.st_mtime_ns}")
        else:
            yield _input(key, entry.path, info.st_size, f"{info.st_mtime_ns}")

    def _file(self, path: Path, key: str) -> Iterator[Input]:
        try:
            info = path.stat()
        except OSError as error:
            yield _unreadable(key, str(path), error)
            return
        if key.lower().endswith(SHARDS):
            yield from self._shard(str(path), key, f"{info.st_mtime_ns}")
        else:
            yield _input(key, str(path), info.st_size, f"{info.st_mtime_ns}")

    # --- globs and lists ---

    def _glob(self) -> Iterator[Input]:
        if is_url(self.src):
            yield from self._remote_glob()
            return
        root = _fixed(self.src, os.sep)
        matches = sorted(glob.glob(self.src, recursive=True))  # noqa: PTH207 - may be absolute
        if not matches:
            raise _missing(self.src)
        for match in matches:
            path = Path(match)
            if path.is_file() and self._is_input(path.name):
                yield from self._file(path, os.path.relpath(path, root or "."))

    def _remote_glob(self) -> Iterator[Input]:
        fs, pattern = file_system(self.src)
        root = _fixed(pattern, "/")
        matches: dict[str, Any] = fs.glob(pattern, detail=True)
        if not matches:
            raise _missing(self.src)
        for name, info in sorted(matches.items()):
            if info["type"] == "file" and self._is_input(name.rsplit("/", 1)[-1]):
                yield from self._remote_file(fs, info, name[len(root) :].lstrip("/"))

    def _list(self) -> Iterator[Input]:
        """The lines of a text file: paths, relative to it or absolute, or URLs."""
        if is_url(self.src):
            fs, path = file_system(self.src)
            lines = fs.cat_file(path).decode("utf-8").splitlines()
            parent = self.src.rsplit("/", 1)[0]
        else:
            if not Path(self.src).is_file():
                raise _missing(self.src)
            lines = Path(self.src).read_text("utf-8", "surrogateescape").splitlines()
            parent = str(Path(self.src).parent)
        names = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        paths = list(dict.fromkeys(n if is_url(n) else _below(parent, n) for n in names))
        root = _common([path.rsplit("/", 1)[0] for path in paths])
        for path in paths:
            key = path[len(root) :].lstrip("/")
            if is_url(path):
                fs, remote_path = file_system(path)
                try:
                    info = fs.info(remote_path)
                except FileNotFoundError:
                    yield _absent(key, path)
                    continue
                yield from self._remote_file(fs, info, key)
            else:
                yield from self._file(Path(path), key)

    # --- URLs ---

    def _remote_folder(self, fs: Any, root: str) -> Iterator[Input]:
        skip = file_system(self.skip)[1] if is_url(self.skip) else ""
        for folder, folders, files in fs.walk(root, detail=True, topdown=True):
            for name in [n for n in folders if n.startswith(".") or n == RECORDS]:
                del folders[name]
            if folder == skip:
                folders.clear()
                continue
            for name in sorted(files):
                if name and not name.startswith(".") and self._is_input(name):
                    key = f"{folder}/{name}"[len(root) :].lstrip("/")
                    yield from self._remote_file(fs, files[name], key)

    def _remote_file(self, fs: Any, info: dict[str, Any], key: str) -> Iterator[Input]:
        url = fs.unstrip_protocol(info["name"])
        stamp = next(
            (
                str(info[k])
                for k in ("ETag", "etag", "LastModified", "mtime", "created")
                if k in info
            ),
            "",
        )
        if key.lower().endswith(SHARDS):
            yield from self._shard(url, key, stamp)
        else:
            yield _input(key, url, int(info["size"]), stamp)

    # --- shards ---

    def _shard(self, shard: str, key: str, stamp: str) -> Iterator[Input]:
        """The photos in a WebDataset shard, below a folder of its name."""
        prefix = key[: -len(Path(key).suffix)]
        try:
            with open_binary(shard) as file, tarfile.open(fileobj=file) as tar:
                for member in tar:
                    name = member.name.removeprefix("./")
                    if member.isfile() and self._is_input(name.rsplit("/", 1)[-1]):
                        yield _input(
                            f"{prefix}/{name}", f"{shard}{MEMBER}{name}", member.size,
                            f"{stamp}+{member.offset_data}", member.offset_data,
                        )  # fmt: skip
        except (OSError, tarfile.TarError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            got = f"a shard that cannot be read ({reason})"
            text = InputError(got, "a tar file", "copy it again").message(_printable(shard))
            yield Input(_printable(prefix) + "/", _printable(shard), 0, stamp, error=text)


def require_inputs(search: Search) -> None:
    """Raises UsageError if SRC does not exist or has no photo; the error lists what it has."""
    if next(iter(search), None) is not None:
        return
    skipped = search.left_out + search.other_files
    listed = ", ".join(
        f"{count} x {description}" for description, count in skipped.most_common(_MAX_NAMED)
    )
    description = f"passed over: {listed}" if listed else "it is empty"
    got = f"no photos in {_printable(search.src)} ({description})"
    raise UsageError(got, f"photos ({', '.join(sorted(SUFFIXES))}) or shards (.tar)", "check SRC")


def open_binary(source: str) -> Any:
    """A file or URL opened for reading."""
    if is_url(source):
        fs, path = file_system(source)
        return fs.open(path, "rb")
    return Path(source).open("rb")


def _input(key: str, source: str, size: int, stamp: str, offset: int | None = None) -> Input:
    if os.sep != "/":
        key = key.replace(os.sep, "/")
    parts = key.split("/")
    if not key.isprintable() and _printable(key) != key:
        problem = InputError("its name is not UTF-8", "UTF-8", "rename the photo")
        return Input(
            _printable(key),
            _printable(source),
            size,
            stamp,
            error=problem.message(_printable(source)),
        )
    if ".." in parts or "" in parts:  # of a member of a shard
        problem = InputError("its name leaves its folder", "a name below it", "rename it")
        key = key.replace("..", "(..)")
        return Input(key, source, size, stamp, error=problem.message(source))
    return Input(key, source, size, stamp, offset)


def _unreadable(key: str, source: str, error: OSError) -> Input:
    if isinstance(error, FileNotFoundError):
        return _absent(key, source)
    reason = (error.strerror or str(error)).lower()
    problem = InputError(reason, "a file that can be read", "check its permissions")
    return Input(
        _printable(key), _printable(source), 0, "", error=problem.message(_printable(source))
    )


def _absent(key: str, source: str) -> Input:
    problem = InputError("no such file", "a photo", "check the name")
    return Input(
        _printable(key), _printable(source), 0, "", error=problem.message(_printable(source))
    )


def _missing(src: str) -> UsageError:
    expected = "a folder, photo, glob, list (.txt), shard (.tar) or URL that exists"
    return UsageError(f"{_printable(src)}, which does not exist", expected, "check the name")


def _printable(name: str) -> str:
    """The name in UTF-8, with escapes for invalid bytes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _fixed(pattern: str, separator: str) -> str:
    """The folders of a pattern before its first wildcard."""
    parts = pattern.split(separator)
    first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return separator.join(parts[:first])


def _below(folder: str, name: str) -> str:
    if is_url(folder):
        return f"{folder}/{name}"
    return os.path.abspath(os.path.join(folder, name)).replace(os.sep, "/")  # noqa: PTH118, PTH100


def _common(folders: list[str]) -> str:
    """The deepest folder that contains all of these."""
    if not folders:
        return ""
    first, last = min(folders).split("/"), max(folders).split("/")
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), None)
    return "/".join(first[: min(len(first), len(last)) if length is None else length])
