"""Defines the paths of files in the output folder of a run."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from pathlib import Path

from unfade.bench.cases import Case

_UNSAFE = re.compile(r'[/\\:*?"<>|\x00-\x1f]')


@dataclass(frozen=True)
class RunPaths:
    """The files in the output folder OUT of a run. Invalid characters in names are replaced."""

    out: Path

    def results(self, case: Case, method: str) -> Path:
        """The folder of a method's results: OUT/results/TABLE/CASE/METHOD."""
        return self.out.joinpath("results", *_parts(case, method))

    def result(self, case: Case, method: str, image: str) -> Path:
        """The result of one image, which may be missing: .../METHOD/IMAGE.png."""
        return self.results(case, method) / f"{image}.png"

    def record(self, case: Case, method: str) -> Path:
        """The record of these results: .../METHOD.json."""
        return self._beside("results", case, method, ".json")

    def records(self, method: str) -> list[Path]:
        """The records of a method in all cases of all tables; its results lie beside each."""
        return sorted(self.out.glob(f"results/*/*/{glob.escape(_plain(method))}.json"))

    def log(self, case: Case, method: str) -> Path:
        """The log of an external program: OUT/logs/TABLE/CASE/METHOD.log."""
        return self._beside("logs", case, method, ".log")

    @property
    def rows(self) -> Path:
        """One line for each image of each method in each case."""
        return self.out / "rows.parquet"

    @property
    def costs(self) -> Path:
        """The costs of each method in each case."""
        return self.out / "costs.json"

    @property
    def failures(self) -> Path:
        """The failures."""
        return self.out / "failures.json"

    def _beside(self, kind: str, case: Case, method: str, suffix: str) -> Path:
        *folders, name = _parts(case, method)
        return self.out.joinpath(kind, *folders, name + suffix)


def _parts(case: Case, method: str) -> list[str]:
    return [_plain(name) for name in (case.table, case.name, method)]


def _plain(name: str) -> str:
    return _UNSAFE.sub("_", name).strip(". ") or "_"
