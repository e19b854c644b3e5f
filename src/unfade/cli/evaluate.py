"""`unfade evaluate`: scores folders of results; means and tables as in `unfade bench`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

import unfade.cli.options as shared
import unfade.manifest as manifests
from unfade._version import __version__
from unfade.cli.main import EXIT_FAILED
from unfade.cli.progress import Bar
from unfade.errors import InputError, UnfadeError, UsageError, explain, printable
from unfade.files.photos import COMPARE_SUFFIX

if TYPE_CHECKING:
    from unfade.bench.aggregate import Aggregate
    from unfade.eval.evaluation import Distances, Evaluation, Redegraded
    from unfade.eval.images import Image
    from unfade.eval.matching import Match
    from unfade.eval.niqe import NiqeModel

_PATH = click.Path(path_type=Path)
_TABLE_SUFFIXES = (".csv", ".parquet")
_REFERENCE = "HQ"  # stands for the references among --features


@click.command()
@click.argument("results", metavar="RESULTS...", nargs=-1)
@click.option("--reference", required=True, type=_PATH, metavar="HQ", help="The clean photos.")
@click.option(
    "--lq",
    type=_PATH,
    metavar="LQ",
    help="The damaged inputs, scored as the method 'lq'; smaller ones are enlarged (bicubic).",
)
@click.option(
    "--metrics",
    default="all",
    show_default=True,
    metavar="LIST",
    help="With commas between. all: psnr, ssim, ms-ssim, alignment, gmsd, ciede2000, chroma, "
    "spectrum, niqe, colourfulness, patch-fd, patch-kd. With weights of their own (see `unfade "
    "models`): lpips, dinov2, clip-iqa, musiq, fid, kid. With --degradation: alignment-lq, "
    "ssim-lq, dinov2-lq.",
)
@click.option(
    "--degradation",
    metavar="NAME",
    help="What made LQ of HQ: blurN or srN. Results are damaged so again and compared with LQ.",
)
@click.option(
    "--features",
    multiple=True,
    metavar="NAME=FILE.npy",
    help="(N, D) features of RESULTS, by any extractor, for their distance to HQ=FILE.npy.",
)
@shared.measured_pixels
@click.option(
    "--fit-niqe",
    type=_PATH,
    metavar="FILE.npz",
    help="Learn NIQE's clean photos from HQ, and write them; without RESULTS nothing else.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Of the bootstrap.",
)
@click.option(
    "-o",
    "--out",
    type=_PATH,
    metavar="OUT",
    help="A folder for rows.csv, rows.parquet and tables.md, or a .csv or .parquet for the rows.",
)
@click.option("--json", "as_json", is_flag=True, help="Everything as one JSON object on stdout.")
def evaluate(
    results: tuple[str, ...],
    reference: Path,
    lq: Path | None,
    metrics: str,
    degradation: str | None,
    features: tuple[str, ...],
    space: Literal["rgb", "y"],
    crop_border: int,
    metric_device: str,
    niqe_model: Path | None,
    fit_niqe: Path | None,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> int:
    """Score restored photos against clean ones.

    RESULTS is a folder, or NAME=FOLDER; several are compared with each other. A result belongs to
    the reference of its name, whatever the suffixes. Means are over images. What has no partner,
    or another size, is reported on stderr; the rest goes on, and the exit code is 1. A photo that
    is too small for some of the metrics has empty cells and a note, and is no failure.

    \b
    Examples:
      unfade evaluate restored/ --reference clean/ --lq aged/ -o scores/
      unfade evaluate ours=a/ theirs=b/ --reference clean/ --space y --crop-border 4
      unfade evaluate restored/ --reference clean/ --metrics all,lpips,fid
      unfade evaluate restored/ --reference clean/ --lq small/ --degradation sr4
      unfade evaluate --reference clean/ --fit-niqe clean.npz
    """
    if not results and fit_niqe is None:
        raise UsageError("no RESULTS", "a folder of results", "name one")
    if niqe_model is not None and fit_niqe is not None:
        raise UsageError("--niqe-model with --fit-niqe", "one of them", "leave the other out")
    from unfade.eval.evaluation import Evaluation
    from unfade.eval.matching import match_folders
    from unfade.eval.measures import SET_MEASURES, measures

    _check_out(out)
    names = _names(metrics, lq, degradation)
    methods = _methods(results, lq)
    distances = _feature_distances(features, methods)
    folders = match_folders(methods, reference, ignored=COMPARE_SUFFIX) if results else None
    model = _niqe_model(niqe_model, fit_niqe, reference)
    if folders is None:
        return 0
    protocol = shared.protocol_of(space, crop_border, metric_device, niqe_model or fit_niqe)
    sets = tuple(name for name in names if name in SET_MEASURES)
    evaluation = Evaluation(measures(names, protocol, model), sets, protocol)
    evaluation.redegraded = _redegraded(names, degradation, protocol.device)
    matches, unmatched = folders
    evaluation.problems.extend(unmatched)
    reported = _score(evaluation, matches)
    _report(evaluation, list(methods), seed, out, as_json, distances, reported)
    return EXIT_FAILED if evaluation.failures() else 0


def _names(metrics: str, lq: Path | None, degradation: str | None) -> list[str]:
    """The requested metrics. UsageError if one of them cannot be computed with these options."""
    from unfade.eval.measures import NAMES, REDEGRADED, checked_names

    requested = [name.strip() for name in metrics.split(",")]
    names = {name for name in requested if name != "all"}
    if "all" in requested:
        names |= {*NAMES, *(REDEGRADED[:2] if degradation else ())}
    redegraded = sorted(names & {*REDEGRADED})
    if degradation is not None and not redegraded:
        fix = f"add one of {', '.join(REDEGRADED)} to --metrics"
        raise UsageError("--degradation", "a metric that uses it", fix)
    if redegraded and (lq is None or degradation is None):
        raise UsageError(redegraded[0], "--lq and --degradation with it", "say what made LQ of HQ")
    return checked_names(names)


def _redegraded(names: Sequence[str], degradation: str | None, device: str) -> Redegraded | None:
    """The metrics that compare re-degraded results with LQ. UsageError if NAME is unknown."""
    if degradation is None:
        return None
    import numpy as np

    from unfade.bench.degradations import degraded
    from unfade.eval.evaluation import Redegraded
    from unfade.eval.measures import redegraded_measures

    if not re.fullmatch(r"(blur|sr)\d+(\.\d+)?", degradation):
        expected = "blurN (sigma N of 512 pixels) or srN (bicubic, N = 2 or 4)"
        raise UsageError(f"--degradation {degradation}", expected, "name one of those")
    rng = np.random.default_rng(0)  # neither draws from it
    degraded(np.zeros((64, 64, 3), np.float32), degradation, rng)
    return Redegraded(
        lambda image: degraded(image, degradation, rng)[0], redegraded_measures(names, device)
    )


def _feature_distances(texts: Sequence[str], methods: Mapping[str, Path]) -> dict[str, Distances]:
    """Distances of the features in files, by method. UsageError if names or shapes do not fit."""
    from unfade.eval.evaluation import Distances
    from unfade.eval.extractors import read_features
    from unfade.eval.measures import FEATURE_FILE_MEASURES

    files = {name: Path(file) for name, _, file in (text.partition("=") for text in texts)}
    if not files:
        return {}
    unknown = sorted(files.keys() - methods.keys() - {_REFERENCE})
    if unknown or _REFERENCE not in files or len(files) < 2:
        got = f"--features {' --features '.join(texts)}"
        expected = f"{_REFERENCE}=FILE.npy and METHOD=FILE.npy (of {', '.join(methods)})"
        raise UsageError(got, expected, "name the references' features and those of a method")
    reference_features = read_features(files.pop(_REFERENCE))
    distances: dict[str, Distances] = {}
    for method, file in files.items():
        result_features = read_features(file)
        values = {
            name: measure.distance(result_features, reference_features)
            for name, measure in FEATURE_FILE_MEASURES.items()
        }
        distances[method] = Distances(len(result_features), values)
    return distances


def _methods(results: Sequence[str], lq: Path | None) -> dict[str, Path]:
    """Name -> folder; the default name is the folder's. UsageError if two are equal.

    A folder named "lq", as the row of the inputs, is called "lq-results".
    """
    from unfade.eval.evaluation import LQ

    methods: dict[str, Path] = {}
    for text in results:
        name, sign, folder = text.partition("=")
        path = Path(folder) if sign and not Path(text).is_dir() else Path(text)
        if path == Path(text):
            name = path.resolve().name
            name = f"{LQ}-results" if name == LQ else name
        if not name or name in methods or name == LQ:
            got = f"the method name {name!r}" + (" twice" if name in methods else "")
            expected = (
                "another: that is the row of the inputs" if name == LQ else "a name of its own"
            )
            raise UsageError(got, expected, f"write NAME={path}")
        methods[name] = path
    return methods if lq is None else {**methods, LQ: lq}


def _check_out(out: Path | None) -> None:
    """Makes the folder of OUT. UsageError or OutputError, before any work, where it cannot be."""
    from unfade.eval.rows import require_parquet

    if out is None:
        return
    file = not out.is_dir() and out.suffix.lower() in _TABLE_SUFFIXES
    if file and out.suffix.lower() == ".parquet":
        require_parquet(out)
    manifests.make_folder(out.parent if file else out)


def _niqe_model(path: Path | None, fit: Path | None, reference: Path) -> NiqeModel | None:
    """The model at `path`, or one learnt from the references and written to `fit`."""
    from unfade.eval.niqe import fit_niqe, load_niqe, save_niqe

    if fit is None:
        return None if path is None else load_niqe(path)
    model = fit_niqe(_clean_photos(reference))
    save_niqe(fit, model)
    return model


def _clean_photos(folder: Path) -> Iterator[Image]:
    """Every photo of a folder; what cannot be read is told, and left out."""
    from unfade.eval.evaluation import read_rgb
    from unfade.eval.matching import photos_below

    problems: list[InputError] = []
    photos = photos_below(folder, COMPARE_SUFFIX, problems)
    for problem in problems:
        click.echo(f"Error: {problem.message()}", err=True)
    with Bar(len(photos)) as bar:
        for index, (name, path) in enumerate(photos.items()):
            bar.reporter(index, name)
            try:
                yield read_rgb(path)
            except UnfadeError as error:
                click.echo(f"Error: {explain(error, path)}", err=True)


def _score(evaluation: Evaluation, matches: Sequence[Match]) -> int:
    """Scores all matches. An error in one does not stop the others.

    Returns:
        How many of the evaluation's problems have been printed.
    """
    reported = _report_problems(evaluation, 0)
    with Bar(len(matches)) as bar:
        for index, match in enumerate(matches):
            bar.reporter(index, match.name)
            try:
                evaluation.add(match)
            except Exception as error:
                got = f"no score: an unexpected error ({type(error).__name__}: {error})"
                fix = "look at this photo, or leave the metric out"
                problem = InputError(got, "a score", fix, path=match.reference)
                evaluation.problems.append(problem)
            reported = _report_problems(evaluation, reported)
    return reported


def _report_problems(evaluation: Evaluation, reported: int) -> int:
    """Prints the problems from number `reported` on to stderr; returns how many there are."""
    for problem in evaluation.problems[reported:]:
        click.echo(f"Error: {problem.message()}", err=True)
    return len(evaluation.problems)


def _report(
    evaluation: Evaluation, methods: Sequence[str], seed: int, out: Path | None, as_json: bool,
    features: Mapping[str, Distances], reported: int,
) -> None:  # fmt: skip
    """Prints the remaining problems to stderr, and the tables to stdout and OUT."""
    from unfade.bench.grids import means_grid, pairs_grid
    from unfade.bench.sections import grids_markdown

    distances = evaluation.distances()
    for note in evaluation.notes():
        click.echo(f"Note: {note}", err=True)
    for problem in evaluation.failures()[reported:]:
        click.echo(f"Error: {problem.message()}", err=True)
    aggregate = _aggregate(evaluation, methods, [distances, features], seed)
    grids = [means_grid(aggregate, "Means", by_case=False), *pairs_grid(aggregate)]
    table = grids_markdown(grids)
    if out is not None:
        _write(evaluation, out, table)
    if as_json:
        click.echo(_json(evaluation, aggregate, distances, features))
    else:
        click.echo(table, nl=False)


def _aggregate(
    evaluation: Evaluation, methods: Sequence[str],
    distance_groups: Sequence[Mapping[str, Distances]], seed: int,
) -> Aggregate:  # fmt: skip
    """The rows of one evaluation as a run with a single case."""
    from unfade.bench.aggregate import Aggregate
    from unfade.bench.cases import Case
    from unfade.bench.run import Run
    from unfade.eval.statistics import Estimate

    case, nan = Case("", "", "", Path(), None), float("nan")
    run = Run(Path(), [case], methods, [*evaluation.columns], evaluation.protocol, evaluation.rows)
    for by_method in distance_groups:
        for method, values in by_method.items():
            recorded = run.distances.get(("", case.name, method), {})
            run.distances["", case.name, method] = {
                **recorded,
                **{n: Estimate(v, nan, nan, values.images) for n, v in values.values.items()},
            }
    return Aggregate(run, "", seed=seed)


def _json(
    evaluation: Evaluation, aggregate: Aggregate, distances: Mapping[str, Distances],
    features: Mapping[str, Distances],
) -> str:  # fmt: skip
    """The evaluation as one JSON object on one line; non-finite numbers are null."""
    from unfade.bench.sections import finite
    from unfade.eval.rows import SHORT_KEYS
    from unfade.eval.statistics import RESAMPLES

    cases, methods, metrics = aggregate.cases, aggregate.run.methods, aggregate.run.metrics
    estimates = {
        method: {name: asdict(aggregate.estimate(cases, method, name)) for name in metrics}
        for method in methods
    }
    protocol = {**asdict(evaluation.protocol), "data_range": 1}
    content = {
        "unfade": __version__,
        "command": "evaluate",
        "protocol": {**protocol, "seed": aggregate.seed, "resamples": RESAMPLES},
        "methods": {
            method: {
                "images": aggregate.count(cases, method),
                "means": means,
                "distances": asdict(distances[method]) if method in distances else None,
                "features": asdict(features[method]) if method in features else None,
            }
            for method, means in estimates.items()
        },
        "comparisons": [
            {
                "first": first,
                "second": second,
                "measure": name,
                "difference": asdict(aggregate.difference(cases, first, second, name)),
            }
            for first, second in combinations(methods, 2)
            for name in metrics
        ],
        "rows": [
            {**{key: getattr(row, key) for key in SHORT_KEYS}, "values": {**row.values}}
            for row in evaluation.rows
        ],
        "failed": [str(problem) for problem in evaluation.failures()],
        "notes": [str(note) for note in evaluation.notes()],
    }
    return json.dumps(finite(content), allow_nan=False)


def _write(evaluation: Evaluation, out: Path, table: str) -> None:
    from unfade.bench.sections import write_text
    from unfade.eval.rows import SHORT_KEYS, csv_text, has_parquet, write_rows

    rows, metrics = evaluation.rows, list(evaluation.columns)
    if not out.is_dir() and out.suffix.lower() in _TABLE_SUFFIXES:
        if out.suffix.lower() == ".csv":
            write_text(out, csv_text(rows, metrics))
        else:
            write_rows(out, rows, metrics, SHORT_KEYS)
        return
    write_text(out / "rows.csv", csv_text(rows, metrics))
    write_text(out / "tables.md", table)
    if has_parquet():
        write_rows(out / "rows.parquet", rows, metrics, SHORT_KEYS)
    else:
        missing = printable(out / "rows.parquet")
        click.echo(
            f"{missing} left out: it needs pyarrow (pip install '.[tables]' in a clone of unfade).",
            err=True,
        )
