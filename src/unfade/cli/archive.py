"""Command `unfade batch`: restores an archive of many photos, on one machine or several."""

from __future__ import annotations

import functools
import json
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from unfade._version import __version__
from unfade.cli import options as shared
from unfade.cli.main import EXIT_FAILED, EXIT_STOPPED
from unfade.cli.progress import Bar
from unfade.errors import UsageError
from unfade.options import RestoreOptions

if TYPE_CHECKING:
    from unfade.archive.estimate import Estimate
    from unfade.archive.planning import Plan
    from unfade.archive.run import Archive, Summary, WorkerPool
    from unfade.archive.status import Status
    from unfade.archive.work import Row, Task

EXIT_TERMINATED = 143  # as a shell reports a program ended by SIGTERM
_REPORT_EVERY = 100  # photos, where there is no terminal


@click.command(cls=shared.RestoreCommand)
@click.argument("paths", metavar="[SRC] DST", nargs=-1, required=True)
@shared.photo_options
@shared.weights_options
@shared.prompt_options
@shared.sampling_options
@shared.quality
@click.option(
    "--address", metavar="auto|local|ray://HOST:PORT",
    help="Use Ray: the cluster of this machine, a new one here, or another one.  "
    "[default: worker processes of this machine, without Ray]",
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N",
    help="Processes that restore photos.  [default: by GPUs, cores and memory]",
)  # fmt: skip
@click.option(
    "--threads", type=click.IntRange(min=1), default=2, show_default=True, metavar="N",
    help="Of each worker's network. The last bits of a result depend on it: it gives the bytes of "
    "unfade restore with OMP_NUM_THREADS=N.",
)  # fmt: skip
@click.option(
    "--attempts", type=click.IntRange(min=1), default=3, show_default=True, metavar="N",
    help="Workers that a photo may kill before it goes into quarantine.",
)  # fmt: skip
@click.option("--retry-quarantined", is_flag=True, help="Try photos in quarantine again.")
@click.option(
    "--sample", type=click.IntRange(min=1), metavar="N",
    help="Restore N photos, spread over the tree; the next run goes on with the rest.",
)  # fmt: skip
@click.option("--bag", is_flag=True, help="Make DST a bag (BagIt) with SHA-256 checksums.")
@click.option("--dry-run", is_flag=True, help="Write nothing; estimate time and space.")
@click.option("--status", is_flag=True, help="Show how far DST is, and restore nothing.")
@click.option(
    "--report", is_flag=True,
    help="Write report.html below DST: failures, and the worst results before and after.",
)  # fmt: skip
@shared.work_options
def batch(
    paths: tuple[str, ...], options: RestoreOptions, quality: int | None, address: str | None,
    workers: int | None, threads: int, attempts: int, retry_quarantined: bool,
    sample: int | None, bag: bool, dry_run: bool, status: bool, report: bool, overwrite: bool,
    as_json: bool, verbose: bool,
) -> int:  # fmt: skip
    """Restore an archive: a hundred thousand photos, on one machine or several.

    SRC is a folder, a glob, a list of photos (.txt), a WebDataset shard (.tar), or a URL of these
    (s3://, gs://); DST is a folder or a URL. DST mirrors the folders of SRC; originals are only
    read. unfade-archive/manifest in DST lists every photo with its state. The same command again
    does what is missing, changed or failed. SIGTERM or Ctrl-C ends a run after the photos that are
    being restored; a second one ends it at once. --json writes one JSON object a line.

    Exit codes: 0 all done, 1 some inputs failed, 2 wrong usage, 130 stopped by Ctrl-C, 143 stopped
    by SIGTERM.

    \b
    Examples:
      unfade batch scans/ restored/ --dry-run
      unfade batch scans/ restored/ --sample 50 --report
      unfade batch scans/ restored/
      unfade batch --status restored/
      unfade batch --report restored/
      unfade batch list.txt s3://museum/restored --address auto
    """
    if status or (report and len(paths) == 1):
        (dst,) = _require(paths, 1, "DST")
        if status:
            _show_status(dst, as_json=as_json)
        if report:
            _write_report(dst)
        return 0
    src, dst = _require(paths, 2, "SRC and DST")
    from unfade.archive.bag import PAYLOAD
    from unfade.archive.run import Archive
    from unfade.archive.sources import Search, require_inputs

    if options.variants > 1:
        fix = "use unfade restore, which writes several results of one photo"
        raise UsageError(f"{options.variants} variants", "one result of each photo", fix)
    require_inputs(Search(src, dst))
    bag = _is_bag(dst, requested=bag, dry_run=dry_run)
    folder = PAYLOAD if bag else ""
    archive = Archive(src, dst, folder, overwrite, retry_quarantined, sample)
    pool = _pool_factory(address, workers, attempts, options.device)

    def task(run: str) -> Task:
        from unfade.archive.work import Task

        return Task(dst, folder, options, quality, overwrite, run, threads)

    if dry_run:
        from unfade.archive.estimate import estimate

        _show_estimate(estimate(archive, task, pool.make, pool.workers), as_json=as_json)
        return 0
    summary, stop = _run(archive, task, pool.make, as_json=as_json, verbose=verbose)
    if bag:
        from unfade.archive.bag import write_checksums
        from unfade.archive.manifest import ArchiveManifest
        from unfade.archive.storage import open_storage

        storage = open_storage(dst)
        write_checksums(storage, ArchiveManifest(storage))
    if report and summary.plan.inputs:
        _write_report(dst)
    if stop.signal is not None:
        return stop.exit_code
    failed = summary.total - summary.counts.get("done", 0) + len(summary.plan.broken)
    return EXIT_FAILED if failed else 0


def _require(paths: tuple[str, ...], count: int, names: str) -> tuple[str, ...]:
    if len(paths) != count:
        got = f"{_count(len(paths), 'path')} ({' '.join(paths)})"
        raise UsageError(got, names, "see unfade batch --help")
    return paths


def _is_bag(dst: str, *, requested: bool, dry_run: bool) -> bool:
    """Whether results go into a bag. UsageError where DST has results outside of one."""
    from unfade.archive import bag
    from unfade.archive.manifest import FOLDER
    from unfade.archive.storage import open_storage

    storage = open_storage(dst)
    if bag.is_bag(storage):
        return True
    if requested and storage.names(FOLDER):
        got, fix = f"--bag for {dst}, which has results already", "name another DST"
        raise UsageError(got, "a new DST", fix)
    if requested and not dry_run:
        bag.declare(storage)
    return requested


@dataclass(frozen=True)
class _PoolFactory:
    """Makes the pool of workers, and says how many it has."""

    make: Callable[[Task], WorkerPool]
    workers: int


def _pool_factory(
    address: str | None, workers: int | None, attempts: int, device: str
) -> _PoolFactory:
    if address is not None:
        from unfade.archive.cluster import RayPool, connect

        if address != "local":
            click.echo(f"Waiting for Ray at {address} ...", err=True)
        count = connect(address, workers)
        return _PoolFactory(functools.partial(RayPool, workers=count, attempts=attempts), count)
    from unfade.archive.local import LocalPool, default_workers

    count = workers or default_workers(device)
    return _PoolFactory(functools.partial(LocalPool, workers=count, attempts=attempts), count)


# --- a run -----------------------------------------------------------------------------------


@dataclass
class _Stop:
    """A signal handler: the first signal stops the run, the second one ends it at once."""

    signal: int | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number

    @property
    def reason(self) -> str:
        """The signal's name, "" before there was one."""
        return "" if self.signal is None else signal.Signals(self.signal).name

    @property
    def exit_code(self) -> int:
        """Of a command that was stopped."""
        return EXIT_TERMINATED if self.signal == signal.SIGTERM else EXIT_STOPPED


@dataclass
class _Reporter:
    """Reports the progress of a run: as a bar, as text lines, or as JSON lines."""

    as_json: bool
    verbose: bool
    total: int = 0
    done: int = 0
    bar: Bar | None = None
    plan: dict[str, Any] = field(default_factory=dict[str, Any])

    def planned(self, plan: Plan, total: int) -> None:
        """Reports the plan."""
        self.total = total
        facts = {
            "inputs": plan.inputs, "todo": total, "finished": plan.finished,
            "quarantined": plan.quarantined, "unreadable": len(plan.broken),
            "broken": plan.broken, "left_out": plan.left_out,
        }  # fmt: skip
        self._json("planned", facts)
        if not self.as_json:
            self.bar = Bar(total)
            words = [f"{plan.inputs} inputs", f"{total} to restore", f"{plan.finished} done before"]
            words += [f"{plan.quarantined} in quarantine"] * bool(plan.quarantined)
            words += [f"{len(plan.broken)} that cannot be read"] * bool(plan.broken)
            click.echo(", ".join(words) + ".", err=True)
            _echo_errors(plan)
            for reason, count in plan.left_out.items():
                click.echo(f"Left out: {count} x {reason}.", err=True)

    def row(self, row: Row, summary: Summary) -> None:
        """Reports one input."""
        self.done += 1
        names = ("key", "state", "seconds", "damaged", "alignment", "adopted", "error_kind",
                 "error", "worker")  # fmt: skip
        self._json("photo", {name: row.get(name) for name in names})
        if self.as_json:
            return
        if row.get("error"):
            click.echo(f"Error: {row['error']}", err=True)
        elif self.verbose:
            click.echo(f"{row['key']} ({row['seconds']:.1f} s)")
        if self.bar is not None and sys.stderr.isatty():
            self.bar.reporter(self.done, row["key"])
        elif self.done % _REPORT_EVERY == 0:
            click.echo(f"{self.done} of {self.total}.", err=True)

    def ended(self, summary: Summary) -> None:
        """Reports the end."""
        facts = {
            "counts": summary.counts, "kinds": summary.kinds, "adopted": summary.adopted,
            "left": summary.left, "seconds": round(summary.seconds, 3), "stopped": summary.stopped,
        }  # fmt: skip
        self._json("ended", facts)
        if self.as_json:
            return
        nothing = "nothing done" if summary.stopped else "nothing to do"
        words = [f"{count} {state}" for state, count in summary.counts.items()] or [nothing]
        words += [f"{summary.left} left"] * bool(summary.left)
        text = f"{', '.join(words)}, {summary.seconds:.1f} s."
        if summary.stopped:
            text = f"Stopped ({summary.stopped}): {text} The same command goes on from there."
        click.echo(text, err=True)

    def interrupted(self, reason: str) -> None:
        """Reports that a second signal ended the run, with photos unfinished."""
        self._json("ended", {"done": self.done, "todo": self.total, "stopped": reason})
        if not self.as_json:
            text = f"Stopped at once ({reason}) after {self.done} of {self.total}."
            click.echo(f"{text} The same command goes on from there.", err=True)

    def _json(self, event: str, facts: dict[str, Any]) -> None:
        if self.as_json:
            click.echo(json.dumps({"event": event, "unfade": __version__, **facts}))


def _run(
    archive: Archive, task: Callable[[str], Task], make_pool: Callable[[Task], WorkerPool], *,
    as_json: bool, verbose: bool,
) -> tuple[Summary, _Stop]:  # fmt: skip
    from unfade.archive.run import RunCallbacks, run_archive

    stop, reporter = _Stop(), _Reporter(as_json, verbose)
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop) for number in signals]
    try:
        callbacks = RunCallbacks(reporter.planned, reporter.row, lambda: stop.reason)
        summary = run_archive(archive, task, make_pool, callbacks)
    except KeyboardInterrupt:
        reporter.interrupted(stop.reason)
        raise click.exceptions.Exit(stop.exit_code) from None
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
        if reporter.bar is not None:
            reporter.bar.__exit__(None, None, None)
    reporter.ended(summary)
    return summary, stop


# --- output ----------------------------------------------------------------------------------


def _echo_errors(plan: Plan) -> None:
    for error in plan.broken.values():
        click.echo(f"Error: {error}", err=True)


def _show_status(dst: str, *, as_json: bool) -> None:
    from unfade.archive.status import status

    progress = status(dst)
    if as_json:
        click.echo(json.dumps({"event": "status", "unfade": __version__, **progress.to_dict()}))
        return
    for line in _status_lines(progress):
        click.echo(line)


def _status_lines(progress: Status) -> list[str]:
    done = progress.states["done"]
    lines = [f"{done} of {progress.inputs} done ({100 * done / progress.inputs:.1f} %)"]
    lines += [f"{n} {state}" for state, n in progress.states.items() if n and state != "done"]
    lines += [f"  {n} x {kind}" for kind, n in sorted(progress.kinds.items())]
    lines.append(f"{_bytes(progress.bytes_in)} of inputs, {_bytes(progress.bytes_out)} of results")
    if progress.rate:
        workers = _count(progress.workers, "worker")
        lines.append(f"run {progress.run}: {progress.rate:.2f} photos a second, {workers}")
    if progress.left_s:
        lines.append(f"{_time(progress.left_s)} to the end at this rate")
    return lines


def _show_estimate(estimate: Estimate, *, as_json: bool) -> None:
    facts = {
        "photos": estimate.photos,
        "inputs": estimate.plan.inputs,
        "finished": estimate.plan.finished,
        "bytes_in": estimate.plan.bytes_todo,
        "bytes_out": estimate.bytes_out,
        "seconds": estimate.seconds,
        "workers": estimate.workers,
        "measured_on": estimate.measured,
        "trial": estimate.trial,
        "left_out": estimate.plan.left_out,
    }
    if as_json:
        click.echo(json.dumps({"event": "estimate", "unfade": __version__, **facts}))
        return
    click.echo(f"{estimate.photos} of {estimate.plan.inputs} inputs to restore.")
    for reason, count in estimate.plan.left_out.items():
        click.echo(f"Left out: {count} x {reason}.")
    _echo_errors(estimate.plan)
    if estimate.seconds is None or estimate.bytes_out is None:
        click.echo("Time and space are unknown: no photo could be restored.")
        return
    origin = "restored now" if estimate.trial else "of earlier runs"
    workers, photos = _count(estimate.workers, "worker"), _count(estimate.measured, "photo")
    click.echo(
        f"About {_time(estimate.seconds)} with {workers} and {_bytes(estimate.bytes_out)} of "
        f"results, by the size of {photos} {origin}."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _write_report(dst: str) -> None:
    from unfade.archive.report import write_report

    click.echo(f"{write_report(dst)}: the report", err=True)


def _bytes(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 2 * 86400 else f"{seconds / 86400:.1f} days"
