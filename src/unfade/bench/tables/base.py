"""Defines a table: cases, metrics, methods and plots of one comparison, and its rendering."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from unfade.bench.aggregate import Aggregate, TableMeasure
from unfade.bench.cases import Case
from unfade.bench.datasets import find_datasets
from unfade.bench.degradations import COLOUR_TARGET
from unfade.bench.grids import cost_grid, difference_grid, means_grid, paper_grids
from unfade.bench.methods.base import Method
from unfade.bench.paper_values import PaperTable
from unfade.bench.plots import Plot, save
from unfade.bench.prepare import Plan, input_scale, large_enough, make_folders, note_of, plan
from unfade.bench.report import write_report
from unfade.bench.run import Run
from unfade.bench.scenes import scenes_of
from unfade.bench.scoring import ExtraMeasure
from unfade.bench.sections import Grid, Section
from unfade.degrade import SEVERITIES
from unfade.eval.measures import REDEGRADED
from unfade.eval.weights import WEIGHTS, metrics_folder, missing
from unfade.options import RestoreOptions

#: In which sections of a report follow each other.
ORDER = (
    "old-photo", "sr4", "real-sr", "colorize", "p-iide", "mixtures", "controlnet", "frequencies",
    "edits", "perception-distortion", "blur-levels", "alignment", "autoencoder", "start-noise",
    "steps", "one-step", "inference-steps", "fresh-noise", "self-condition", "guidance", "cost",
    "retention", "own",
)  # fmt: skip
#: All steps of the diffusion model from pure noise on the whole photo, whatever the preset does.
DIFFUSION = "compact:strength=1,reach=all,fidelity=0,posterior_mean=0,vae_residual=0"
#: Of most tables.
METHODS = ("input", "opencv", "first-stage", "compact", DIFFUSION)
METRICS = ("psnr", "ssim", "niqe", "alignment")


@dataclass(frozen=True)
class Setting:
    """The data, folder, size and seed that a table is built with.

    Attributes:
        data: a set's folder, or one that holds several.
        work: folder for inputs and references.
        quick: few photos, small crops, few values of a swept parameter.
        seed: of the degradations and the methods.
    """

    data: Path
    work: Path
    quick: bool
    seed: int

    def plans(self, *wanted: str, images: int | None = None) -> list[Plan]:
        """Plans for the wanted datasets, or for those that exist."""
        datasets = find_datasets(self.data, wanted)
        return [
            plan(dataset, quick=self.quick, seed=self.seed, images=images) for dataset in datasets
        ]

    def captioned(self, *wanted: str) -> list[Plan]:
        """The same as `plans`, restricted to photos with captions if any photo has one."""
        plans: list[Plan] = []
        for dataset in find_datasets(self.data, wanted):
            named = tuple(pair for pair in dataset.pairs if pair.name in dataset.captions)
            chosen = replace(dataset, pairs=large_enough(named, quick=self.quick) or dataset.pairs)
            plans.append(plan(chosen, quick=self.quick, seed=self.seed))
        return plans

    def swept(self, values: Sequence[float]) -> list[float]:
        """The values of a sweep; in a quick run the first, the middle and the last."""
        chosen = [values[0], values[len(values) // 2], values[-1]]
        return chosen if self.quick and len(values) > 3 else list(values)


@dataclass(frozen=True)
class Table:
    """A table or figure of a paper as a command.

    Attributes:
        name: as `unfade bench NAME`.
        title: one line.
        source: the paper's table or figure.
        reading: how to read it, a few sentences.
        cases: builds them.
        wanted_metrics: measured always; those whose weights are here come on top.
        methods: names of the default methods.
        papers: values of papers, one entry for each set of photos and damage.
        table_measures: measures of this table alone, by name.
        plots: makes the plots.
        grids: tables beside that of the means.
        timed: whether the times of all cases make one figure for each method.
        adapt: changes the methods before they run; may write files to the folder.
    """

    name: str
    title: str
    source: str
    reading: str
    cases: Callable[[Setting], list[Case]]
    wanted_metrics: tuple[str, ...] = METRICS
    methods: tuple[str, ...] = METHODS
    papers: tuple[PaperTable, ...] = ()
    table_measures: Mapping[str, TableMeasure] = field(default_factory=dict[str, TableMeasure])
    plots: Callable[[Aggregate], list[Plot]] = lambda _: []
    grids: Callable[[Aggregate], list[Grid]] = lambda _: []
    timed: bool = True
    adapt: Callable[[Sequence[Method], Sequence[Case], Path], list[Method]] = (
        lambda methods, _cases, _work: list(methods)
    )

    @property
    def metrics(self) -> tuple[str, ...]:
        """The wanted metrics, and those whose weights are available."""
        return (*self.wanted_metrics, *weighted_metrics())

    @property
    def extra(self) -> dict[str, ExtraMeasure]:
        """The table's own measures, for the runner; those without weights are left out."""
        available = weighted_metrics()
        measures = self.table_measures.items()
        return {name: m.score for name, m in measures if not m.weights or m.weights in available}

    def build(self, data: Path, work: Path, quick: bool, seed: int) -> list[Case]:
        """Writes inputs and references, and says which cases they make.

        Args:
            data: a dataset's folder, one that holds several, or any folder of clean photos.
            work: gets a folder for each dataset and degradation.
            quick: few photos, small crops, few values of a swept parameter.
            seed: of the degradations and the methods, >= 0.

        Raises:
            UsageError: a dataset is there in part, or nothing that this table can use.
            InputError: a photo cannot be read.
            OutputError: `work` cannot be written.
        """
        return self.cases(Setting(data, work, quick, seed))

    def render(self, run: Run, out: Path) -> None:
        """Writes plots, `tables.md` and `report.html` into `out`, beside those of other tables.

        Raises:
            UsageError: matplotlib is not installed.
            OutputError: a file cannot be written.
        """
        aggregate = Aggregate(run, self.name, self.table_measures)
        section = Section(self.name, self.title, self.source, self.reading)
        if aggregate.methods():
            section.grids.append(means_grid(aggregate, self.title))
            section.grids += paper_grids(aggregate, self.papers)
            cost = cost_grid(aggregate) if self.timed else []
            section.grids += [*self.grids(aggregate), *cost, *difference_grid(aggregate)]
            section.figures = [save(plot, self.name, out) for plot in self.plots(aggregate)]
            section.scenes = scenes_of(aggregate, out)
        section.notes = _notes(aggregate)
        write_report(section, run, out, ORDER)


def weighted_metrics() -> list[str]:
    """The metrics whose weights and packages are available."""
    folder = metrics_folder()
    return [
        name
        for weights in WEIGHTS
        if not any(missing(file, folder) for file in weights.files)
        and (not weights.extra or importlib.util.find_spec("pyiqa") is not None)
        for name in weights.metrics
        if name not in REDEGRADED
    ]


def _notes(aggregate: Aggregate) -> list[str]:
    """The notes of a table: selection, omissions and failures, each once."""
    chosen = [note_of(case.inputs) for case in aggregate.cases]
    wrong = [
        f"{f.method}, {f.case}{f' ({f.image})' if f.image else ''}: {f.error}"
        for f in aggregate.run.failures
        if f.table == aggregate.table
    ]
    return [note for note in dict.fromkeys([*chosen, *aggregate.run.notes, *wrong]) if note]


def make_case(
    table: str,
    setting: Setting,
    plan: Plan,
    degradation: str,
    options: RestoreOptions | None = None,
    *,
    parameter: str = "",
    value: float | None = None,
    label: str | None = None,
) -> Case:
    """A case with its folders written.

    Args:
        degradation: see `prepare.make_folders`.
        options: None takes those of the degradation (`options_for`).
        parameter, value: the swept parameter and its value.
        label: name of the degradation in tables; None takes its own name.
    """
    inputs, references = make_folders(setting.work, plan, degradation)
    options = options or options_for(degradation, plan)
    return Case(
        table,
        plan.dataset.name,
        label or degradation,
        inputs,
        references,
        replace(options, seed=setting.seed),
        parameter,
        value,
    )


def options_for(degradation: str, plan: Plan) -> RestoreOptions:
    """The task of a degradation: enlarging small inputs, colouring gray ones, else restoring.

    The options detect damage and correct tone only if the degradation has any.
    """
    scale = input_scale(plan, degradation)
    if scale > 1:
        return RestoreOptions(task="super-resolution", scale=float(scale))
    if degradation == "gray":
        return RestoreOptions(task="colorize", mask="none", strength=1.0)
    if degradation.removesuffix(COLOUR_TARGET) in (*SEVERITIES, "scratches+fading"):
        return RestoreOptions()
    return RestoreOptions(mask="none", tone="keep")
