"""Runs the jobs of a command one after the other, reports each, and continues after errors.

The command `unfade batch` is in `unfade.cli.archive`.
"""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

import click

from unfade._version import __version__
from unfade.cli.jobs import Job
from unfade.cli.main import EXIT_FAILED, EXIT_STOPPED
from unfade.cli.progress import Bar
from unfade.errors import WeightsError, explain, printable
from unfade.types import Progress

Status = Literal["done", "skipped", "failed"]


@dataclass(frozen=True)
class Result:
    """The result of a job that did not fail."""

    status: Literal["done", "skipped"]
    note: str  # in brackets on the job's line: "2.1 % filled in"
    details: Mapping[str, object] = field(default_factory=dict[str, object])  # for --json


Work = Callable[[Job, Progress], Result]


@dataclass(frozen=True)
class Outcome:
    """A job with its status, duration and error."""

    job: Job
    status: Status
    seconds: float
    note: str = ""
    details: Mapping[str, object] = field(default_factory=dict[str, object])
    error: str | None = None


@dataclass
class Summary:
    """The outcomes of a batch, complete or interrupted."""

    command: str
    total: int
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    interrupted: bool = False

    def count(self, status: Status) -> int:
        """The number of jobs with this status."""
        return sum(outcome.status == status for outcome in self.outcomes)

    @property
    def exit_code(self) -> int:
        """0 all done, 1 some failed, 130 stopped by Ctrl-C."""
        if self.interrupted:
            return EXIT_STOPPED
        return EXIT_FAILED if self.count("failed") else 0

    def to_json(self) -> str:
        """The batch for machines: one JSON object on one line, ASCII only."""
        results = [
            {
                "input": str(outcome.job.source),
                "output": str(outcome.job.outputs[0]) if outcome.status != "failed" else None,
                "status": outcome.status,
                "seconds": round(outcome.seconds, 3),
                "error": outcome.error,
                **outcome.details,
            }
            for outcome in self.outcomes
        ]
        return json.dumps(
            {
                "unfade": __version__,
                "command": self.command,
                "total": self.total,
                "done": self.count("done"),
                "skipped": self.count("skipped"),
                "failed": self.count("failed"),
                "interrupted": self.interrupted,
                "results": results,
            }
        )

    def sentence(self) -> str:
        """The batch for people: "3 done, 1 already done, 1 failed"."""
        words = {"done": "done", "skipped": "already done", "failed": "failed"}
        counts = {status: self.count(status) for status in ("done", "skipped", "failed")}
        text = ", ".join(f"{n} {words[s]}" for s, n in counts.items() if n) or "nothing done"
        if not self.interrupted:
            return text + "."
        remaining = self.total - len(self.outcomes)
        return f"Stopped: {text}, {remaining} left. The same command goes on from there."


def run_batch(
    jobs: Sequence[Job], work: Work, *, command: str, as_json: bool = False, verbose: bool = False
) -> Summary:
    """Runs `work` on each job and prints a line for each.

    An error of a job is printed to stderr as one line (with the traceback if `verbose`), and the
    next job follows; only WeightsError, which concerns all jobs, is raised. Ctrl-C ends the batch:
    `work` must then leave no partial files. Lines and summary go to stdout and stderr, or all to
    stderr with one JSON object on stdout.
    """
    summary = Summary(command, len(jobs))
    with Bar(len(jobs)) as bar:
        try:
            for index, job in enumerate(jobs):
                progress = bar.reporter(index, job.source.name)
                outcome = _run_job(job, work, progress, verbose)
                summary.outcomes.append(outcome)
                click.echo(_line(outcome), err=as_json or outcome.status == "failed")
        except KeyboardInterrupt:
            summary.interrupted = True
    if as_json:
        click.echo(summary.to_json())
    if summary.interrupted or summary.count("failed") or len(jobs) > 1:
        click.echo(summary.sentence(), err=True)
    return summary


def _run_job(job: Job, work: Work, progress: Progress, verbose: bool) -> Outcome:
    started = time.perf_counter()
    try:
        if job.problem is not None:
            raise job.problem
        result = work(job, progress)
    except WeightsError:
        raise
    except Exception as error:
        if verbose:
            click.echo(traceback.format_exc().rstrip(), err=True)
        seconds = time.perf_counter() - started
        return Outcome(job, "failed", seconds, error=explain(error, job.source))
    seconds = time.perf_counter() - started
    return Outcome(job, result.status, seconds, result.note, result.details)


def _line(outcome: Outcome) -> str:
    if outcome.error is not None:
        return f"Error: {outcome.error}"
    notes = [outcome.note] if outcome.note else []
    if outcome.status == "done":
        notes.append(f"{outcome.seconds:.1f} s")
    arrow = f"{printable(outcome.job.source)} -> {printable(outcome.job.outputs[0])}"
    further = len(cast(list[str], outcome.details.get("outputs", [""]))) - 1
    arrow += f" and {further} more" if further else ""
    return f"{arrow} ({', '.join(notes)})" if notes else arrow
