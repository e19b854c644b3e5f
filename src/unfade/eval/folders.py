"""Which result belongs to which reference: by the name without its suffix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from unfade.errors import InputError, UsageError
from unfade.imaging import SUFFIXES


@dataclass(frozen=True)
class Match:
    """A reference and the results that belong to it."""

    name: str  # the place below the folder, without suffix: "sub/b"
    reference: Path
    results: Mapping[str, Path]  # method -> file, at least one


def match_folders(
    methods: Mapping[str, Path], reference: Path, *, ignored: str = ""
) -> tuple[list[Match], list[InputError]]:
    """Pairs the photos of folders with those of the reference folder.

    Two files belong together where their places below their folders agree but for the suffix.

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
    found = {method: photos_below(folder, ignored, problems) for method, folder in methods.items()}
    matches: list[Match] = []
    for name, path in clean.items():
        results = {method: files[name] for method, files in found.items() if name in files}
        if results:
            matches.append(Match(name, path, results))
        for method in methods.keys() - results.keys():
            fix = "make the result, or take the reference away"
            problems.append(
                InputError(f"no result of {method}", f"{name}.* as one", fix, path=path)
            )
    for files in found.values():
        for name in files.keys() - clean.keys():
            expected, fix = f"{reference}/{name}.* as one", "add it, or rename the result"
            problems.append(InputError("no reference", expected, fix, path=files[name]))
    if not matches:
        got = "no result that is named as a reference is"
        expected = f"names such as {next(iter(clean))}.*"
        raise UsageError(got, expected, "rename the results", path=next(iter(methods.values())))
    return matches, sorted(problems, key=lambda problem: str(problem.path))


def photos_below(folder: Path, ignored: str, problems: list[InputError]) -> dict[str, Path]:
    """The photos below a folder, by their places without suffix; of two of one name neither.

    Args:
        folder: searched with its sub-folders, but for hidden files.
        ignored: files that end so are left out.
        problems: takes up the names that several files have.

    Raises:
        UsageError: the folder is missing, or holds no photo.
    """
    if not folder.is_dir():
        raise UsageError("no such folder", "a folder of photos", "check the name", path=folder)
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        below = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in below.parts)
        other = path.suffix.lower() not in SUFFIXES or bool(ignored and path.name.endswith(ignored))
        if not hidden and not other and path.is_file():
            files.setdefault(below.with_suffix("").as_posix(), []).append(path)
    if not files:
        expected = f"photos ({' '.join(sorted(SUFFIXES))})"
        fix = "name another folder"
        raise UsageError("a folder without photos", expected, fix, path=folder)
    for name, paths in files.items():
        if len(paths) > 1:
            got = f"{len(paths)} files called {name}.*"
            problems.append(InputError(got, "one", "take the others away", path=paths[0]))
    return {name: paths[0] for name, paths in files.items() if len(paths) == 1}
