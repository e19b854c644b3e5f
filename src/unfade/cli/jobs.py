"""Turns INPUT... and OUT of the command line into a list of jobs, checked before anything runs."""

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
    SERVICE_FOLDERS,
    folded,
    is_one_file,
    other_photo,
)
from unfade.types import numbered

logger = logging.getLogger(__name__)

_NOT_WRITTEN = frozenset(
    {".gif", ".heic", ".heif", ".avif", ".jp2", ".jxl", ".pdf", ".psd", ".svg", ".txt", ".json",
     ".zip"}
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One photo and the file that its result goes to."""

    source: Path
    output: Path
    problem: UnfadeError | None = None  # found while looking for photos; the job fails with it
    variants: int = 1

    @property
    def outputs(self) -> list[Path]:
        """The files that are written: `output`, or one for each of several variants."""
        return numbered(self.output, self.variants)


@dataclass(frozen=True)
class _Found:
    source: Path
    relative: Path  # where its result goes below OUT
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
    found = list(_unique(_search(inputs, folder)))
    if all(item.problem is None and not os.path.lexists(item.source) for item in found):
        names = ", ".join(map(_show, inputs))
        got = f"no such file: {names}"
        raise UsageError(got, "photos, folders or globs that exist", "check the name")
    one_file = len(inputs) == 1 and len(found) == 1 and not Path(inputs[0]).is_dir()
    if _is_file_name(out, suffix, one_file=one_file):
        jobs = [Job(found[0].source, folder, variants=variants)]
    else:
        jobs = [replace(job, variants=variants) for job in _jobs(found, folder, suffix)]
    sound = [job for job in jobs if job.problem is None]
    _refuse_clashes(sound)
    _refuse_overwriting(sound, protected)
    return jobs


def photos_in(folder: Path, output: Path) -> list[Job]:
    """A job for each photo in a folder and below, which all write one file.

    Raises:
        UsageError: there is none.
    """
    found = _unique(_search([str(folder)], folder))
    return [Job(item.source, output, item.problem) for item in found]


def _refuse_streams(inputs: Sequence[str], out: str) -> None:
    """UsageError where "-" is given, which elsewhere means the standard input or output."""
    for name, given in (("input", "-" in inputs), ("output", out == "-")):
        if given:
            fix = "name it; for one that is called '-', write ./-"
            raise UsageError(f"-, the standard {name}", "a file or a folder", fix)


def _is_file_name(out: str, suffix: str | None, *, one_file: bool) -> bool:
    """Whether OUT names the result itself rather than a folder.

    For one photo, a name with a suffix is a file's: "x.xyz" is a slip, and no folder. For several
    it can only be a folder's, such as "scans-1.2.2024", unless it ends as files do.

    Raises:
        UsageError: it is the name of a file that cannot be written, or of one for several photos.
    """
    from unfade.imaging import SUFFIXES

    path = Path(out)
    if not out:
        raise UsageError("an empty OUT", "a folder or a file name", "name one")
    own = path.suffix.lower()
    if out.endswith((os.sep, "/")) or path.is_dir() or not own:
        return False
    if not one_file:
        if own in SUFFIXES or own in _NOT_WRITTEN:
            got = f"{_show(out)} as OUT for several photos"
            raise UsageError(got, "a folder", "name a folder as OUT")
        return False
    wanted = sorted(SUFFIXES) if suffix is None else [suffix]
    if own not in wanted:
        expected = f"a name that ends in {' '.join(wanted)}, or a folder"
        raise UsageError(
            f"{_show(out)} as OUT", expected, "choose another name, or end a folder's name with /"
        )
    return True


def _jobs(found: Sequence[_Found], folder: Path, suffix: str | None) -> list[Job]:
    """One job for each photo. Of `print.jpg` and `print.tif` both keep their own suffix too."""
    places = [folder / item.relative for item in found]
    if suffix is not None:
        short = [place.with_suffix(suffix) if place.name else place for place in places]
        shared = Counter(map(_identity, short))
        places = [
            place.with_name(place.name + suffix) if shared[_identity(name)] > 1 else name
            for place, name in zip(places, short, strict=True)
        ]
    pairs = zip(found, places, strict=True)
    return [Job(item.source, place, item.problem) for item, place in pairs]


# --- looking for photos ----------------------------------------------------------------------


def _search(inputs: Sequence[str], out: Path) -> Iterator[_Found]:
    for text in inputs:
        path = Path(text)
        if path.is_dir():
            prefix = Path(path.resolve().name) if len(inputs) > 1 else Path()
            found = list(_walk(path, path, prefix, out))
            if not found:
                from unfade.imaging import SUFFIXES

                expected = f"photos ({' '.join(sorted(SUFFIXES))})"
                fix = "name another folder"
                raise UsageError("a folder without photos", expected, fix, path=path)
            yield from found
        elif glob.has_magic(text) and not os.path.lexists(path):
            yield from _match(text, out)
        else:
            yield _Found(path, Path(path.name))


def _match(pattern: str, out: Path) -> Iterator[_Found]:
    """The photos that a glob names, each below the pattern's fixed part."""
    parts = Path(pattern).parts
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    root = Path(*parts[:fixed])
    found = False
    skipped: Counter[str] = Counter()
    for hit in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207 - may be absolute
        path = Path(hit)
        service = SERVICE_FOLDERS.intersection(path.parts[fixed:])
        if service:
            skipped.update(service)
        elif path.is_dir():
            if not _same(path, out):
                for item in _walk(path, root, Path(), out):
                    found = True
                    yield item
        elif _is_photo(path) and not _inside(path, out, root):
            found = True
            yield _Found(path, path.relative_to(root))
    _tell_skipped(pattern, skipped)
    if not found:
        got = f"no photo that matches {_show(pattern)}"
        raise UsageError(got, "one or more", "check the name")


def _walk(folder: Path, root: Path, prefix: Path, out: Path) -> Iterator[_Found]:
    """The photos in a folder and below, in order, but for hidden ones and our own results."""
    problems: list[OSError] = []
    others: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for name, folders, files in os.walk(folder, onerror=problems.append):
        here = Path(name)
        skipped.update(SERVICE_FOLDERS.intersection(folders))
        folders[:] = sorted(
            f
            for f in folders
            if not f.startswith(".") and f not in SERVICE_FOLDERS and not _same(here / f, out)
        )
        others.update(suffix for file in files if (suffix := other_photo(file)))
        for file in sorted(files):
            path = here / file
            if _is_photo(path):
                yield _Found(path, prefix / path.relative_to(root))
    if others:
        kinds = " ".join(sorted(others))
        logger.warning(
            "%s: left out %d file(s) of kinds that cannot be read (%s); convert them first",
            _show(folder), others.total(), kinds,
        )  # fmt: skip
    _tell_skipped(folder, skipped)
    for problem in problems:
        path = Path(problem.filename or folder)
        reason = (problem.strerror or str(problem)).lower()
        error = InputError(reason, "a folder that can be read", "check its permissions", path=path)
        yield _Found(path, prefix / path.relative_to(root), error)


def _tell_skipped(where: str | Path, names: Counter[str]) -> None:
    if names:
        logger.warning(
            "%s: skipped %d folder(s) with thumbnails or deleted photos (%s); name one to have it "
            "restored",
            _show(where), names.total(), " ".join(sorted(names)),
        )  # fmt: skip


def _is_photo(path: Path) -> bool:
    """Whether a file met on a search is a photo to work on."""
    from unfade.imaging import SUFFIXES

    if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES:
        return False
    return not path.name.endswith(COMPARE_SUFFIX) and manifests.find(path) is None


def _inside(path: Path, out: Path, root: Path) -> bool:
    """Whether a match of a glob lies in OUT, where OUT lies below the glob's fixed part."""
    place, folder = path.resolve(), out.resolve()
    return folder in place.parents and folder != root.resolve() and root.resolve() in folder.parents


def _same(folder: Path, other: Path) -> bool:
    return folder.resolve() == other.resolve()


def _unique(found: Iterable[_Found]) -> Iterator[_Found]:
    """Each photo once, with the first of its names; one that is no link comes before links."""
    kept: dict[str, _Found] = {}
    for item in found:
        key = os.path.realpath(item.source)
        known = kept.get(key)
        if known is None or (known.source.is_symlink() and not item.source.is_symlink()):
            kept[key] = item
    yield from kept.values()


# --- checks ----------------------------------------------------------------------------------


def _refuse_clashes(jobs: Sequence[Job]) -> None:
    alike: dict[str, list[tuple[Path, Path]]] = defaultdict(list)
    pairs = [(job.source, output) for job in jobs for output in job.outputs]
    for source, output in pairs:
        for other, written in alike[folded(output)]:
            same = _identity(output) == _identity(written) or is_one_file(written, output)
            if other != source and same:
                both = f"{_show(other)} and {_show(source)}"
                raise UsageError(
                    f"{both}, two photos for one result ({_show(output)})",
                    "a result of its own for each photo",
                    "name their folders in place of the photos, rename one, or use a second OUT",
                )
        alike[folded(output)].append((source, output))


def _refuse_overwriting(jobs: Sequence[Job], protected: Iterable[Path]) -> None:
    inputs = {_identity(path) for path in (*(job.source for job in jobs), *protected)}
    pairs = [(job, output) for job in jobs for output in job.outputs]
    for job, output in pairs:
        same = output.exists() and job.source.exists() and output.samefile(job.source)
        if same or _identity(output) in inputs:
            raise UsageError(
                f"{_show(output)} as a result, which is an input itself",
                "results apart from the inputs",
                "name another OUT: unfade never overwrites an input",
            )


def _identity(path: Path) -> str:
    """A text that two names of one file share, as far as the file system lets that be known."""
    real = os.path.realpath(path)
    return real.casefold() if sys.platform in ("win32", "darwin") else real


def _show(name: str | Path) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")
