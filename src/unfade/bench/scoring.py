"""Scores the results of a case, and keeps scores that are still valid."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from unfade.bench.cases import Case
from unfade.bench.fingerprint import fingerprint
from unfade.bench.paths import RunPaths
from unfade.bench.record import Record
from unfade.bench.restoring import sentence
from unfade.bench.run import Failure
from unfade.errors import UnfadeError, UsageError
from unfade.eval.evaluation import Evaluation
from unfade.eval.images import Protocol
from unfade.eval.matching import Match
from unfade.eval.measures import REDEGRADED, SET_MEASURES, Measure, checked_names, measures
from unfade.eval.rows import Row
from unfade.manifest import sha256_file

#: What looks at a result alone.
NO_REFERENCE = ("niqe", "colourfulness", "clip-iqa", "musiq")

#: A measure of one table alone; its arguments are the case, the image's name and its result.
ExtraMeasure = Callable[[Case, str, Path], float]


class Scoring:
    """The measures of a run.

    Attributes:
        names: of all of them, in the order of tables.

    Raises:
        UsageError: a metric that is not known, or that needs to know the damage.
        WeightsError: a metric whose weights are missing.
    """

    def __init__(
        self, metrics: Sequence[str], protocol: Protocol, extra: Mapping[str, ExtraMeasure]
    ) -> None:
        names = checked_names(metrics)
        redegraded = [name for name in names if name in REDEGRADED]
        if redegraded:
            fix = "use `unfade evaluate --degradation`, which knows one damage for all inputs"
            raise UsageError(f"metric '{redegraded[0]}'", "one that compares with references", fix)
        self.names = [*names, *extra]
        self.protocol = protocol
        self._measures: Mapping[str, Measure] = measures(names, protocol)
        self._sets = tuple(name for name in names if name in SET_MEASURES)
        self._extra = extra

    def check(self, cases: Sequence[Case]) -> None:
        """UsageError if a case has no references and all metrics need one."""
        for case in cases:
            if case.references is None and not (self._for(case) or self._extra):
                raise UsageError(
                    f"no references for {case.table}/{case.name}",
                    f"clean photos for {', '.join(self.names)}",
                    f"name them, or measure {' or '.join(NO_REFERENCE)} only",
                    path=case.inputs,
                )

    def of(self, case: Case) -> CaseScoring:
        """The scoring of one case."""
        sets = self._sets if case.references is not None else ()
        return CaseScoring(case, self._for(case), sets, self._extra, self.protocol)

    def _for(self, case: Case) -> Mapping[str, Measure]:
        if case.references is not None:
            return self._measures
        return {name: m for name, m in self._measures.items() if name in NO_REFERENCE}


@dataclass
class CaseScoring:
    """Scores the results of one case into their records."""

    case: Case
    measures: Mapping[str, Measure]
    sets: tuple[str, ...]
    extra: Mapping[str, ExtraMeasure]
    protocol: Protocol
    failures: list[Failure] = field(default_factory=list[Failure])

    def run(
        self,
        records: Mapping[str, Record],
        references: Mapping[str, Path],
        run_paths: RunPaths,
        advance: Callable[[int], None],
    ) -> None:
        """Computes the missing scores.

        Args:
            records: method -> record of its results, which gets the scores.
            references: name -> clean photo; empty without references.
            run_paths: paths of the results.
            advance: called with the number of results that were scored since the last call.
        """
        hashes = {name: sha256_file(path) for name, path in references.items()}
        niqe = self.protocol.niqe_model
        settings = {
            **asdict(self.protocol),
            "niqe_model": None if niqe is None else sha256_file(Path(niqe)),
        }
        key = json.dumps({"measures": fingerprint([*self.measures, *self.sets]), **settings})
        todo = {method: self._unscored(record, hashes, key) for method, record in records.items()}
        advance(sum(len(r.results) for r in records.values()) - sum(map(len, todo.values())))
        evaluation = Evaluation(self.measures, self.sets, self.protocol)
        try:
            for name in dict.fromkeys(name for names in todo.values() for name in names):
                methods = [method for method, names in todo.items() if name in names]
                paths = {method: run_paths.result(self.case, method, name) for method in methods}
                self._score(evaluation, name, references.get(name), paths, records)
                advance(len(methods))
            if self.sets:
                self._measure_sets(evaluation, records, hashes)
        finally:
            for method, record in records.items():
                record.write(run_paths.record(self.case, method))

    def _unscored(self, record: Record, references: Mapping[str, str], key: str) -> list[str]:
        """The images of a method that lack a score; scores of other photos are dropped."""
        wanted = {*self.measures, *self.extra}
        for name, result in record.results.items():
            reference = references.get(name)
            if record.measured != key or result.reference != reference:
                result.scored, result.scores, result.reference = False, {}, reference
        record.measured = key
        of_sets = _digest(record, references)
        if self.sets and (record.distances_of != of_sets or {*self.sets} - {*record.distances}):
            record.distances, record.distances_of = {}, ""
            return list(record.results)
        results = record.results.items()
        return [name for name, r in results if not r.scored or wanted - r.scores.keys()]

    def _score(
        self,
        evaluation: Evaluation,
        name: str,
        reference: Path | None,
        paths: Mapping[str, Path],
        records: Mapping[str, Record],
    ) -> None:
        """Scores one image of some methods; failures are recorded and do not stop the others."""
        if reference is not None:
            matches = [Match(name, reference, paths)]
        else:  # metrics without a reference ignore it
            matches = [Match(name, path, {method: path}) for method, path in paths.items()]
        scored = len(evaluation.rows)
        for match in matches:
            problem_count = len(evaluation.problems)
            try:
                evaluation.add(match)
            except Exception as error:  # of one image
                self._fail(", ".join(match.results), name, error)
            for problem in evaluation.problems[problem_count:]:
                methods = [m for m, p in match.results.items() if p == problem.path]
                self._fail(", ".join(methods or match.results), name, problem)
        for row in evaluation.rows[scored:]:
            result = records[row.method].results[name]
            result.scores |= {measure: row.values.get(measure) for measure in self.measures}
            result.scored = True
        for method, path in paths.items():
            scores = records[method].results[name].scores
            for measure in self.extra.keys() - scores.keys():
                scores[measure] = self._extra_value(measure, method, name, path)

    def _extra_value(self, measure: str, method: str, name: str, path: Path) -> float | None:
        try:
            return float(self.extra[measure](self.case, name, path))
        except UnfadeError:
            return None
        except Exception as error:  # of one image
            self._fail(method, name, error)
            return None

    def _measure_sets(
        self, evaluation: Evaluation, records: Mapping[str, Record], hashes: Mapping[str, str]
    ) -> None:
        problem_count = len(evaluation.problems)
        for method, distances in evaluation.distances().items():
            record = records[method]
            record.distances = dict(distances.values)
            record.distances_of = _digest(record, hashes)
        for problem in evaluation.problems[problem_count:]:
            self._fail("", None, problem)

    def _fail(self, method: str, image: str | None, error: Exception) -> None:
        location = self.case.table, self.case.name
        self.failures.append(Failure(*location, method, image, sentence(error)))


def rows_of(case: Case, method: str, record: Record, wanted: Sequence[str]) -> list[Row]:
    """The rows of a method's scored results; a value that is undefined is missing."""
    rows: list[Row] = []
    for name, result in sorted(record.results.items()):
        if result.scored:
            scores = {m: result.scores.get(m) for m in wanted}
            values = {m: v for m, v in scores.items() if v is not None}
            rows.append(Row(method, name, values, **case.keys))
    return rows


def notes_on(
    case: Case, records: Mapping[str, Record], images: int, wanted: Sequence[str]
) -> list[str]:
    """Notes on missing values in the tables of this case.

    Args:
        records: method -> record of its results.
        images: of the case.
        wanted: metrics of single images.
    """
    notes: list[str] = []
    for method, record in records.items():
        scored = [result for result in record.results.values() if result.scored]
        if len(scored) < images:
            notes.append(
                f"{case.table}/{case.name}: {method} is scored on {len(scored)} of {images} images."
            )
        for measure in wanted:
            missing = sum(result.scores.get(measure) is None for result in scored)
            if missing:
                notes.append(
                    f"{case.table}/{case.name}: {measure} of {method} is undefined for {missing} "
                    f"of {len(scored)} images."
                )
    return notes


def _digest(record: Record, references: Mapping[str, str]) -> str:
    """A hash of these results and references."""
    lines = [f"{n} {r.output} {references.get(n)}" for n, r in sorted(record.results.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
