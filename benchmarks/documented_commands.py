"""Runs the commands of the README and of docs/, and names those that it cannot run.

    python benchmarks/documented_commands.py [--only PAGE]

Each page gets a folder of its own, with small photos under the names that the pages use; its
commands run in order. Photos: scikit-image's astronaut (NASA), chelsea and coffee (CC0).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: What a command holds that cannot be run here -> why.
CANNOT = {
    "make ": "works in the repository itself: the continuous integration runs it",
    "pip install": "fetches packages; the continuous integration installs them",
    "python3 -m venv": "sets up another environment",
    ".venv": "the environment of a clone",
    "unfade serve": "runs until it is stopped; tests/web starts it",
    "curl": "needs a running page",
    "unfade caption": "needs the weights of BLIP; tests/cli/test_caption.py has tiny ones",
    "hf download": "fetches weights",
    "unfade train": "takes hours; tests/train runs each training on small networks",
    "--seal": "needs the results of a training",
    "--average": "needs the results of two trainings",
    "--preset FOLDER": "needs the results of a training",
    "--base sd": "needs Stable Diffusion; tests/cli/test_restore_sd.py has a tiny one",
    "--preset sd21": "needs the weights of Stable Diffusion",
    "readme_pictures.py": "replaces the pictures of the repository",
    "theirs": "another system's program",
    "Real-ESRGAN": "another system's program",
    "StableSR=": "another system's results",
    "restore_memory.py": "takes minutes and gigabytes",
    "restore_speed.py": "takes minutes",
    "accelerate launch": "takes hours; tests/train runs it on small networks",
    "nvidia-smi": "needs a GPU",
    "ray start": "starts a cluster; tests/archive starts one",
    "ray stop": "ends every Ray of the machine",
    "ray get-auth-token": "belongs to a cluster",
    "RAY_": "belongs to a cluster",
    "--address auto": "needs a cluster; tests/archive starts one",
    "s3://": "needs an object store; tests/archive starts one",
    "xdg-open": "opens a browser",
    "archive.py": "takes an hour",
}
LIMIT = 300.0  # seconds for one command


def commands(text: str) -> Iterator[str]:
    """The commands of a page's blocks of shell, each on one line and without its comment."""
    for language, block in re.findall(r"^ *```(\w+)\n(.*?)^ *```", text, re.M | re.S):
        if language not in ("sh", "console"):
            continue
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            line = line.strip()
            if language == "console":
                if not line.startswith("$ "):
                    continue
                line = line[2:]
            line = re.sub(r"\s#( .*)?$", "", line).strip()
            if line and not line.startswith("#"):
                yield line


def reason(command: str) -> str | None:
    """Why a command cannot be run, or None."""
    return next((why for part, why in CANNOT.items() if part in command), None)


def workspace(folder: Path) -> None:
    """Small photos under the names of the pages, and the repository's own folders."""
    import cv2
    import numpy as np
    from skimage import data

    def small(name: str, side: int) -> np.ndarray:
        picture = cv2.cvtColor(getattr(data, name)(), cv2.COLOR_RGB2BGR)
        scale = side / min(picture.shape[:2])
        return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)

    folders = ("scans", "clean", "old", "photos", "PHOTOS", "damaged", "DIV2K", "val", "train",
               "archive")  # fmt: skip
    for name in folders:
        (folder / name).mkdir()
        for photo in ("astronaut", "chelsea", "coffee"):
            cv2.imwrite(str(folder / name / f"{photo}.png"), small(photo, 288))
    for name in ("recipes", "benchmarks", "docs", "src"):
        (folder / name).symlink_to(ROOT / name)
    photo = small("astronaut", 192)
    gray = cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    cv2.line(photo, (20, 0), (80, 190), (240, 240, 240), 2)
    cv2.imwrite(str(folder / "print.jpg"), photo)
    cv2.imwrite(str(folder / "print.tif"), photo)
    cv2.imwrite(str(folder / "gray.jpg"), gray)
    cv2.imwrite(str(folder / "small.jpg"), small("chelsea", 96))
    for name in ("mask", "face", "dress", "wall"):
        mask = np.zeros(photo.shape[:2], np.uint8)
        mask[40:90, 50:120] = 255
        cv2.imwrite(str(folder / f"{name}.png"), mask)


@click.command(help=__doc__)
@click.option("--only", metavar="PAGE", help="The name of one page, such as photos.md.")
def main(only: str | None) -> None:
    failed = 0
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for page in PAGES:
        if only is not None and page.name != only:
            continue
        found = list(commands(page.read_text(encoding="utf-8")))
        if not found:
            continue
        click.echo(f"\n{page.relative_to(ROOT)}")
        with tempfile.TemporaryDirectory() as name:
            workspace(Path(name))
            for command in found:
                why = reason(command)
                if why is not None:
                    click.echo(f"  not run  {command}\n           ({why})")
                    continue
                started = time.perf_counter()
                done = subprocess.run(
                    command, shell=True, cwd=name, env={**os.environ, "PATH": path},
                    capture_output=True, text=True, timeout=LIMIT, check=False,
                )  # fmt: skip
                word = "ok     " if done.returncode == 0 else f"EXIT {done.returncode} "
                click.echo(f"  {word}  {command}  [{time.perf_counter() - started:.0f} s]")
                if done.returncode:
                    failed += 1
                    click.echo("    " + "\n    ".join(done.stderr.strip().splitlines()[-8:]))
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
