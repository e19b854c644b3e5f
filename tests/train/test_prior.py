from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from unfade.errors import UsageError
from unfade.models.compact import UnetConfig
from unfade.models.folder import BASE_PARTS, load_base
from unfade.train.loop import train

MakeTask = Callable[..., Any]


def test_sample_is_a_latent_with_noise_and_tokens(make_diffusion_task: MakeTask) -> None:
    task = make_diffusion_task("prior")
    steps: set[int] = set()
    for split, index in (*(("train", i) for i in range(8)), ("validation", 0)):
        sample = task.sample(split, index)
        assert sample["z0"].shape == sample["noise"].shape == (4, 4, 4)
        assert sample["tokens"].shape == (8,) and sample["tokens"].dtype == torch.int64
        assert 0 <= int(sample["t"]) < 1000
        steps.add(int(sample["t"]))
        again = task.sample(split, index)
        assert all(torch.equal(sample[k], again[k]) for k in sample)
    assert len(steps) > 5


def test_prompts_give_way_to_the_null_text_at_the_rate_of_the_recipe(
    make_diffusion_task: MakeTask,
) -> None:
    null = make_diffusion_task("prior", null=1.0)
    empty = null.tokenizer("", padding="max_length", max_length=8, return_tensors="pt").input_ids[0]
    assert all(torch.equal(null.sample("train", n)["tokens"], empty) for n in range(8))
    some = make_diffusion_task("prior", null=0.5)
    dropped = [torch.equal(some.sample("train", n)["tokens"], empty) for n in range(60)]
    assert 15 < sum(dropped) < 45
    never = make_diffusion_task("prior", null=0.0)
    assert not any(torch.equal(never.sample("train", n)["tokens"], empty) for n in range(8))


def test_unet_and_text_encoder_learn_and_the_autoencoder_does_not(
    make_diffusion_task: MakeTask,
) -> None:
    task = make_diffusion_task("prior")
    model = task.build()
    samples = [task.sample("train", n) for n in range(3)]
    batch = {k: torch.stack([s[k] for s in samples]) for k in samples[0]}
    task.loss(model, batch)[0].backward()
    for part in ("unet", "text_encoder"):
        grads = [p.grad for p in model[part].parameters() if p.grad is not None]
        assert sum(float(g.abs().sum()) for g in grads) > 0
    assert all(p.grad is None for p in task.vae.parameters())


def test_a_frozen_text_encoder_stays_as_it_was(
    make_diffusion_task: MakeTask, tmp_path: Path
) -> None:
    task = make_diffusion_task("prior", frozen_text=True)
    begun: Any = task.build()
    out: Any = train(task, task.recipe.loop, tmp_path / "run", start=begun)
    for name, same in (("text_encoder", True), ("unet", False)):
        pairs = zip(begun[name].parameters(), out[name].parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs) == same


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_loss_is_that_of_the_target_when_nothing_is_predicted(
    make_diffusion_task: MakeTask, prediction: str
) -> None:
    task = make_diffusion_task("prior", prediction=prediction)
    assert task.scheduler.config.prediction_type == prediction
    model = task.build()
    torch.nn.init.zeros_(model["unet"].conv_out.weight)
    torch.nn.init.zeros_(model["unet"].conv_out.bias)
    sample = {k: v[None] for k, v in task.sample("train", 0).items()}
    kept = task.schedule.alphas_cumprod[sample["t"]].view(-1, 1, 1, 1)
    v = kept.sqrt() * sample["noise"] - (1 - kept).sqrt() * sample["z0"]
    expected = sample["noise"] if prediction == "epsilon" else v
    torch.testing.assert_close(task.loss(model, sample)[0], expected.square().mean())


def test_export_is_a_complete_base_model_that_loads(
    make_diffusion_task: MakeTask, tmp_path: Path
) -> None:
    task = make_diffusion_task("prior")
    model = task.build().eval()
    figures = task.validate(model, tmp_path / "sheet.png")
    assert 0.1 < figures["shown_loss"] < 10
    assert (tmp_path / "sheet.png").stat().st_size > 500
    task.export(model, tmp_path / "base")
    assert all((tmp_path / "base" / part).is_dir() for part in BASE_PARTS)
    base = load_base(tmp_path / "base")
    assert len(base.tokenizer) == len(task.tokenizer)
    started = task.load(tmp_path / "base")
    for a, b in zip(model.parameters(), started.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("change", [{"latent_channels": 8}, {"text_width": 16}])
def test_task_refuses_networks_that_do_not_fit(
    make_diffusion_task: MakeTask, change: dict[str, int]
) -> None:
    unet = replace(UnetConfig(latent_channels=4, text_width=8), **change)
    with pytest.raises(UsageError, match=rf"unet\.{next(iter(change))}"):
        make_diffusion_task("prior", unet=unet)
