from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from unfade.train.tone import pale_photos

MakeTask = Callable[..., Any]


def test_samples_are_pairs_of_thumbnails_and_clean_as_often_as_the_recipe_says(
    make_task: MakeTask,
) -> None:
    task = make_task("tone")
    mono, faded = set[float](), set[bool]()
    for number in range(60):
        sample = task.sample("train", number)
        assert sample["lq"].shape == sample["hq"].shape == (3, 64, 64)
        assert sample["lq"].min() >= 0 and sample["lq"].max() <= 1
        assert torch.equal(sample["lq"], task.sample("train", number)["lq"])
        mono.add(float(sample["mono"]))
        faded.add(bool((sample["lq"] - sample["hq"]).abs().mean() > 0.012))
        if sample["mono"] > 0:
            assert (sample["hq"][0] - sample["hq"][2]).abs().max() < 1e-6
    assert mono == {0.0, 1.0} and faded == {False, True}
    samples = [task.sample("train", n) for n in range(150)]
    faded = np.mean([float((s["lq"] - s["hq"]).abs().mean() > 0.012) for s in samples])
    assert 0.3 < faded < 1 - task.recipe.clean + 0.1


def test_pale_photos_are_those_of_least_contrast_and_of_one_hue() -> None:
    rng = np.random.default_rng(0)
    thumbs = [rng.uniform(0, 1, (88, 88, 3)).astype(np.float32) for _ in range(25)]
    thumbs[3] = 0.5 + 0.1 * (thumbs[3] - 0.5)
    sepia = np.array([1, 0.7, 0.4], np.float32)
    thumbs[7] = thumbs[7].mean(2, keepdims=True) * sepia
    assert {3, 7} <= set(pale_photos(thumbs))
    assert len(pale_photos(thumbs)) <= 4


def test_gate_learns_whether_a_correction_helps(make_task: MakeTask) -> None:
    task = make_task("tone")
    net = task.build().eval()
    torch.nn.init.zeros_(net.head[-1].weight)  # it corrects nothing, whatever it sees
    bias = net.head[-1].bias
    clean = torch.rand(2, 3, 64, 64) * 0.8 + 0.1
    for value, helps in ((-8.0, False), (8.0, True)):
        bias.data[10] = value
        lq = clean if not helps else (net(clean)[0].apply(clean) * 0.4 + 0.3)
        _, figures = task.loss(net, {"lq": lq, "hq": clean, "mono": torch.zeros(2)})
        assert figures["gate"] == float(not helps)  # what corrects nothing never helps


def test_loss_is_small_for_an_untrained_network_on_clean_photos(make_task: MakeTask) -> None:
    torch.manual_seed(0)
    task = make_task("tone")
    image = torch.rand(2, 3, 64, 64) * 0.8 + 0.1
    batch = {"lq": image, "hq": image, "mono": torch.zeros(2)}
    loss, figures = task.loss(task.build().eval(), batch)
    assert loss < 0.05
    assert figures["gain_db"] == pytest.approx(0, abs=2)
