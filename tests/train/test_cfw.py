from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from unfade.data.sources import CleanPhoto
from unfade.diffusion.condition import decode, make_condition
from unfade.errors import WeightsError
from unfade.models.cfw import Cfw
from unfade.models.compact import build_controlnet
from unfade.models.folder import Base
from unfade.train.cfw import CfwRecipe, CfwTask
from unfade.train.diffusion_sampling import sample_z0

MakeTask = Callable[..., Any]


def batch_of(task: Any) -> dict[str, torch.Tensor]:
    samples = [task.sample("train", n) for n in range(2)]
    return {k: torch.stack([s[k] for s in samples]) for k in samples[0]}


def test_an_untrained_cfw_decodes_what_the_diffusion_makes(make_diffusion_task: MakeTask) -> None:
    task = make_diffusion_task("cfw")
    batch = batch_of(task)
    condition = make_condition(task.kind, batch["lq"], batch["mask"])
    made = sample_z0(
        task.schedule,
        task.base.unet,
        task.controlnet,
        batch["noise"],
        task.pairs.text(batch),
        condition,
        steps=2,
    )
    with torch.no_grad():
        expected = decode(task.base.vae, made)
        found = task.restored(task.build(), batch, 1.0)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_only_the_cfw_learns(make_diffusion_task: MakeTask) -> None:
    task = make_diffusion_task("cfw")
    cfw, batch = task.build(), batch_of(task)
    optimizer = torch.optim.Adam(cfw.parameters(), 1e-2)
    first = float(task.loss(cfw, batch)[0].detach())
    for _ in range(15):
        optimizer.zero_grad()
        task.loss(cfw, batch)[0].backward()
        optimizer.step()
    assert float(task.loss(cfw, batch)[0].detach()) < 0.9 * first
    for frozen in (task.base.vae, task.base.unet, task.base.text_encoder):
        assert all(p.grad is None for p in frozen.parameters())


def test_validate_and_export(make_diffusion_task: MakeTask, tmp_path: Path) -> None:
    task = make_diffusion_task("cfw")
    cfw = task.build()
    figures = task.validate(cfw, tmp_path / "sheet.png")
    assert abs(figures["shown_psnr"] - figures["shown_psnr_without"]) < 1e-3  # untrained
    assert (tmp_path / "sheet.png").stat().st_size > 1000
    task.export(cfw, tmp_path / "cfw")
    assert isinstance(task.load(tmp_path / "cfw"), Cfw)


def test_task_refuses_a_controlnet_of_another_base(
    photos: list[CleanPhoto], base: Base, cache: Path, tiny_sd: Base
) -> None:
    other = build_controlnet(tiny_sd.unet, widths=(4, 4, 8, 8))
    with pytest.raises(WeightsError, match="a ControlNet whose"):
        CfwTask(CfwRecipe(hidden=[8, 8]), photos, base, other, cache)
