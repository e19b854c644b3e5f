from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from unfade.data.enlarging import SmallOptions
from unfade.data.sources import CleanPhoto
from unfade.errors import UsageError
from unfade.models.enlarger import EnlargerConfig, bicubic
from unfade.train.enlarger import EnlargerTask, enlarging_loss
from unfade.train.loop import train
from unfade.train.losses import dissimilarity
from unfade.train.options import EnlargerRecipe, LoopOptions

RECIPE = EnlargerRecipe(
    loop=LoopOptions(
        steps=40,
        batch=4,
        rate=3e-3,
        warmup=2,
        workers=0,
        save_every=100,
        validate_every=40,
        ema=0.5,
        precision="fp32",
    ),
    pairs=SmallOptions(size=64),
    model=EnlargerConfig([8, 8], [1, 1], hidden=8),
)


@pytest.fixture
def task(photos: list[CleanPhoto]) -> EnlargerTask:
    return EnlargerTask(RECIPE, photos)


def test_enlarger_gains_over_bicubic_when_trained(task: EnlargerTask, tmp_path: Path) -> None:
    train(task, RECIPE.loop, tmp_path)
    assert list(tmp_path.glob("sheet-*.png"))
    torch.manual_seed(0)
    model = train(task, RECIPE.loop, tmp_path)  # it is done: what it has made is loaded
    samples = [task.sample("train", 1000 + i) for i in range(16)]
    lq, hq = (torch.stack([s[k] for s in samples]) for k in ("lq", "hq"))
    with torch.no_grad():
        errors = [(x - hq).square().mean() for x in (model(lq), bicubic(lq))]
    assert errors[0] < 0.98 * errors[1]


def test_loss_is_least_when_the_photo_is_right() -> None:
    torch.manual_seed(0)
    target = torch.rand(2, 3, 16, 16)
    near, far = (target + s * torch.randn_like(target) for s in (0.02, 0.1))
    losses = [float(enlarging_loss(x, target)) for x in (target, near, far)]
    assert losses == sorted(losses) and losses[0] < losses[1]


def test_task_says_what_fits_when_crops_do_not(photos: list[CleanPhoto]) -> None:
    with pytest.raises(UsageError, match="multiple of 64"):
        EnlargerTask(replace(RECIPE, pairs=SmallOptions(size=100)), photos)


def test_loss_counts_lost_structure_when_the_recipe_weighs_it(
    photos: list[CleanPhoto], task: EnlargerTask
) -> None:
    batch = {k: torch.stack([task.sample("train", i)[k] for i in range(2)]) for k in ("lq", "hq")}
    model = task.build()
    plain = float(task.loss(model, batch)[0])
    weighed = float(EnlargerTask(replace(RECIPE, structure=0.5), photos).loss(model, batch)[0])
    lost = float(dissimilarity(bicubic(batch["lq"]), batch["hq"]))  # untrained, it is bicubic
    assert weighed == pytest.approx(plain + 0.5 * lost, abs=1e-5) and lost > 0.01
