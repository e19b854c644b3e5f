"""Command `unfade bench`: compares methods by tables of papers, or by a protocol.

The protocols are commands of their own in `unfade.cli.protocols`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

import unfade.cli.options as shared
from unfade._version import __version__
from unfade.cli.main import EXIT_FAILED
from unfade.cli.protocols import ALSO_TABLES, PROTOCOLS, steps_bar
from unfade.errors import UnfadeError, UsageError, WeightsError, printable

if TYPE_CHECKING:
    from unfade.bench.cases import Case
    from unfade.bench.methods.base import Method
    from unfade.bench.run import Run
    from unfade.bench.tables import Table

ALL = "all"
_PATH = click.Path(path_type=Path)


class BenchCommand(click.Command):
    """`unfade bench PROTOCOL ...`, or tables: other names, and names with --out or --prepare."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Makes the context of the protocol that the first argument names, if there is one."""
        protocol = PROTOCOLS.get(args[0]) if args else None
        table = bool(args) and args[0] in ALSO_TABLES and any(_asks_report(a) for a in args)
        if protocol is None or table:
            return super().make_context(info_name, args, parent, **extra)
        return protocol.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the protocols."""
        with formatter.section("Protocols (unfade bench PROTOCOL --help)"):
            formatter.write_dl([(n, c.get_short_help_str(100)) for n, c in PROTOCOLS.items()])


def _asks_report(argument: str) -> bool:
    """Whether an argument is --out or --prepare, which only the table of this name has."""
    return argument == "--prepare" or argument.startswith(("-o", "--out"))


@click.command(cls=BenchCommand)
@click.argument("names", metavar="TABLE|PROTOCOL...", nargs=-1)
@click.option("--data", type=_PATH, metavar="DIR", help="Clean photos, or the papers' datasets.")
@click.option("--out", "-o", type=_PATH, metavar="DIR", help="Takes up everything that is made.")
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="[NAME=]WHAT",
    help="In place of a table's own; may be given several times (see above).",
)
@click.option("--lq", type=_PATH, metavar="DIR", help="Of the table 'own': the inputs.")
@click.option(
    "--reference",
    type=_PATH,
    metavar="DIR",
    help="Of the table 'own': the clean photos; without them only what needs none is measured.",
)
@click.option("--quick", is_flag=True, help="Few photos, small crops: whether it works at all.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Of the degradations, and of the methods that have one.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="Seconds after which a command is ended, for each case.  [default: none]",
)
@shared.measured_pixels
@click.option(
    "--paper-values",
    "--printed",
    "paper_values_file",
    type=_PATH,
    metavar="FILE",
    help="More printed figures as CSV, shown beside ours: table, system, metric, value, source.",
)
@click.option("--prepare", is_flag=True, help="Write and name the inputs only, for programs.")
@click.option("--list", "list_tables", is_flag=True, help="Show the tables.")
@click.option("--json", "as_json", is_flag=True, help="A summary for machines on stdout.")
def bench(
    names: tuple[str, ...],
    data: Path | None,
    out: Path | None,
    methods: tuple[str, ...],
    lq: Path | None,
    reference: Path | None,
    quick: bool,
    seed: int,
    timeout: float | None,
    space: Literal["rgb", "y"],
    crop_border: int,
    metric_device: str,
    niqe_model: Path | None,
    paper_values_file: Path | None,
    prepare: bool,
    list_tables: bool,
    as_json: bool,
) -> int:
    """Compare restorers by the tables and figures of two papers.

    TABLE is a name that --list shows, several of them, `all`, or `own` for folders of yours. A
    method is a preset with options (compact:strength=0,tone=keep), first-stage, input (does
    nothing), bicubic, lanczos, opencv (or one task of it: opencv-inpaint, opencv-denoise,
    opencv-sharpen, opencv-contrast), a folder of results made elsewhere, a network file (.pth,
    .safetensors; needs spandrel), a folder of an autoencoder, or a command with {input} and
    {output}. The same command again goes on where it was stopped, and does nothing twice. The
    report is DIR/report.html.

    \b
    Examples:
      unfade bench all --data photos/ --out bench/ --quick
      unfade bench old-photo --data DIV2K/ --out bench/ --method compact --method opencv
      unfade bench sr4 --data DIV2K/ --out bench/ --prepare
      unfade bench sr4 --data DIV2K/ --out bench/ --method StableSR=results/ --method input
      unfade bench own --lq damaged/ --reference clean/ --out bench/ \\
          --method first-stage --method "theirs=python run.py -i {input} -o {output}"
    """
    if list_tables:
        return _list_tables()
    tables = _tables(names, lq, reference, data, paper_values_file)
    if out is None:
        raise UsageError("no --out", "a folder to write to", "name one")
    _check_out(out, [folder for folder in (data, lq, reference) if folder is not None])
    from unfade.bench.methods.names import parse_methods
    from unfade.bench.run_table import run_table

    methods_given = parse_methods(methods, timeout_s=timeout)
    folder = data or Path()
    protocol = shared.protocol_of(space, crop_border, metric_device, niqe_model)
    cases, errors = _build_cases(tables, folder, out, quick, seed)
    if prepare:
        return _show_cases(cases, as_json)
    _check(methods_given, cases)
    possible = [table for table in tables if table.name not in errors]
    run = partial(run_table, data=folder, out=out, quick=quick, seed=seed, protocol=protocol)
    return _run(possible, errors, methods_given, out, run, as_json=as_json)


def _tables(
    names: Sequence[str], lq: Path | None, reference: Path | None, data: Path | None,
    paper_values_file: Path | None,
) -> list[Table]:  # fmt: skip
    """The tables of these names. UsageError if one is unknown, or its photos are not named."""
    from unfade.bench.tables import TABLES
    from unfade.bench.tables.user_paper_values import with_paper_values
    from unfade.bench.user_folders import USER_FOLDERS, user_folders_table

    if not names:
        raise UsageError(
            "no TABLE", f"some of {', '.join(TABLES)}, {USER_FOLDERS} or {ALL}", "see --list"
        )
    requested = list(dict.fromkeys(name for n in names for name in (TABLES if n == ALL else [n])))
    unknown = [name for name in requested if name not in TABLES and name != USER_FOLDERS]
    if unknown:
        expected = f"one of {', '.join(TABLES)}, {USER_FOLDERS} or {ALL}"
        raise UsageError(f"the table '{unknown[0]}'", expected, "see --list")
    if (lq is not None or reference is not None) and USER_FOLDERS not in requested:
        raise UsageError("--lq or --reference", f"the table {USER_FOLDERS} with them", "add it")
    if data is None and requested != [USER_FOLDERS]:
        raise UsageError("no --data", "a folder of clean photos", "name one")
    tables: list[Table] = []
    for name in requested:
        if name != USER_FOLDERS:
            tables.append(TABLES[name])
        elif lq is None:
            raise UsageError(
                f"the table {USER_FOLDERS} without --lq", "the inputs", "name their folder"
            )
        else:
            tables.append(user_folders_table(lq, reference))
    return tables if paper_values_file is None else with_paper_values(tables, paper_values_file)


def _check_out(out: Path, read: Sequence[Path]) -> None:
    """Raises UsageError if OUT is no folder, or is below a folder whose photos are read."""
    if out.exists() and not out.is_dir():
        raise UsageError("a file", "a folder to write to", "name another", path=out)
    for folder in read:
        if out.resolve().is_relative_to(folder.resolve()):
            got, expected = f"--out within {folder}", "a folder outside the photos that are read"
            raise UsageError(got, expected, "name one beside them", path=out)


def _build_cases(
    tables: Sequence[Table], data: Path, out: Path, quick: bool, seed: int
) -> tuple[list[Case], dict[str, UnfadeError]]:
    """The cases of all tables, and the errors of some; raises the error if all of them fail."""
    from unfade.bench.run_table import WORK

    cases: list[Case] = []
    errors: dict[str, UnfadeError] = {}
    for table in tables:
        try:
            cases += table.build(data, out / WORK, quick, seed)
        except UnfadeError as error:
            errors[table.name] = error
            if len(errors) == len(tables):
                raise
    return cases, errors


def _check(methods: Sequence[Method], cases: Sequence[Case]) -> None:
    """Raises the error of a method that fails the check of every case, before any runs."""
    from unfade.bench.methods.precomputed import ResultsFolder

    for method in methods:
        if isinstance(method, ResultsFolder):
            method.check_shared(cases)
        error: UnfadeError | None = None
        for case in cases:
            try:
                method.check([case])
                break
            except (UsageError, WeightsError) as caught:
                error = error or caught
        else:
            if error is not None:
                raise error


def _run(
    tables: Sequence[Table],
    errors: dict[str, UnfadeError],
    methods_given: Sequence[Method],
    out: Path,
    run_table: Callable[..., Run],
    *,
    as_json: bool,
) -> int:
    """Runs the tables one after the other; an error in one does not stop the others."""
    from unfade.bench.methods.names import parse_methods

    runs: dict[str, Run] = {}
    for table in tables:
        methods = methods_given or parse_methods(table.methods)
        with steps_bar() as report:
            try:
                runs[table.name] = run_table(table, methods, progress=report)
            except UnfadeError as error:
                if len(tables) + len(errors) == 1:
                    raise
                errors[table.name] = error
        if table.name in runs and not as_json:
            click.echo(_line(table, runs[table.name]))
    _print_failures(runs, errors)
    if as_json:
        click.echo(_json(runs, errors, out))
    elif runs:
        click.echo(printable(out / "report.html"))
    return EXIT_FAILED if errors or any(run.failures for run in runs.values()) else 0


def _print_failures(runs: dict[str, Run], errors: dict[str, UnfadeError]) -> None:
    """Prints failures and errors to stderr."""
    for name, run in runs.items():
        for failure in run.failures:
            image = f", {failure.image}" if failure.image else ""
            label = f"{name}/{failure.case}, {failure.method}{image}"
            click.echo(f"Error: {label}: {failure.error}", err=True)
    for name, error in errors.items():
        click.echo(f"Error: {name}: {error.message()}", err=True)


def _line(table: Table, run: Run) -> str:
    """ "sr4: 3 methods, 2 cases, 24 results, 1 note"."""
    methods = len({row.method for row in run.rows})
    counts = {"method": methods, "case": len(run.cases), "result": len(run.rows)}
    if run.notes:
        counts["note"] = len(run.notes)
    words = [f"{count} {word}{'' if count == 1 else 's'}" for word, count in counts.items()]
    return f"{table.name}: {', '.join(words)}"


def _json(runs: dict[str, Run], errors: dict[str, UnfadeError], out: Path) -> str:
    content = {
        "unfade": __version__,
        "command": "bench",
        "report": str(out / "report.html"),
        "tables": {
            name: {
                "methods": list(run.methods),
                "cases": [case.name for case in run.cases],
                "results": len(run.rows),
                "notes": run.notes,
                "failed": [vars(failure) for failure in run.failures],
            }
            for name, run in runs.items()
        },
        "failed": {name: error.message() for name, error in errors.items()},
    }
    return json.dumps(content)


def _show_cases(cases: Sequence[Case], as_json: bool) -> int:
    """Prints the folders of the inputs, for other programs."""
    lines = [
        {
            "table": case.table,
            "case": case.name,
            "inputs": str(case.inputs),
            "references": None if case.references is None else str(case.references),
            "task": case.options.task,
            "scale": case.options.scale,
        }
        for case in cases
    ]
    if as_json:
        click.echo(json.dumps(lines))
        return 0
    for case in cases:
        scale = "" if case.options.scale is None else f", x{case.options.scale:g}"
        label = f"{case.table}/{case.name}"
        click.echo(f"{label}: {printable(case.inputs)} ({case.options.task}{scale})")
    return 0


def _list_tables() -> int:
    from unfade.bench.tables import TABLES
    from unfade.bench.user_folders import USER_FOLDERS

    width = max(map(len, TABLES))
    for name, table in TABLES.items():
        click.echo(f"{name:<{width}}  {table.title} ({table.source})")
    click.echo(f"{USER_FOLDERS:<{width}}  Folders of yours (--lq, --reference)")
    return 0
