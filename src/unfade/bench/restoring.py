"""Restores one case with one method: keeps valid results, records failures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from unfade.bench.cases import Case
from unfade.bench.methods.base import Method
from unfade.bench.paths import RunPaths
from unfade.bench.record import Record, Result
from unfade.bench.result_checks import check_result
from unfade.bench.reuse import reuse
from unfade.bench.run import Failure
from unfade.errors import InputError, UnfadeError
from unfade.manifest import make_folder, sha256_file

#: Called with the work that is done, all of it, and what is being done.
Progress = Callable[[int, int, str], None]

_SAVE_EVERY_S = 5.0


@dataclass
class Restoring:
    """Restores the inputs of one case with one method.

    Attributes:
        inputs: name -> file.
        hashes: name -> SHA-256 of the input.
        advance: called with the number of images that were done since the last call.
        failures: collects the failures.
    """

    case: Case
    method: Method
    inputs: Mapping[str, Path]
    hashes: Mapping[str, str]
    run_paths: RunPaths
    advance: Callable[[int], None]
    failures: list[Failure] = field(default_factory=list[Failure])

    def run(self) -> Record:
        """Restores the inputs without a valid result, and returns the record of all results."""
        path = self.run_paths.record(self.case, self.method.name)
        record = Record.read(path)
        record.keep_valid(self.method.identity(self.case), self.hashes, self._folder)
        pending = [name for name in self.inputs if name not in record.results]
        make_folder(self._folder)
        # A program is asked for each case, as it is timed.
        if pending and not self.method.takes_whole_case:
            own = self.case, self.method.name, self.hashes, self.run_paths
            reused = reuse(record, pending, *own)
            pending = [name for name in pending if name not in reused]
        self.advance(len(self.inputs) - len(pending))
        whole_case = self.method.takes_whole_case and pending
        batches = [pending] if whole_case else [[name] for name in pending]
        saved = time.monotonic()
        try:
            for batch in batches:
                self._restore(batch, record)
                self.advance(len(batch))
                if time.monotonic() - saved > _SAVE_EVERY_S:
                    record.write(path)
                    saved = time.monotonic()
        finally:
            record.write(path)
        return record

    @property
    def _folder(self) -> Path:
        return self.run_paths.results(self.case, self.method.name)

    def _restore(self, names: list[str], record: Record) -> None:
        """Restores some images; valid results are added to the record."""
        for name in names:
            self._path(name).unlink(missing_ok=True)
        whole = names[0] if len(names) == 1 and not self.method.takes_whole_case else None
        log = self.run_paths.log(self.case, self.method.name)
        try:
            images = {name: self.inputs[name] for name in names}
            cost = self.method.restore_folder(self.case, images, self._folder, log)
        except Exception as error:  # whatever it is, the others go on
            for name in names:
                self._path(name).unlink(missing_ok=True)
            self._fail(whole, error)
            return
        record.add_cost(cost)
        for name in names:
            try:
                record.results[name] = self._checked(name)
            except UnfadeError as error:
                self._path(name).unlink(missing_ok=True)
                self._fail(name, error)

    def _checked(self, name: str) -> Result:
        """Checks a new result. InputError if it is missing or invalid."""
        path = self._path(name)
        if not path.is_file():
            raise InputError("no result", "one for every input", "look at the method")
        check_result(self.case, name, path)
        return Result(self.hashes[name], sha256_file(path))

    def _path(self, name: str) -> Path:
        return self.run_paths.result(self.case, self.method.name, name)

    def _fail(self, image: str | None, error: Exception) -> None:
        where = self.case.table, self.case.name, self.method.name
        self.failures.append(Failure(*where, image, sentence(error)))


def sentence(error: Exception) -> str:
    """An error as one sentence."""
    if isinstance(error, UnfadeError):
        return error.message()
    reason = " ".join(str(error).split())[:300]
    return f"an unexpected error ({type(error).__name__}{': ' if reason else ''}{reason})"
