from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from unfade.bench.cases import Case
from unfade.options import RestoreOptions

MakeCase = Callable[..., Case]
MakeProgram = Callable[[str], str]

#: A program of somebody else's: reads and writes with OpenCV.
_PROGRAM = """
import pathlib, sys, time
import cv2, numpy as np
source, target = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
for path in sorted(source.iterdir()):
    image = cv2.imread(str(path))
    {body}
"""


@pytest.fixture
def make_case(tmp_path: Path) -> MakeCase:
    """Writes clean photos and noisy ones as a case."""

    def make(
        name: str = "noise",
        *,
        images: tuple[str, ...] = ("a", "b", "c"),
        side: int = 48,
        scale: int = 1,
        options: RestoreOptions | None = None,
        gray: bool = False,
        methods: tuple[str, ...] = (),
        table: str = "table",
    ) -> Case:
        folder = tmp_path / "data" / table / name
        for i, image in enumerate(images):
            rng = np.random.default_rng(i)
            clean = cv2.resize(
                rng.integers(40, 216, (5, 5, 3), dtype=np.uint8),
                (side, side),
                interpolation=cv2.INTER_CUBIC,
            )
            if gray:
                clean = cv2.cvtColor(clean, cv2.COLOR_BGR2GRAY)
            small = cv2.resize(clean, (side // scale, side // scale))
            noisy = small + rng.normal(0, 12, small.shape)
            for kind, picture in (("hq", clean), ("lq", np.clip(noisy, 0, 255))):
                path = folder / kind / f"{image}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                assert cv2.imwrite(str(path), picture.astype(np.uint8))
        own = options or RestoreOptions(device="cpu")
        return Case(table, "Set", name, folder / "lq", folder / "hq", own, methods=methods)

    return make


@pytest.fixture
def make_program(tmp_path: Path) -> MakeProgram:
    """A command that does something with each `image` at `path`: BODY writes into `target`."""

    def make(body: str) -> str:
        script = tmp_path / f"program-{abs(hash(body))}.py"
        script.write_text(_PROGRAM.format(body=body.strip().replace("\n", "\n    ")))
        return f"'{sys.executable}' '{script}' {{input}} {{output}}"

    return make
