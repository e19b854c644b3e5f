"""Implements a method that reads results from a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unfade.bench.case_files import inputs_of, match_outputs
from unfade.bench.cases import Case, Cost
from unfade.bench.result_checks import place_foreign, read_foreign
from unfade.errors import InputError, UnfadeError, UsageError
from unfade.manifest import Value, sha256_file


@dataclass(frozen=True)
class ResultsFolder:
    """A folder of results of some other program.

    Where several cases are compared, those of each lie in FOLDER/TABLE/CASE or FOLDER/CASE, as
    `unfade bench --prepare` names them; a single case's may lie in FOLDER itself.
    """

    name: str
    folder: Path
    takes_whole_case: bool = True

    def check(self, cases: Sequence[Case]) -> None:
        """Matches and reads all results.

        Raises:
            UsageError: there is no folder for a case, or no result in it.
            InputError: some results are missing, one cannot be read, or it has another size or
                other colours than its reference.
        """
        for case in cases:
            if self._folder(case) == self.folder and len(cases) > 1:
                names = ", ".join(f"{c.table}/{c.name}" for c in cases[:3])
                raise UsageError(
                    f"no sub-folder {case.table}/{case.name}",
                    f"one for each case ({names}, ...)",
                    "put the results of each case into a folder of its name",
                    path=self.folder,
                )
            self._check_case(case)

    def check_shared(self, cases: Sequence[Case]) -> None:
        """UsageError if FOLDER itself would give results to several cases, of any tables."""
        flat = [case for case in cases if self._folder(case) == self.folder and self._fits(case)]
        if len(flat) > 1:
            names = " and ".join(f"{case.table}/{case.name}" for case in flat[:2])
            fix = "put the results of each case into a folder of its name"
            got = f"the same results for {names} ({len(flat)} cases)"
            raise UsageError(got, "a sub-folder for each case", fix, path=self.folder)

    def _fits(self, case: Case) -> bool:
        try:
            return bool(self._found(case))
        except UsageError:
            return False

    def _check_case(self, case: Case) -> None:
        names, results = list(inputs_of(case)), self._found(case)
        missing = [name for name in names if name not in results]
        if missing:
            kind = InputError if results else UsageError
            raise kind(
                f"no result of {missing[0]} ({len(missing)} of {len(names)} are missing)",
                f"a result for every input in {case.inputs}",
                "make them all, named as their inputs are",
                path=self._folder(case),
            )
        problems: list[UnfadeError] = []
        for name, path in results.items():
            try:
                read_foreign(case, name, path)
            except UnfadeError as error:
                problems.append(error)
        if problems:
            first = problems[0]
            got = f"{first.got} ({len(problems)} of {len(names)} results cannot be used)"
            raise type(first)(got, first.expected, first.fix, path=first.path)

    def identity(self, case: Case) -> Mapping[str, Value]:
        """A hash of all the results."""
        lines = [f"{name} {sha256_file(path)}" for name, path in self._found(case).items()]
        return {"kind": "results", "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest()}

    def restore_folder(
        self, case: Case, images: Mapping[str, Path], outputs: Path, log: Path
    ) -> Cost | None:
        """Copies the results (`Method.restore_folder`). Their cost is unknown."""
        results = self._found(case)
        for name in images:
            place_foreign(case, name, results[name], outputs / f"{name}.png")
        return None

    def _folder(self, case: Case) -> Path:
        inner = (self.folder / case.table / case.name, self.folder / case.name)
        return next((path for path in inner if path.is_dir()), self.folder)

    def _found(self, case: Case) -> dict[str, Path]:
        return match_outputs(self._folder(case), inputs_of(case))
