"""Protocol `diffusion`: what the diffusion model adds to the first stage on old photos.

The middles of photos are degraded by the old-photo recipe and restored by the classical pipeline,
by the first stage alone and by the diffusion model after it, at each strength and fidelity. The
target is the recipe's, gray where it took all colour. RGB, data range 1, no border cropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unfade.bench.aggregate import Aggregate
from unfade.bench.cases import Case
from unfade.bench.methods.base import Method
from unfade.bench.methods.classics import INTERPOLATIONS, Classical, Interpolation
from unfade.bench.methods.ours import Preset
from unfade.bench.protocols.base import Progress, Report
from unfade.bench.protocols.comparison import compare, middle, written_case
from unfade.bench.protocols.photos import photos_in
from unfade.bench.sections import Cell, Grid, signed
from unfade.bench.tables.base import Setting, Table
from unfade.degrade import degrade
from unfade.eval.statistics import Estimate
from unfade.options import Auto, Reach, RestoreOptions
from unfade.rng import generator

NAME = "diffusion"
FIRST = "first stage"
METRICS = ("psnr", "ssim", "gmsd", "alignment", "niqe", "patch-fd", "patch-kd")
LARGEST_LOSS = 1.0  # dB that a variant may lose and still be called better
MAX_LOSS_FAITHFUL = 0.0  # dB, at fidelity 1


@dataclass(frozen=True)
class Settings:
    """Settings of the protocol.

    Attributes:
        data: folder of undamaged photos.
        out: folder for results and the report.
        preset: name or folder of a preset.
        count: number of photos, spread evenly over the sorted names.
        side: of the middles, pixels; None takes whole photos.
        seed: of degradations and sampling.
        level: severity, a name of `unfade.degrade.SEVERITIES`.
        strengths, fidelities: every combination is one variant.
        reach: where the diffusion model acts.
        steps: of sampling.
        device: as `Restorer.from_pretrained` has it.
    """

    data: Path
    out: Path
    preset: str = "compact"
    count: int | None = 30
    side: int | None = 256
    seed: int = 0
    level: str = "moderate"
    strengths: tuple[float | Auto, ...] = ("auto", 0.2, 0.4)
    fidelities: tuple[float | Auto, ...] = (0.5, 1.0)
    reach: Reach = "damage"
    steps: int | Auto = "auto"
    device: str = "auto"


def diffusion(settings: Settings, progress: Progress | None = None) -> Report:
    """Runs the protocol; see `super_resolution` for what is raised."""
    files = photos_in(settings.data, settings.count)
    variants: dict[str, float | Auto] = {}  # name -> fidelity
    methods: list[Method] = [
        Interpolation("input", INTERPOLATIONS["input"]),
        Classical("classical"),
        Preset(FIRST, {"preset": settings.preset, "strength": 0.0, "device": settings.device}),
    ]
    for strength in settings.strengths:
        for fidelity in settings.fidelities:
            name = f"strength {_text(strength)}, fidelity {_text(fidelity)}"
            variants[name] = fidelity
            methods.append(Preset(name, {
                "preset": settings.preset, "strength": strength, "fidelity": fidelity,
                "posterior_mean": fidelity, "vae_residual": fidelity, "reach": settings.reach,
                "steps": settings.steps, "device": settings.device,
            }))  # fmt: skip

    def cases(setting: Setting) -> list[Case]:
        pairs = (
            (
                path.stem,
                degrade(
                    middle(path, settings.side),
                    generator(settings.seed, path.stem),
                    level=settings.level,
                ),
            )
            for path in files
        )
        names = settings.data.name, settings.level
        options = RestoreOptions(seed=settings.seed)
        images = ((stem, pair.lq, pair.hq) for stem, pair in pairs)
        return [written_case(NAME, setting.work, names, images, options)]

    table = Table(
        NAME,
        "The diffusion model after the first stage",
        "protocol of this project",
        "Photos degraded by the old-photo recipe, restored with and without the diffusion model.",
        cases,
        METRICS,
        grids=lambda aggregate: [_verdict(aggregate, variants)],
    )
    head: dict[str, object] = {
        "photos": len(files), "data": settings.data.name, "side": settings.side or "whole",
        "seed": settings.seed, "level": settings.level, "preset": settings.preset,
        "reach": settings.reach, "steps": settings.steps,
    }  # fmt: skip
    return compare(table, methods, settings.data, settings.out, head, progress)[0]


def _text(value: float | Auto) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _verdict(aggregate: Aggregate, variants: dict[str, float | Auto]) -> Grid:
    """Each variant less the first stage.

    A variant is better where both perceptual metrics are, and its PSNR is not behind at fidelity
    1, else by LARGEST_LOSS at most.
    """
    rows: list[list[Cell]] = []
    first = _means(aggregate, FIRST)
    for name, fidelity in variants.items():
        if not aggregate.count(aggregate.cases, name):
            continue
        niqe, distance, psnr = (
            variant.mean - base.mean
            for variant, base in zip(_means(aggregate, name), first, strict=True)
        )
        loss = MAX_LOSS_FAITHFUL if fidelity == 1 else LARGEST_LOSS
        better = niqe < 0 and distance < 0 and psnr >= -loss
        cells = [signed(niqe, 3), signed(distance, 3), signed(psnr, 2)]
        rows.append([Cell(name), *cells, Cell("yes" if better else "no")])
    columns = ["variant", "NIQE", "patch Fréchet", "PSNR (dB)", "better"]
    note = (
        "Better: both perceptual metrics are lower, and PSNR is not behind at fidelity 1, else by "
        f"{LARGEST_LOSS:g} dB at most."
    )
    return Grid(f"Variants less the {FIRST}", columns, rows, note)


def _means(aggregate: Aggregate, method: str) -> Sequence[Estimate]:
    metrics = ("niqe", "patch-fd", "psnr")
    return [aggregate.estimate(aggregate.cases, method, metric) for metric in metrics]
