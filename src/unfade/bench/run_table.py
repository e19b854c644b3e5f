"""Runs one table: builds its cases, restores, scores, and writes the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from unfade.bench.cases import Case
from unfade.bench.methods.autoencoder import CLEAN, GIVEN, Autoencoder
from unfade.bench.methods.base import Method
from unfade.bench.methods.ours import Preset
from unfade.bench.plots import require_matplotlib
from unfade.bench.run import Run
from unfade.bench.runner import Progress, run_cases
from unfade.bench.tables.base import Table
from unfade.bench.tables.sweeps import OURS_ONLY
from unfade.bench.trajectory import Estimates
from unfade.errors import UsageError, WeightsError
from unfade.eval.images import Protocol
from unfade.eval.rows import require_parquet

NO_DIFFUSION = "the preset has no diffusion model: left out"
WORK = "pairs"  # inputs and references, below OUT


def run_table(
    table: Table,
    methods: Sequence[Method],
    data: Path,
    out: Path,
    *,
    quick: bool = False,
    seed: int = 0,
    protocol: Protocol | None = None,
    progress: Progress | None = None,
) -> Run:
    """Builds a table's cases, runs the methods, and writes the report.

    Args:
        methods: at least one; those that cannot take part in a case are left out of it, and a
            sentence in the report says so.
        data, quick, seed: as `Table.build` has them.
        protocol: of PSNR, SSIM and MS-SSIM; None is RGB with no border cropped.
        out: folder for inputs, results, rows and the report.
        progress: as `run_cases` has it.

    Raises:
        UsageError: pyarrow or matplotlib is missing, or the data cannot be used.
        UnfadeError: a case or a method cannot work.
    """
    require_parquet(out / "rows.parquet")
    require_matplotlib()
    cases = table.build(data, out / WORK, quick, seed)
    chosen = table.adapt(methods, cases, out / WORK)
    fitting, notes = cases_with_able_methods(cases, chosen)
    if fitting:
        run = run_cases(
            fitting,
            chosen,
            out,
            metrics=table.metrics,
            extra=table.extra,
            protocol=protocol,
            progress=progress,
        )
    else:
        run = Run(
            out, [], [method.name for method in chosen], table.metrics, protocol or Protocol()
        )
        notes.append("No method that was named can take part.")
    run.notes.extend(notes)
    table.render(run, out)
    return run


def cases_with_able_methods(
    cases: Sequence[Case], methods: Sequence[Method]
) -> tuple[list[Case], list[str]]:
    """The cases with the methods that can run on each, and the reasons why others cannot.

    Raises:
        WeightsError: weights that are damaged.
    """
    reasons: dict[tuple[str, str], list[str]] = {}
    fitting: list[Case] = []
    for case in cases:
        able: list[str] = []
        for method in methods:
            if case.methods and method.name not in case.methods:
                continue
            reason = _objection(case, method, swept=_is_swept(cases))
            if reason is None:
                able.append(method.name)
            elif reason:
                reasons.setdefault((method.name, reason), []).append(case.name)
        if able:
            fitting.append(replace(case, methods=tuple(able)))
    notes = [
        f"{name}: {reason} ({len(names)} of {len(cases)} cases: {', '.join(names)})."
        for (name, reason), names in reasons.items()
    ]
    return fitting, [*notes, *_alone(fitting, methods)]


def _alone(cases: Sequence[Case], methods: Sequence[Method]) -> list[str]:
    """Notes on presets that run without a diffusion model."""
    return [
        f"{method.name} has no diffusion model: these are its other networks alone."
        for method in methods
        if isinstance(method, Preset)
        and any(method.name in case.methods and method.lacks_diffusion(case) for case in cases)
    ]


def _is_swept(cases: Sequence[Case]) -> bool:
    return any(case.parameter in OURS_ONLY for case in cases)


def _objection(case: Case, method: Method, *, swept: bool) -> str | None:
    """Why a method cannot run; "" if no reason needs to be given, None if it can run."""
    ours = isinstance(method, (Preset, Estimates))
    if isinstance(method, Autoencoder) and case.degradation not in (CLEAN, GIVEN):
        return ""
    if swept and ours != (case.parameter in OURS_ONLY):
        return ""
    try:
        method.check([case])
    except WeightsError:
        if not ours or not _preset_of(method).lacks_diffusion(case):
            raise
        return NO_DIFFUSION
    except UsageError as error:
        return f"{error.got}, not {error.expected}"
    return None


def _preset_of(method: Preset | Estimates) -> Preset:
    return method.preset if isinstance(method, Estimates) else method
