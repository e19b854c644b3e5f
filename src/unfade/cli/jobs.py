"""Makes a list of jobs of the command line's INPUT... and OUT, and checks it before any runs."""

from __future__ import annotations

import glob
import logging
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import unfade.manifest as manifests
from unfade.errors import InputError, UnfadeError, UsageError
from unfade.files.photos import (
    COMPARE_SUFFIX,
    OTHER_PHOTOS,
    SERVICE_FOLDERS,
    folded,
    is_one_file,
    other_photo,
)
from unfade.types import numbered

logger = logging.getLogger(__name__)

_NOT_WRITTEN = frozenset({*OTHER_PHOTOS, ".pdf", ".svg", ".txt", ".json", ".zip"})


@dataclass(frozen=True)
class Job:
    """One photo and the file that its result goes to."""

    source: Path
    output: Path
    problem: UnfadeError | None = None  # of the search for photos; the job fails with it
    variants: int = 1

    @property
    def outputs(self) -> list[Path]:
        """The files that are written: `output`, or one for each of several variants."""
        return numbered(self.output, self.variants)


@dataclass(frozen=True)
class _FoundPhoto:
    source: Path
    relative: Path  # path of its result below OUT
    problem: UnfadeError | None = None


def plan(
    inputs: Sequence[str], out: str, *, suffix: str | None = None, protected: Iterable[Path] = (),
    variants: int = 1,
) -> list[Job]:  # fmt: skip
    """The jobs for these inputs.

    Args:
        inputs: files, folders (searched with their sub-folders) and globs. A folder's photos keep
            their sub-folders below OUT, and where there are several inputs the folder's own name.
        out: a folder, or for one file the name of the result.
        suffix: of every result, such as ".png", in place of the input's or, where inputs differ
            in theirs alone, behind it; None keeps the name of the input.
        protected: other files that must not be overwritten.
        variants: results of each photo (`types.numbered`).

    Returns:
        Jobs in a fixed order, each photo once.

    Raises:
        UsageError: nothing was found, two photos would write the same file, or a result would
            overwrite an input.
    """
    _refuse_streams(inputs, out)
    folder = Path(out)
    photos = list(_unique(_search(inputs, folder)))
    if all(item.problem is None and not os.path.lexists(item.source) for item in photos):
        names = ", ".join(map(_printable, inputs))
        got = f"no such file: {names}"
        raise UsageError(got, "photos, folders or globs that exist", "check the name")
    one_file = len(inputs) == 1 and len(photos) == 1 and not Path(inputs[0]).is_dir()
    if _is_file_name(out, suffix, one_file=one_file):
        jobs = [Job(photos[0].source, folder, variants=variants)]
    else:
        jobs = [replace(job, variants=variants) for job in _jobs(photos, folder, suffix)]
    valid = [job for job in jobs if job.problem is None]
    _refuse_clashes(valid)
    _refuse_overwriting(valid, protected)
    return jobs


def photos_in(folder: Path, output: Path) -> list[Job]:
    """A job for each photo in a folder and its sub-folders; all of them write one file.

    Raises:
        UsageError: there is none.
    """
    photos = _unique(_search([str(folder)], folder))
    return [Job(item.source, output, item.problem) for item in photos]


def _refuse_streams(inputs: Sequence[str], out: str) -> None:
    """Raises UsageError for "-", the usual name of standard input and output."""
    for name, is_stream in (("input", "-" in inputs), ("output", out == "-")):
        if is_stream:
            fix = "name it; for one that is called '-', write ./-"
            raise UsageError(f"-, the standard {name}", "a file or a folder", fix)


def _is_file_name(out: str, suffix: str | None, *, one_file: bool) -> bool:
    """Whether OUT names the result itself rather than a folder.

    For one photo, a name with a suffix is a file's: "x.xyz" is a slip, and no folder. For several
    it can only be a folder's, such as "scans-1.2.2024", unless it ends as files do.

    Raises:
        UsageError: it is the name of a file that cannot be written, or of one for several photos.
    """
    from unfade.imaging import WRITABLE_SUFFIXES

    path = Path(out)
    if not out:
        raise UsageError("an empty OUT", "a folder or a file name", "name one")
    out_suffix = path.suffix.lower()
    if out.endswith((os.sep, "/")) or path.is_dir() or not out_suffix:
        return False
    if not one_file:
        if out_suffix in WRITABLE_SUFFIXES or out_suffix in _NOT_WRITTEN:
            got = f"{_printable(out)} as OUT for several photos"
            raise UsageError(got, "a folder", "name a folder as OUT")
        return False
    allowed = sorted(WRITABLE_SUFFIXES) if suffix is None else [suffix]
    if out_suffix not in allowed:
        expected = f"a name that ends in {' '.join(allowed)}, or a folder"
        raise UsageError(
            f"{_printable(out)} as OUT",
            expected,
            "choose another name, or end a folder's name with /",
        )
    return True


def _jobs(photos: Sequence[_FoundPhoto], folder: Path, suffix: str | None) -> list[Job]:
    """One job a photo. With a `suffix`, `print.jpg` and `print.tif` keep theirs before it."""
    outputs = [folder / item.relative for item in photos]
    if suffix is not None:
        replaced = [output.with_suffix(suffix) if output.name else output for output in outputs]
        counts = Counter(map(_identity, replaced))
        outputs = [
            output.with_name(output.name + suffix) if counts[_identity(name)] > 1 else name
            for output, name in zip(outputs, replaced, strict=True)
        ]
    pairs = zip(photos, outputs, strict=True)
    return [Job(item.source, output, item.problem) for item, output in pairs]


# --- search for photos -----------------------------------------------------------------------


def _search(inputs: Sequence[str], out: Path) -> Iterator[_FoundPhoto]:
    for text in inputs:
        path = Path(text)
        if path.is_dir():
            prefix = Path(path.resolve().name) if len(inputs) > 1 else Path()
            photos = list(_walk(path, path, prefix, out))
            if not photos:
                from unfade.imaging import SUFFIXES

                expected = f"photos ({' '.join(sorted(SUFFIXES))})"
                fix = "name another folder"
                raise UsageError("a folder without photos", expected, fix, path=path)
            yield from photos
        elif glob.has_magic(text) and not os.path.lexists(path):
            yield from _match(text, out)
        else:
            yield _FoundPhoto(path, Path(path.name))


def _match(pattern: str, out: Path) -> Iterator[_FoundPhoto]:
    """The photos that match a glob; results keep the folders below its fixed part."""
    parts = Path(pattern).parts
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    root = Path(*parts[:fixed])
    any_found = False
    skipped: Counter[str] = Counter()
    for match in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207 - may be absolute
        path = Path(match)
        service = SERVICE_FOLDERS.intersection(path.parts[fixed:])
        if service:
            skipped.update(service)
        elif path.is_dir():
            if not _is_same_folder(path, out):
                for item in _walk(path, root, Path(), out):
                    any_found = True
                    yield item
        elif _is_photo(path) and not _inside(path, out, root):
            any_found = True
            yield _FoundPhoto(path, path.relative_to(root))
    _warn_skipped(pattern, skipped)
    if not any_found:
        got = f"no photo that matches {_printable(pattern)}"
        raise UsageError(got, "one or more", "check the name")


def _walk(folder: Path, root: Path, prefix: Path, out: Path) -> Iterator[_FoundPhoto]:
    """The photos of a folder tree, sorted, without hidden files and results of unfade."""
    problems: list[OSError] = []
    unreadable: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for name, folders, files in os.walk(folder, onerror=problems.append):
        current = Path(name)
        skipped.update(SERVICE_FOLDERS.intersection(folders))
        folders[:] = sorted(
            f
            for f in folders
            if not f.startswith(".")
            and f not in SERVICE_FOLDERS
            and not _is_same_folder(current / f, out)
        )
        unreadable.update(suffix for file in files if (suffix := other_photo(file)))
        for file in sorted(files):
            path = current / file
            if _is_photo(path):
                yield _FoundPhoto(path, prefix / path.relative_to(root))
    if unreadable:
        kinds = " ".join(sorted(unreadable))
        logger.warning(
            "%s: left out %d file(s) of kinds that cannot be read (%s); convert them first",
            _printable(folder), unreadable.total(), kinds,
        )  # fmt: skip
    _warn_skipped(folder, skipped)
    for problem in problems:
        path = Path(problem.filename or folder)
        reason = (problem.strerror or str(problem)).lower()
        error = InputError(reason, "a folder that can be read", "check its permissions", path=path)
        yield _FoundPhoto(path, prefix / path.relative_to(root), error)


def _warn_skipped(where: str | Path, names: Counter[str]) -> None:
    if names:
        logger.warning(
            "%s: skipped %d folder(s) with thumbnails or deleted photos (%s); name one to have it "
            "restored",
            _printable(where), names.total(), " ".join(sorted(names)),
        )  # fmt: skip


def _is_photo(path: Path) -> bool:
    """Whether a file is a photo, and neither hidden nor a result of unfade."""
    from unfade.imaging import SUFFIXES

    if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES:
        return False
    return not path.name.endswith(COMPARE_SUFFIX) and manifests.find(path) is None


def _inside(path: Path, out: Path, root: Path) -> bool:
    """Whether a match of a glob is in OUT, if OUT is below the glob's fixed part."""
    resolved, folder = path.resolve(), out.resolve()
    return (
        folder in resolved.parents and folder != root.resolve() and root.resolve() in folder.parents
    )


def _is_same_folder(folder: Path, other: Path) -> bool:
    return folder.resolve() == other.resolve()


def _unique(photos: Iterable[_FoundPhoto]) -> Iterator[_FoundPhoto]:
    """Each photo once, under its first name; regular files are preferred to links."""
    by_path: dict[str, _FoundPhoto] = {}
    for item in photos:
        key = os.path.realpath(item.source)
        earlier = by_path.get(key)
        if earlier is None or (earlier.source.is_symlink() and not item.source.is_symlink()):
            by_path[key] = item
    yield from by_path.values()


# --- checks ----------------------------------------------------------------------------------


def _refuse_clashes(jobs: Sequence[Job]) -> None:
    by_folded_name: dict[str, list[tuple[Path, Path]]] = defaultdict(list)
    pairs = [(job.source, output) for job in jobs for output in job.outputs]
    for source, output in pairs:
        for other_source, other_output in by_folded_name[folded(output)]:
            is_same_file = _identity(output) == _identity(other_output) or is_one_file(
                other_output, output
            )
            if other_source != source and is_same_file:
                sources = f"{_printable(other_source)} and {_printable(source)}"
                raise UsageError(
                    f"{sources}, two photos for one result ({_printable(output)})",
                    "a result of its own for each photo",
                    "name their folders in place of the photos, rename one, or use a second OUT",
                )
        by_folded_name[folded(output)].append((source, output))


def _refuse_overwriting(jobs: Sequence[Job], protected: Iterable[Path]) -> None:
    inputs = {_identity(path) for path in (*(job.source for job in jobs), *protected)}
    pairs = [(job, output) for job in jobs for output in job.outputs]
    for job, output in pairs:
        is_input = output.exists() and job.source.exists() and output.samefile(job.source)
        if is_input or _identity(output) in inputs:
            raise UsageError(
                f"{_printable(output)} as a result, which is an input itself",
                "results apart from the inputs",
                "name another OUT: unfade never overwrites an input",
            )


def _identity(path: Path) -> str:
    """The resolved path; lower case where the file system ignores case."""
    real_path = os.path.realpath(path)
    return real_path.casefold() if sys.platform in ("win32", "darwin") else real_path


def _printable(name: str | Path) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")
