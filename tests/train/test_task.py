from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

TASKS = ("scratch", "stage1", "tone", "colour", "vae", "prior", "controlnet", "cfw")


@pytest.mark.parametrize("name", [*TASKS, "stage1, head alone"])
def test_every_weight_that_learns_gets_a_gradient_as_several_processes_need(
    make_task: Callable[..., Any], name: str
) -> None:
    task = make_task(name.split(",")[0])
    if name.endswith("alone"):
        task.recipe = replace(task.recipe, local=False)
    model = task.build().train()
    samples = [task.sample("train", number) for number in range(4)]
    task.loss(model, {k: torch.stack([s[k] for s in samples]) for k in samples[0]})[0].backward()
    learning = {n: p.grad for n, p in model.named_parameters() if p.requires_grad}
    assert learning and [n for n, grad in learning.items() if grad is None] == []
