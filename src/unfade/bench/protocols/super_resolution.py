"""Protocol `super-resolution`: enlarging four times, against interpolation.

Crops of 256 pixels from the middle of photos that have them are reduced in two ways: "one round"
is blur (sigma 1.2), a quarter of the size (area), noise (sigma 8/255) and JPEG 60; "real-sr" is
the second-order recipe (arXiv 2107.10833). RGB, data range 1, no border cropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from unfade.bench.cases import Case
from unfade.bench.datasets import size_of
from unfade.bench.methods.base import Method
from unfade.bench.methods.classics import INTERPOLATIONS, Interpolation
from unfade.bench.methods.ours import Preset
from unfade.bench.protocols.base import Progress, Report
from unfade.bench.protocols.comparison import compare, middle, written_case
from unfade.bench.protocols.photos import photos_in, spread
from unfade.bench.tables.base import Setting, Table
from unfade.degrade import kernels, ops
from unfade.degrade.second_order import real_sr
from unfade.errors import UsageError
from unfade.eval.images import Image
from unfade.eval.measures import NAMES
from unfade.options import Auto, RestoreOptions
from unfade.rng import generator

NAME = "super-resolution"
SIDE, SCALE = 256, 4


@dataclass(frozen=True)
class Settings:
    """Settings of the protocol.

    Attributes:
        data: folder of undamaged photos.
        out: folder for results and the report.
        preset: name or folder of a preset.
        count: number of crops, spread evenly over the photos that are large enough.
        seed: of the degradations.
        strengths: of the diffusion model; 0 is the first stage alone.
        fidelity: of the diffusion model, and its posterior mean and VAE residual.
        device: as `Restorer.from_pretrained` has it.
    """

    data: Path
    out: Path
    preset: str = "compact"
    count: int | None = 60
    seed: int = 0
    strengths: tuple[float | Auto, ...] = (0.0,)
    fidelity: float | Auto = "auto"
    device: str = "auto"


def one_round(hq: Image, rng: np.random.Generator) -> Image:
    """(H, W, 3) -> (H / 4, W / 4, 3) by one blur, reduction, noise and compression."""
    blurred = kernels.apply(hq, kernels.gaussian(9, 1.2, 1.2))
    small = ops.resize(blurred, hq.shape[0] // SCALE, hq.shape[1] // SCALE, "area")
    return ops.jpeg(ops.gaussian_noise(small, 8 / 255, False, rng), 60)


def second_order(hq: Image, rng: np.random.Generator) -> Image:
    """(H, W, 3) -> (H / 4, W / 4, 3) by the second-order recipe."""
    return real_sr(hq, rng, SCALE).lq


def super_resolution(settings: Settings, progress: Progress | None = None) -> Report:
    """Runs the protocol.

    Raises:
        UsageError: no photo is large enough, or an option makes no sense.
        WeightsError: weights that are missing or damaged.
        OutputError: `settings.out` cannot be written.
    """
    photos = [p for p in photos_in(settings.data) if min(size_of(p)) >= SIDE]
    if not photos:
        expected = f"some with {SIDE} pixels or more a side"
        raise UsageError("small photos only", expected, "take larger ones", path=settings.data)
    photos = spread(photos, settings.count)

    def cases(setting: Setting) -> list[Case]:
        options = RestoreOptions(task="super-resolution", scale=float(SCALE))
        crops = [(path.stem, middle(path, SIDE)) for path in photos]
        return [
            written_case(
                NAME,
                setting.work,
                (settings.data.name, name),
                (
                    (stem, degrade(hq, generator(settings.seed, name, index)), hq)
                    for index, (stem, hq) in enumerate(crops)
                ),
                options,
            )
            for name, degrade in (("one round", one_round), ("real-sr", second_order))
        ]

    methods: list[Method] = [
        Interpolation("bicubic", INTERPOLATIONS["bicubic"]),
        Interpolation("lanczos", cv2.INTER_LANCZOS4),
    ]
    for strength in settings.strengths:
        fidelity = "auto" if strength == 0 else settings.fidelity
        given = {
            "strength": strength,
            "fidelity": fidelity,
            "posterior_mean": fidelity,
            "vae_residual": fidelity,
            "device": settings.device,
        }
        name = f"unfade, strength {strength if strength == 'auto' else f'{strength:g}'}"
        methods.append(Preset(name, {"preset": settings.preset, **given}))
    table = Table(
        NAME,
        "Super-resolution x4",
        "protocol of this project",
        "Crops made four times smaller in two ways, enlarged again.",
        cases,
        NAMES,
    )
    head: dict[str, object] = {
        "crops": len(photos),
        "data": settings.data.name,
        "side": SIDE,
        "seed": settings.seed,
        "preset": settings.preset,
        "fidelity": settings.fidelity,
    }
    return compare(table, methods, settings.data, settings.out, head, progress)[0]
