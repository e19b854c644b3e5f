"""Matches results to references by file name, ignoring suffixes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from unfade.errors import InputError, UsageError
from unfade.imaging import SUFFIXES


@dataclass(frozen=True)
class Match:
    """A reference and the results that belong to it."""

    name: str  # path below the folder, without suffix: "sub/b"
    reference: Path
    results: Mapping[str, Path]  # method -> file, at least one


def match_folders(
    methods: Mapping[str, Path], reference: Path, *, ignored: str = ""
) -> tuple[list[Match], list[InputError]]:
    """Pairs the photos of folders with those of the reference folder, as `match_names` does.

    Args:
        methods: name -> folder of results.
        reference: folder of the clean photos.
        ignored: files that end so are no results (pictures for comparison, say).

    Returns:
        The matches in order of their names, and what has no partner or too many.

    Raises:
        UsageError: a folder is missing or empty, or nothing at all has a partner.
    """
    problems: list[InputError] = []
    clean = photos_below(reference, ignored, problems)
    results: dict[str, dict[str, Path]] = {}
    for method, folder in methods.items():
        photos = photos_below(folder, ignored, problems)
        results[method] = match_names(photos, clean)
        unmatched = {*photos.values()} - {*results[method].values()}
        for name in (name for name, path in photos.items() if path in unmatched):
            expected, fix = f"{reference}/{name}.* as one", "add it, or rename the result"
            problems.append(InputError("no reference", expected, fix, path=photos[name]))
    matches: list[Match] = []
    for name, path in clean.items():
        paths = {method: files[name] for method, files in results.items() if name in files}
        if paths:
            matches.append(Match(name, path, paths))
        for method in methods.keys() - paths.keys():
            fix = "make the result, or take the reference away"
            problems.append(
                InputError(f"no result of {method}", f"{name}.* as one", fix, path=path)
            )
    if not matches:
        got = "no result that is named as a reference is"
        expected = f"names such as {next(iter(clean))}.*"
        raise UsageError(got, expected, "rename the results", path=next(iter(methods.values())))
    return matches, sorted(problems, key=lambda problem: str(problem.path))


def match_names(files: Mapping[str, Path], names: Iterable[str]) -> dict[str, Path]:
    """Matches files to names; names without a file are left out.

    A file is named as its input is; or, where no file is, all of them have the same few letters
    more at the end or at the beginning, as in `NAME_out.png`.

    Args:
        files: path below a folder, without suffix -> file (`photos_below`).
        names: of the inputs.
    """
    input_names = list(names)
    if any(name in files for name in input_names):
        return {name: files[name] for name in input_names if name in files}
    best: dict[str, Path] = {}
    for before, after in sorted(_affixes(files, input_names)):
        matched = {
            n: files[f"{before}{n}{after}"] for n in input_names if f"{before}{n}{after}" in files
        }
        best = max(best, matched, key=len)
    return best


def _affixes(files: Mapping[str, Path], input_names: list[str]) -> set[tuple[str, str]]:
    """The prefixes and suffixes that files add to the name of an input; one of the two is empty."""
    tails = {("", stem[len(n) :]) for n in input_names for stem in files if stem.startswith(n)}
    heads = {(stem[: -len(n)], "") for n in input_names for stem in files if stem.endswith(n)}
    return {pair for pair in tails | heads if "/" not in "".join(pair)}


def photos_below(folder: Path, ignored: str, problems: list[InputError]) -> dict[str, Path]:
    """The photos below a folder, by their paths without suffix; ambiguous names are left out.

    Args:
        folder: searched with its sub-folders, but for hidden files.
        ignored: files that end so are left out.
        problems: collects an error for each name that several files have.

    Raises:
        UsageError: the folder is missing, or holds no photo.
    """
    if not folder.is_dir():
        raise UsageError("no such folder", "a folder of photos", "check the name", path=folder)
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        no_photo = path.suffix.lower() not in SUFFIXES or bool(
            ignored and path.name.endswith(ignored)
        )
        if not hidden and not no_photo and path.is_file():
            files.setdefault(relative.with_suffix("").as_posix(), []).append(path)
    if not files:
        expected = f"photos ({' '.join(sorted(SUFFIXES))})"
        fix = "name another folder"
        raise UsageError("a folder without photos", expected, fix, path=folder)
    for name, paths in files.items():
        if len(paths) > 1:
            got = f"{len(paths)} files called {name}.*"
            problems.append(InputError(got, "one", "take the others away", path=paths[0]))
    return {name: paths[0] for name, paths in files.items() if len(paths) == 1}


def unambiguous_photos(folder: Path) -> dict[str, Path]:
    """The same as `photos_below`, but raises an error if two files have one name.

    Raises:
        UsageError: the folder is missing, or holds no photo.
        InputError: two files have one name.
    """
    problems: list[InputError] = []
    photos = photos_below(folder, "", problems)
    if problems:
        raise problems[0]
    return photos
