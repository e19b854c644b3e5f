"""Makes the pictures of the README: old photos, and new ones aged and restored by unfade itself.

    python benchmarks/readme_pictures.py [--images docs/images]

Photos: a portrait of about 1910 and a group of 1897, both in the public domain, from the examples
of the genealogy program Gramps; scikit-image's astronaut (NASA), rocket (NASA/SpaceX), coffee and
chelsea (CC0).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
import cv2
import numpy as np
from skimage import data

from unfade import Restorer
from unfade.degrade import degrade
from unfade.imaging import Metadata, Photo, read_photo, write_photo
from unfade.pipeline.first_stage import FirstStage
from unfade.rng import generator

# name, seed, severity
AGED = [
    ("astronaut", 11, "heavy"),
    ("chelsea", 5, "moderate"),
    ("rocket", 3, "heavy"),
    ("coffee", 8, "moderate"),
]

REAL = ["portrait-1910", "expedition-1897"]
PROMPT = "a man in a black suit, a brown background"
# Centre and half axes of ellipses in the photo of the cup, pixels.
SAUCER = (278, 232), (196, 158)
OPENING = (300, 98), (116, 90)


def photo(rgb: np.ndarray) -> Photo:
    """(H, W, 3) floats as an 8-bit photo."""
    native = np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)
    return Photo(native, None, Metadata(exif=None, icc=None, xmp=None, dpi=None, format="JPEG"))


def panel(native: np.ndarray, height: int) -> np.ndarray:
    """Scaled to a height, with a thin white edge."""
    width = round(native.shape[1] * height / native.shape[0])
    small = cv2.resize(native, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.copyMakeBorder(small, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(255, 255, 255))


def gray_photo(rgb: np.ndarray) -> Photo:
    """(H, W, 3) bytes, without its colours."""
    gray = cv2.cvtColor(rgb[..., :3], cv2.COLOR_RGB2GRAY)
    return photo(np.repeat(gray[..., None], 3, 2) / np.float32(255))


def coloured(images: Path) -> np.ndarray:
    """Gray photos, their colours without a prompt, and with a prompt or a painted region."""
    restorer = Restorer.from_pretrained("compact")
    old = gray_photo(read_photo(images / f"{REAL[0]}.jpg").native)
    cup = gray_photo(data.coffee())
    with tempfile.TemporaryDirectory() as folder:
        mask = Path(folder) / "saucer.png"
        plane = np.zeros(cup.native.shape[:2], np.uint8)
        cv2.ellipse(plane, *SAUCER, 0, 0, 360, 255, -1)
        cv2.imwrite(str(mask), cv2.ellipse(plane, *OPENING, 0, 0, 360, 0, -1))
        painted = restorer.restore(cup, task="colorize", mask="none", colours=[(mask, "red")])
    named = restorer.restore(old, task="colorize", mask="none", prompt=PROMPT)
    rows: list[np.ndarray] = []
    for source, last in ((old, named), (cup, painted)):
        plain = restorer.restore(source, task="colorize", mask="none")
        shown = (source.native, plain.image.native, last.image.native)
        rows.append(np.concatenate([panel(native, 300) for native in shown], 1))
    width = max(row.shape[1] for row in rows)
    wide = [np.pad(r, ((0, 0), (0, width - r.shape[1]), (0, 0)), constant_values=255) for r in rows]
    return np.concatenate(wide)


@click.command(help=__doc__)
@click.option("--images", default="docs/images", type=click.Path(path_type=Path))
def main(images: Path) -> None:
    images.mkdir(parents=True, exist_ok=True)
    mender = FirstStage.from_pretrained("compact")
    for name in REAL:
        old = read_photo(images / f"{name}.jpg")
        mask = mender.detect(old, tile=1024)
        done = mender.restore(old, mask, only_damage=False, tone="auto", tile=1024, threshold=None)
        row = np.concatenate([panel(p.native, 420) for p in (old, done)], 1)
        write_photo(images / f"{name}-restored.jpg", photo(row.astype(np.float32) / 255))
    write_photo(images / "colours.jpg", photo(coloured(images) / np.float32(255)))
    for name, seed, severity in AGED:
        clean = getattr(data, name)().astype(np.float32) / np.float32(255)
        aged = photo(degrade(clean, generator(seed, "degrade"), level=severity).lq)
        mask = mender.detect(aged, tile=1024)
        done = mender.restore(aged, mask, only_damage=False, tone="auto", tile=1024, threshold=None)
        found = np.repeat((mask >= mender.threshold * 255).astype(np.uint8)[..., None] * 255, 3, 2)
        if name == "astronaut":
            write_photo(images / "example-aged.jpg", aged)
        row = np.concatenate([panel(p, 420) for p in (aged.native, found, done.native)], 1)
        write_photo(images / f"{name}.jpg", photo(row.astype(np.float32) / 255))
        click.echo(f"{name}: {100 * found[..., 0].mean() / 255:.1f} % found")


if __name__ == "__main__":
    main()
