from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from unfade.diffusion.predict import predict
from unfade.diffusion.schedule import q_sample
from unfade.errors import UsageError
from unfade.models.folder import Base
from unfade.models.scaled_controlnet import ScaledControlNet
from unfade.train.controlnet import ControlnetTask
from unfade.train.loop import train

MakeTask = Callable[..., Any]


def batch_of(task: Any, count: int = 4) -> dict[str, torch.Tensor]:
    samples = [task.sample("train", n) for n in range(count)]
    return {k: torch.stack([s[k] for s in samples]) for k in samples[0]}


class Plain(ControlnetTask):
    """Eq. 2 and nothing else."""

    def loss(self, model: Any, batch: Any) -> Any:
        zt = q_sample(self.schedule, batch["z0"], batch["noise"], batch["t"])
        condition = torch.cat([batch["lq"], batch["mask"]], 1)
        out = predict(self.base.unet, model, zt, batch["t"], self.pairs.text(batch), condition)
        return F.mse_loss(out.float(), batch["noise"]), {}


def test_training_is_plain_bit_for_bit_where_samples_keep_their_photo_and_other_where_they_swap(
    make_diffusion_task: MakeTask, tmp_path: Path
) -> None:
    for name, p_iide in (("iide", 1.0), ("plain", 1.0), ("swap", 0.0)):
        task = make_diffusion_task("controlnet", p_iide=p_iide)
        if name == "plain":
            task.__class__ = Plain
        train(task, task.recipe.loop, tmp_path / name)
    iide, plain, swap = (
        load_file(tmp_path / n / "state.safetensors") for n in ("iide", "plain", "swap")
    )
    assert all(torch.equal(iide[k], plain[k]) for k in iide | plain)
    assert any(not torch.equal(iide[k], swap[k]) for k in iide)


@pytest.mark.parametrize("space", ["pixel", "latent"])
def test_gradients_reach_the_controlnet_and_nothing_else(
    make_diffusion_task: MakeTask, base: Base, make_controlnet: MakeTask, space: str
) -> None:
    task = make_diffusion_task("controlnet", space=space, p_iide=0.5)
    controlnet = make_controlnet(space)
    batch = batch_of(task)
    assert batch["swap"].any() and not batch["swap"].all()
    task.loss(controlnet, batch)[0].backward()
    for name, parameter in controlnet.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name
    for frozen in (base.vae, base.unet, base.text_encoder):
        assert all(p.grad is None and not p.requires_grad for p in frozen.parameters())


def test_an_untrained_controlnet_has_the_loss_of_the_base_model(
    make_diffusion_task: MakeTask, base: Base
) -> None:
    task = make_diffusion_task("controlnet")
    batch = batch_of(task)
    zt = q_sample(task.schedule, batch["z0"], batch["noise"], batch["t"])
    alone = predict(base.unet, None, zt, batch["t"], task.pairs.text(batch), None)
    loss = task.loss(task.build(), batch)[0]
    assert torch.equal(loss, F.mse_loss(alone, batch["noise"]))


def test_samples_differ_in_nothing_but_the_swap_when_p_iide_does(
    make_diffusion_task: MakeTask,
) -> None:
    always, never = (make_diffusion_task("controlnet", p_iide=p) for p in (1.0, 0.0))
    for number in range(5):
        one, other = always.sample("train", number), never.sample("train", number)
        assert not one.pop("swap") and other.pop("swap")
        assert all(torch.equal(one[k], other[k]) for k in one)


def test_timesteps_are_late_when_the_recipe_asks_for_all_of_them(
    make_diffusion_task: MakeTask,
) -> None:
    plain, late, half = (make_diffusion_task("controlnet", late=s) for s in (0.0, 1.0, 0.5))
    steps = plain.schedule.steps
    times = [[int(task.sample("train", n)["t"]) for n in range(40)] for task in (plain, late, half)]
    assert min(times[0]) < steps // 2 and min(times[1]) >= steps - steps // 10
    moved = [x != y for x, y in zip(times[0], times[2], strict=True)]
    assert 8 <= sum(moved) <= 32
    assert all(t >= steps - steps // 10 for t, m in zip(times[2], moved, strict=True) if m)


def test_timesteps_of_photos_with_colours_are_early_when_the_recipe_asks_for_it(
    make_diffusion_task: MakeTask,
) -> None:
    plain, early = (make_diffusion_task("controlnet", early=s) for s in (0.0, 1.0))
    seen = [(plain.sample("train", n), early.sample("train", n)) for n in range(40)]
    assert {bool(one["gray"]) for one, _ in seen} == {True, False}
    for one, other in seen:
        t = int(one["t"])
        assert int(other["t"]) == (t if one["gray"] else 2 * t // 5)


def test_draws_are_as_many_samples_of_the_same_photo(
    make_diffusion_task: MakeTask, make_controlnet: MakeTask, tmp_path: Path
) -> None:
    one, three = (make_diffusion_task("controlnet", draws=n) for n in (1, 3))
    alone, sample = one.sample("train", 0), three.sample("train", 0)
    for key in ("noise", "t", "swap"):
        assert sample[key].shape == (3, *alone[key].shape)
        assert torch.equal(sample[key][0], alone[key])
    assert not torch.equal(sample["noise"][0], sample["noise"][1])
    batch = {k: torch.stack([three.sample("train", n)[k] for n in range(2)]) for k in sample}
    controlnet = make_controlnet()
    together = three.loss(controlnet, batch)[0]
    apart = [
        one.loss(
            controlnet, {k: v[:, i] if k in ("noise", "t", "swap") else v for k, v in batch.items()}
        )[0]
        for i in range(3)
    ]
    torch.testing.assert_close(together, torch.stack(apart).mean())
    assert three.validate(controlnet, tmp_path / "sheet.png")["shown_loss"] > 0


def test_checkpointing_changes_no_gradient(
    make_diffusion_task: MakeTask, make_controlnet: MakeTask, base: Base
) -> None:
    grads: list[torch.Tensor] = []
    for checkpointing in (False, True):
        task = make_diffusion_task("controlnet")
        task = ControlnetTask(
            replace(task.recipe, loop=replace(task.recipe.loop, checkpointing=checkpointing)),
            task.pairs.store.photos,
            base,
            task.pairs.store.cache.folder.parent,
        )
        controlnet = make_controlnet()
        if checkpointing:
            assert base.unet.is_gradient_checkpointing
            controlnet.enable_gradient_checkpointing()
        task.loss(controlnet, batch_of(task))[0].backward()
        grads.append(torch.cat([p.grad.flatten() for p in controlnet.parameters()]))
    base.unet.disable_gradient_checkpointing()
    torch.testing.assert_close(*grads)


def test_validate_and_export_give_pictures_and_weights_that_load(
    make_diffusion_task: MakeTask, make_controlnet: MakeTask, tmp_path: Path
) -> None:
    task, controlnet = make_diffusion_task("controlnet"), make_controlnet()
    sizes: list[int] = []
    controlnet.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    figures = task.validate(controlnet, tmp_path / "sheet.png")
    assert set(sizes) == {task.recipe.loop.batch}  # 48 at once would not fit a card
    assert set(figures) == {"shown_loss", "shown_psnr"} and figures["shown_loss"] > 0
    assert (tmp_path / "sheet.png").stat().st_size > 1000
    task.export(controlnet, tmp_path / "controlnet")
    loaded: nn.Module = task.load(tmp_path / "controlnet")
    assert isinstance(loaded, ControlNetModel)
    for a, b in zip(controlnet.parameters(), loaded.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)  # fp16 on disk


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [("p_iide", 1.5, "p_iide"), ("late", -0.1, "late"), ("early", 2.0, "early"),
     ("draws", 0, "draws"), ("widths", [4, 8], r"widths = \[4, 8\], expected 3")],
)  # fmt: skip
def test_task_refuses_what_makes_no_sense(
    make_diffusion_task: MakeTask, name: str, value: Any, told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        make_diffusion_task("controlnet", **{name: value})


def test_gradients_reach_every_weight_when_samples_swap_in_bf16(
    make_diffusion_task: MakeTask, make_controlnet: MakeTask
) -> None:
    task, controlnet = make_diffusion_task("controlnet", p_iide=0.0), make_controlnet()
    batch = batch_of(task)
    assert batch["swap"].all()
    with torch.autocast("cpu", torch.bfloat16):
        task.loss(controlnet, batch)[0].backward()
    assert all(p.grad is not None and p.grad.any() for p in controlnet.parameters())


def test_controlnet_of_another_size_is_trained_exported_and_gone_on_with(
    make_diffusion_task: MakeTask, tmp_path: Path
) -> None:
    def task() -> ControlnetTask:
        return make_diffusion_task("controlnet", block_widths=[4, 8], block_layers=2)

    net = train(task(), task().recipe.loop, tmp_path)
    task().export(net, tmp_path / "controlnet")
    loaded = task().load(tmp_path / "controlnet")
    assert isinstance(loaded, ScaledControlNet)
    assert bool(loaded.project_middle.weight.any())  # it has learnt
    for name, value in net.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=1e-3, atol=1e-3)
