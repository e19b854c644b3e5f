from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from unfade.data.pairs import PairOptions
from unfade.data.sources import CleanPhoto
from unfade.models.scratch import ScratchConfig
from unfade.models.stage1 import Stage1Config
from unfade.models.tone import ToneConfig
from unfade.train.options import LoopOptions, ScratchRecipe, Stage1Recipe, ToneRecipe
from unfade.train.scratch import ScratchTask
from unfade.train.stage1 import Stage1Task
from unfade.train.tone import ToneTask

LOOP = LoopOptions(
    steps=6, batch=2, rate=2e-3, warmup=2, workers=0, save_every=100, show_every=100
)  # fmt: skip
PAIRS = PairOptions(size=32)


@pytest.fixture(scope="session")
def photos() -> list[CleanPhoto]:
    """Six smooth random pictures of 40 x 50 pixels."""
    out: list[CleanPhoto] = []
    for i in range(6):
        rng = np.random.default_rng(i)
        coarse = rng.integers(20, 230, (4, 5, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (50, 40), interpolation=cv2.INTER_CUBIC)
        out.append(CleanPhoto(str(i), cv2.imencode(".png", image)[1].tobytes()))
    return out


@pytest.fixture
def make_task(photos: list[CleanPhoto]) -> Callable[..., Any]:
    """A task with a tiny network by name; further arguments change the loop's options."""

    def make(name: str, **loop: Any) -> Any:
        options = replace(LOOP, **loop)
        if name == "scratch":
            config = ScratchConfig([8] * 4, [1] * 4)
            return ScratchTask(ScratchRecipe(options, PAIRS, config), photos)
        if name == "stage1":
            return Stage1Task(
                Stage1Recipe(options, PAIRS, Stage1Config([8] * 4, [1] * 4)), photos
            )  # fmt: skip
        return ToneTask(ToneRecipe(options, ToneConfig([8] * 4, 16)), photos)

    return make
