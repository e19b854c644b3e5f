from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

MakeTask = Callable[..., Any]


def test_sample_is_a_pair_of_thumbnails(make_task: MakeTask) -> None:
    task = make_task("tone")
    seen = {"mono": set[float](), "faded": set[float]()}
    for number in range(60):
        sample = task.sample(number)
        assert sample["lq"].shape == sample["hq"].shape == (3, 64, 64)
        assert sample["lq"].min() >= 0 and sample["lq"].max() <= 1
        assert torch.equal(sample["lq"], task.sample(number)["lq"])
        for key, values in seen.items():
            values.add(float(sample[key]))
        if sample["mono"] > 0:
            assert (sample["hq"][0] - sample["hq"][2]).abs().max() < 1e-6
        if not sample["faded"]:
            assert (sample["lq"] - sample["hq"]).abs().mean() <= 0.0121
    assert seen == {"mono": {0.0, 1.0}, "faded": {0.0, 1.0}}


def test_samples_are_clean_as_often_as_the_recipe_says(make_task: MakeTask) -> None:
    task = make_task("tone")
    faded = np.mean([float(task.sample(n)["faded"]) for n in range(150)])
    assert 0.3 < faded < 1 - task.recipe.clean + 0.1


def test_loss_is_small_for_an_untrained_network_on_clean_photos(make_task: MakeTask) -> None:
    torch.manual_seed(0)
    task = make_task("tone")
    image = torch.rand(2, 3, 64, 64) * 0.8 + 0.1
    batch = {"lq": image, "hq": image, "mono": torch.zeros(2), "faded": torch.zeros(2)}
    loss, figures = task.loss(task.build().eval(), batch)
    assert loss < 0.05
    assert figures["gain_db"] == pytest.approx(0, abs=2)
