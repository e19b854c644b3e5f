"""Detection and mending on held-out photos, aged with a fixed seed, against baselines.

    python benchmarks/old_photo.py --data PHOTOS [--count 100] [--seed 0] [--json FILE]

Every figure comes from one run on the same inputs. The photos are aged by the old-photo recipe
(moderate) and rounded to 8 bits. There are two tables: against the target that the recipe gives,
which is gray where ageing took all colour, for mending gives none back; and against the photo
itself, in colour, where what nobody can know weighs on every method alike. PSNR and SSIM: RGB,
data range 1, no border cropped, mean over photos. F1 is pooled over all pixels.
The last line says where the aligned square error that is left lies: the mean of the photos' shares.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import cv2
import numpy as np

from unfade.degrade import degrade
from unfade.eval import metrics
from unfade.eval.classical import classical
from unfade.imaging import Metadata, Photo, read_photo
from unfade.pipeline.first_stage import FirstStage
from unfade.rng import generator

METHODS = ("input", "classical", "unfade", "unfade, true mask")
TARGETS = ("the recipe's target", "the photo in colour")
FIGURES = ("psnr", "ssim", "psnr aligned", "ssim aligned")


def picked(folder: Path, count: int) -> list[Path]:
    """`count` photos spread evenly over the sorted names."""
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".png"))
    places = np.unique(np.linspace(0, len(files) - 1, min(count, len(files))).round().astype(int))
    return [files[i] for i in places]


def whole(photo: Photo) -> np.ndarray:
    """(H, W, 3) float32."""
    return photo.srgb(slice(0, photo.height), slice(0, photo.width))


def as_photo(rgb: np.ndarray) -> Photo:
    """A photo in memory from (H, W, 3) floats, rounded to 8 bits."""
    native = np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)
    return Photo(native, None, Metadata(exif=None, icc=None, xmp=None, dpi=None, format="PNG"))


def shares(
    image: np.ndarray, target: np.ndarray, found: np.ndarray, true: np.ndarray
) -> list[float]:
    """Of the aligned square error: in damage found, in damage missed, in false alarms, elsewhere.

    image, target: (H, W, 3); found, true: (H, W) bool.
    """
    error = np.square(metrics.aligned(image, target) - target).mean(2)  # (H, W)
    places = (found & true, ~found & true, found & ~true, ~found & ~true)
    return [float(error[place].sum() / error.sum()) for place in places]


def figures(image: np.ndarray, target: np.ndarray) -> list[float]:
    """The four figures of one image."""
    fit = metrics.aligned(image, target)
    return [
        metrics.psnr(image, target), metrics.ssim(image, target),
        metrics.psnr(fit, target), metrics.ssim(fit, target),
    ]  # fmt: skip


@click.command(help=__doc__)
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--preset", default="compact")
@click.option("--count", default=100)
@click.option("--seed", default=0)
@click.option("--tile", default=1024)
@click.option("--severity", default="moderate")
@click.option("--thresholds", is_flag=True, help="Also F1 and false alarms at other thresholds.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the figures too.")
def main(
    data: Path, preset: str, count: int, seed: int, tile: int, severity: str, thresholds: bool,
    out: Path | None,
) -> None:  # fmt: skip
    mender = FirstStage.from_pretrained(preset)
    rows = {t: {m: list[list[float]]() for m in METHODS} for t in TARGETS}
    limits = np.arange(0.3, 0.96, 0.05) if thresholds else np.array([mender.threshold])
    strict, loose = np.zeros((len(limits), 4), np.int64), np.zeros((len(limits), 4), np.int64)
    alarms: list[list[float]] = []
    clean: list[float] = []
    places: list[list[float]] = []
    files = picked(data, count)
    for number, path in enumerate(files):
        hq = whole(read_photo(path))
        pair = degrade(hq, generator(seed, "bench", number), level=severity)
        photo = as_photo(pair.lq)
        lq = whole(photo)
        soft = mender.detect(photo, tile=tile)
        untouched = as_photo(hq)
        calm = mender.detect(untouched, tile=tile)
        for i, limit in enumerate(limits):
            strict[i] += metrics.f1(soft >= limit * 255, pair.mask > 0)
            loose[i] += metrics.f1(soft >= limit * 255, pair.mask > 0, 1)
        alarms.append([float((calm >= limit * 255).mean()) for limit in limits])
        true = np.rint(pair.mask * 255).astype(np.uint8)

        def mend(p: Photo, mask: np.ndarray) -> np.ndarray:
            done = mender.restore(
                p, mask, only_damage=False, tone="auto", tile=tile, threshold=None
            )
            return whole(done)

        hole = (soft >= mender.threshold * 255).astype(np.uint8)
        old_school = classical(photo.native.astype(np.uint8), hole).astype(np.float32) / 255
        results = (lq, old_school, mend(photo, soft), mend(photo, true))
        for method, image in zip(METHODS, results, strict=True):
            for target, clear in zip(TARGETS, (pair.hq, hq), strict=True):
                rows[target][method].append(figures(image, clear))
        places.append(shares(results[2], pair.hq, hole > 0, pair.mask > 0))
        clean.append(metrics.psnr(mend(untouched, calm), hq))
        click.echo(f"\r{number + 1}/{len(files)} {path.name:30s}", err=True, nl=False)
    click.echo("", err=True)
    tables = {t: {m: np.array(v) for m, v in of.items()} for t, of in rows.items()}
    report_detection(limits, strict, loose, np.array(alarms), mender.threshold)
    for target, table in tables.items():
        report_mending(table, target)
    kept = np.array(clean)
    click.echo(
        f"\nclean photos to themselves: mean {np.minimum(kept, 80).mean():.2f} dB, "
        f"worst {kept.min():.2f} dB, below 38 dB: {(kept < 38).sum()}"
    )
    found, missed, false, sound = 100 * np.array(places).mean(0)
    click.echo(
        f"error left: {found:.0f} % in damage that was found, {missed:.0f} % in what was missed, "
        f"{false:.0f} % in false alarms, {sound:.0f} % in sound pixels"
    )
    if out:
        means = {
            t: {
                m: dict(zip(FIGURES, v.mean(0).round(4).tolist(), strict=True))
                for m, v in of.items()
            }
            for t, of in tables.items()
        }
        out.write_text(json.dumps({"photos": [p.name for p in files], "mean": means}, indent=2))


def report_detection(
    limits: np.ndarray, strict: np.ndarray, loose: np.ndarray, alarms: np.ndarray, default: float
) -> None:
    """Prints what the detector found and what it should not have."""
    click.echo("| threshold | precision | recall | F1 | F1 (1 px) | flagged on undamaged | worst |")
    click.echo("| --- | --- | --- | --- | --- | --- | --- |")
    for i, limit in enumerate(limits):
        p, r, f = metrics.pooled_f1(strict[i])
        _, _, g = metrics.pooled_f1(loose[i])
        flag = 100 * alarms[:, i]
        click.echo(
            f"| {limit:.2f} | {p:.3f} | {r:.3f} | {f:.3f} | {g:.3f} "
            f"| {flag.mean():.2f} % | {flag.max():.1f} % |"
        )
    click.echo(f"(default threshold {default})")


def report_mending(table: dict[str, np.ndarray], target: str) -> None:
    """Prints the figures against one target, and the gains in aligned PSNR."""
    click.echo(f"\nagainst {target}:\n")
    click.echo("| method | " + " | ".join(FIGURES) + " |")
    click.echo("| --- " * 5 + "|")
    for method, values in table.items():
        m = values.mean(0)
        click.echo(f"| {method} | {m[0]:.2f} | {m[1]:.4f} | {m[2]:.2f} | {m[3]:.4f} |")
    for other in ("input", "classical"):
        gain = table["unfade"] - table[other]
        click.echo(
            f"over {other}: PSNR {gain[:, 0].mean():+.2f} dB, aligned {gain[:, 2].mean():+.2f} dB "
            f"(worst {gain[:, 2].min():+.2f}, more than 0.5 dB below: "
            f"{(gain[:, 2] < -0.5).sum()} of {len(gain)}), SSIM {gain[:, 1].mean():+.4f}"
        )


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
