"""Runs methods over cases and scores their results; resumes an interrupted run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from unfade.bench.case_checks import check_cases, takes_part
from unfade.bench.case_files import inputs_of, references_of
from unfade.bench.cases import Case
from unfade.bench.methods.base import Method
from unfade.bench.paths import RunPaths
from unfade.bench.record import Record
from unfade.bench.restoring import Progress, Restoring
from unfade.bench.run import Failure, Run
from unfade.bench.scoring import ExtraMeasure, Scoring, notes_on, rows_of
from unfade.eval.images import Protocol
from unfade.eval.rows import require_parquet
from unfade.eval.statistics import Estimate
from unfade.manifest import make_folder, sha256_file

__all__ = ["ExtraMeasure", "Failure", "Progress", "Run", "run_cases"]


def run_cases(
    cases: Sequence[Case],
    methods: Sequence[Method],
    out: Path,
    *,
    metrics: Sequence[str],
    extra: Mapping[str, ExtraMeasure] | None = None,
    protocol: Protocol | None = None,
    progress: Progress | None = None,
) -> Run:
    """Restores every case with every method that takes part in it, and scores the results.

    Everything is checked before anything runs. What is done already, and would come out the
    same, is not done again; nor is it scored again. What goes wrong with one method is recorded
    in `Run.failures`, and the others go on. Rows, costs and failures are written into OUT beside
    those of other tables; those of these tables are replaced.

    Args:
        cases: of one table or of several.
        methods: as `unfade.bench.methods.names.parse_methods` makes them, or of a table's own.
        out: output folder, created if it is missing.
        metrics: names from `unfade.eval.measures.ALL_NAMES`. Of a case without references only what
            needs none is measured.
        extra: more measures of single images, by name; InputError means that a value is
            undefined.
        protocol: of PSNR, SSIM and MS-SSIM; None is RGB with no border cropped.
        progress: called before each step.

    Raises:
        UsageError: a case, a method or a metric cannot work as it is; nothing has run.
        UnfadeError: a photo or weights that cannot be read; nothing has run.
        OutputError: OUT cannot be written.
    """
    require_parquet(out)
    make_folder(out)
    scoring = Scoring(metrics, protocol or Protocol(), extra or {})
    scoring.check(cases)
    check_cases(cases, methods)
    run = Run(out, cases, [m.name for m in methods], scoring.names, scoring.protocol)
    total = 2 * sum(
        len(inputs_of(case)) for case in cases for m in methods if takes_part(m.name, case)
    )
    steps = _StepCounter(total, progress)
    for case in cases:
        _run_case(run, case, methods, scoring, steps)
    run.write()
    return run


class _StepCounter:
    """Counts steps of work and reports them to `progress`."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def stage(self, text: str) -> Callable[[int], None]:
        """Starts a stage; returns a function that adds finished steps to the count."""

        def advance(steps: int) -> None:
            self._done += steps
            if self._progress is not None:
                self._progress(self._done, self._total, text)

        advance(0)
        return advance


def _run_case(
    run: Run, case: Case, methods: Sequence[Method], scoring: Scoring, steps: _StepCounter
) -> None:
    """Restores and scores one case into the run."""
    run_paths, inputs, references = RunPaths(run.out), inputs_of(case), references_of(case)
    hashes = {name: sha256_file(path) for name, path in inputs.items()}
    records: dict[str, Record] = {}
    for method in methods:
        if takes_part(method.name, case):
            advance = steps.stage(f"{case.name}: {method.name}")
            restoring = Restoring(case, method, inputs, hashes, run_paths, advance)
            records[method.name] = restoring.run()
            run.failures += restoring.failures
    case_scoring = scoring.of(case)
    case_scoring.run(records, references, run_paths, steps.stage(f"{case.name}: scoring"))
    run.failures += case_scoring.failures
    wanted = [*case_scoring.measures, *case_scoring.extra]
    for method, record in records.items():
        key = case.table, case.name, method
        run.rows += rows_of(case, method, record, wanted)
        if record.cost is not None:
            run.costs[key] = record.cost
        if record.distances:
            count, nan = len(record.results), float("nan")
            run.distances[key] = {
                name: Estimate(record.distances[name], nan, nan, count)
                for name in case_scoring.sets
            }
    run.notes += notes_on(case, records, len(inputs), wanted)
    left = [name for name in run.metrics if name not in {*wanted, *case_scoring.sets}]
    if left:
        names = ", ".join(left)
        run.notes.append(f"{case.table}/{case.name}: no {names}, for want of references.")
