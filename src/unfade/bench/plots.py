"""Draws the plots of a table with matplotlib: curves, scatters, spectra."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import unfade.manifest as manifests
from unfade.bench.aggregate import Aggregate
from unfade.bench.sections import Figure
from unfade.errors import UsageError
from unfade.files import atomic_file

FOLDER = "plots"
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
_MARKS = ("o", "s", "^", "D", "v", "P", "X")
_MANY = 12  # points of a line, from which they have no marks
_STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "path",  # the same letters everywhere
    "svg.hashsalt": "unfade",  # the same file for the same figures
}


@dataclass(frozen=True)
class Line:
    """Points of one series, with the ends of their intervals where they have any.

    Attributes:
        level: whether it is one value that knows no x: a dashed line all across.
    """

    label: str
    x: list[float]
    y: list[float]
    low: list[float] | None = None
    high: list[float] | None = None
    level: bool = False


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        lines: joined by lines where `joined`, else points.
        log: which axes are logarithmic, some of "xy".
    """

    x: str
    y: str
    lines: list[Line]
    title: str = ""
    joined: bool = True
    log: str = ""


@dataclass(frozen=True)
class Plot:
    """Panels side by side."""

    stem: str
    title: str
    text: str
    panels: list[Panel]


def require_matplotlib() -> None:
    """UsageError if there is no matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        fix = "pip install '.[tables]' in a clone of unfade"
        raise UsageError("no matplotlib", "matplotlib to draw plots", fix)


def curves(
    aggregate: Aggregate, stem: str, x: str, metrics: Sequence[str], *, log: str = ""
) -> list[Plot]:
    """Metrics over the swept parameter: a panel each, a line for each method and degradation.

    Methods without the parameter are levels.
    """
    panels: list[Panel] = []
    for name in metrics:
        if name in aggregate.measures:
            lines = _swept_lines(aggregate, name)
            if any(len(line.x) > 1 for line in lines):
                lines += _levels(aggregate, name)
                panels.append(Panel(x, aggregate.measures[name].heading, lines, log=log))
    text = f"{', '.join(panel.y for panel in panels)} over {x}, with 95 % intervals"
    return [Plot(stem, f"{x}: {len(panels)} metrics", text, panels)] if panels else []


def _swept_lines(aggregate: Aggregate, metric: str) -> list[Line]:
    cases = [case for case in aggregate.cases if case.value is not None]
    kinds = list(dict.fromkeys((case.dataset, case.degradation) for case in cases))
    lines: list[Line] = []
    for method in aggregate.methods(cases):
        for kind in kinds:
            kind_cases = [case for case in cases if (case.dataset, case.degradation) == kind]
            points = [(c.value, aggregate.estimate([c], method, metric)) for c in kind_cases]
            measured = [(x, e) for x, e in points if x is not None and e.count]
            label = method if len(kinds) == 1 else f"{method}, {kind[1]}"
            lines.append(
                Line(
                    label,
                    [x for x, _ in measured],
                    [e.mean for _, e in measured],
                    [e.low for _, e in measured],
                    [e.high for _, e in measured],
                )
            )
    return lines


def _levels(aggregate: Aggregate, metric: str) -> list[Line]:
    cases = [case for case in aggregate.cases if case.value is None]
    sets = list(dict.fromkeys(case.dataset for case in cases))
    lines: list[Line] = []
    for method in aggregate.methods(cases):
        for dataset in sets:
            set_cases = [case for case in cases if case.dataset == dataset]
            value = aggregate.estimate(set_cases, method, metric)
            label = method if len(sets) == 1 else f"{method}, {dataset}"
            if value.count:
                lines.append(Line(label, [], [value.mean], level=True))
    return lines


def scatter(aggregate: Aggregate, stem: str, x: str, y: str, title: str) -> list[Plot]:
    """One metric against another: a panel for each case, a point for each method."""
    if x not in aggregate.measures or y not in aggregate.measures:
        return []
    panels: list[Panel] = []
    for group in aggregate.groups:
        points: list[Line] = []
        for method in aggregate.methods(group.cases):
            right, high = (aggregate.estimate(group.cases, method, name) for name in (x, y))
            if right.count and high.count:
                points.append(Line(method, [right.mean], [high.mean]))
        across, up = (aggregate.measures[name].heading for name in (x, y))
        panels.append(Panel(across, up, points, group.label, joined=False))
    text = f"{title}: one point for each method"
    return [Plot(stem, title, text, panels)] if panels else []


def save(plot: Plot, table: str, out: Path) -> Figure:
    """Draws a plot into OUT/plots, as SVG and PNG.

    Raises:
        UsageError: matplotlib is not installed.
        OutputError: a file cannot be written.
    """
    require_matplotlib()
    matplotlib: Any = importlib.import_module("matplotlib")
    figures: Any = importlib.import_module("matplotlib.figure")
    folder = out / FOLDER
    manifests.make_folder(folder)
    stem = f"{table}-{plot.stem}"
    with matplotlib.rc_context(_STYLE):
        across = min(3, len(plot.panels))
        down = -(-len(plot.panels) // across)
        figure: Any = figures.Figure(figsize=(3.6 * across, 3.0 * down), layout="constrained")
        lines = [line for panel in plot.panels for line in panel.lines]
        labels = list(dict.fromkeys(line.label for line in lines))
        for index, panel in enumerate(plot.panels):
            _draw(figure.add_subplot(down, across, index + 1), panel, labels)
        levels = {line.label for line in lines if line.level}
        _legend(figure, labels, levels, joined=plot.panels[0].joined)
        for suffix in ("svg", "png"):
            metadata = {"Date": None} if suffix == "svg" else None
            with atomic_file(folder / f"{stem}.{suffix}") as file:
                figure.savefig(file, format=suffix, dpi=150, metadata=metadata)
    return Figure(stem, plot.title, plot.text)


def _draw(axes: Any, panel: Panel, labels: Sequence[str]) -> None:
    for line in panel.lines:
        look = _look(labels.index(line.label), joined=panel.joined, level=line.level)
        if line.level:
            axes.axhline(line.y[0], **look)
            continue
        if len(line.x) > _MANY:
            look["marker"] = ""
        axes.plot(line.x, line.y, **look)
        if line.low is not None and line.high is not None:
            axes.fill_between(
                line.x, line.low, line.high, color=look["color"], alpha=0.12, linewidth=0
            )
    if not panel.joined:
        axes.margins(0.2)
    for axis in panel.log:
        getattr(axes, f"set_{axis}scale")("log")
    axes.set_xlabel(panel.x)
    axes.set_ylabel(panel.y)
    if panel.title:
        axes.set_title(panel.title, fontsize=9)


def _look(index: int, *, joined: bool, level: bool = False) -> dict[str, Any]:
    """Of one series; hollow marks, so that one behind another shows."""
    size = 4 if joined else 7 + index % 3
    if level:
        colour = _COLOURS[index % len(_COLOURS)]
        return {"color": colour, "linestyle": "--", "linewidth": 1.2, "marker": ""}
    return {
        "color": _COLOURS[index % len(_COLOURS)], "marker": _MARKS[index % len(_MARKS)],
        "linestyle": "-" if joined else "none", "linewidth": 1.4, "markersize": size,
        "markerfacecolor": "none", "markeredgewidth": 1.6,
    }  # fmt: skip


def _legend(figure: Any, labels: Sequence[str], levels: Collection[str], *, joined: bool) -> None:
    """One for all panels, below them."""
    lines: Any = importlib.import_module("matplotlib.lines")
    handles = [
        lines.Line2D([], [], label=label, **_look(index, joined=joined, level=label in levels))
        for index, label in enumerate(labels)
    ]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=min(4, len(labels)), fontsize=8
    )
