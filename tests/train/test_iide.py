from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from unfade.diffusion.condition import ConditionKind, decode, make_condition
from unfade.diffusion.predict import predict
from unfade.diffusion.schedule import Schedule, predict_z0
from unfade.models.folder import Base
from unfade.train.iide import Noised, estimate_z0, swap_conditions

MakeControlnet = Callable[..., Any]


@pytest.fixture
def schedule(base: Base) -> Schedule:
    return Schedule.from_scheduler(base.scheduler)


def noised(kind: ConditionKind, n: int = 4) -> Noised:
    g = torch.Generator().manual_seed(0)
    picture = torch.rand(n, 3, 16, 16, generator=g)
    if kind.space == "latent":
        picture = torch.randn(n, 4, 4, 4, generator=g)
    mask = (torch.rand(n, 1, 16, 16, generator=g) > 0.5).float()
    return Noised(
        torch.randn(n, 4, 4, 4, generator=g),
        torch.tensor([3, 900, 250, 600][:n]),
        torch.randn(n, 8, 8, generator=g),
        make_condition(kind, picture, mask),
    )


KINDS = [ConditionKind("pixel", True), ConditionKind("latent", True), ConditionKind("pixel", False)]


def test_estimate_takes_a_ddim_step_and_a_fresh_estimate(
    base: Base, schedule: Schedule, make_controlnet: MakeControlnet
) -> None:
    controlnet, batch = make_controlnet(), noised(KINDS[0], 1)
    scheduler = base.scheduler
    scheduler.set_timesteps(1000)
    for t in (1, 500, 999):
        now = Noised(batch.zt, torch.tensor([t]), batch.text, batch.condition)

        def eps(z: torch.Tensor, at: int, now: Noised = now) -> torch.Tensor:
            with torch.no_grad():
                return predict(
                    base.unet, controlnet, z, torch.tensor([at]), now.text, now.condition
                )

        step: Any = scheduler.step(eps(now.zt, t), t, now.zt)
        expected: Any = scheduler.step(eps(step.prev_sample, t - 1), t - 1, step.prev_sample)
        found = estimate_z0(base, schedule, controlnet, now)
        torch.testing.assert_close(found, expected.pred_original_sample, rtol=1e-4, atol=1e-4)
        stale = predict_z0(schedule, now.zt, eps(now.zt, t), now.t)
        if t > 1:  # the first estimate would not have moved it
            assert (found - stale).abs().max() > 1e-3


def test_estimate_stays_when_no_step_is_left(
    base: Base, schedule: Schedule, make_controlnet: MakeControlnet
) -> None:
    batch = noised(KINDS[0], 1)
    batch = Noised(batch.zt, torch.tensor([0]), batch.text, batch.condition)
    controlnet = make_controlnet()
    with torch.no_grad():
        eps = predict(base.unet, controlnet, batch.zt, batch.t, batch.text, batch.condition)
    found = estimate_z0(base, schedule, controlnet, batch)
    torch.testing.assert_close(found, predict_z0(schedule, batch.zt, eps, batch.t))


@pytest.mark.parametrize("kind", KINDS)
def test_swap_changes_the_chosen_samples_alone(
    base: Base, schedule: Schedule, make_controlnet: MakeControlnet, kind: ConditionKind
) -> None:
    controlnet, batch = make_controlnet(kind.space, mask=kind.mask), noised(kind)
    swapped = torch.tensor([False, True, False, True])
    found = swap_conditions(base, schedule, controlnet, kind, batch, swapped)
    assert torch.equal(found[~swapped], batch.condition[~swapped])
    for i in (1, 3):
        alone = estimate_z0(base, schedule, controlnet, batch.part(torch.tensor([i])))
        picture = alone if kind.space == "latent" else decode(base.vae, alone).clamp(0, 1)
        channels = picture.shape[1]
        torch.testing.assert_close(found[i : i + 1, :channels], picture, rtol=1e-4, atol=1e-4)
        assert (found[i] - batch.condition[i]).abs().max() > 0.01
        assert kind.mask == (found.shape[1] == channels + 1)
        assert not found[i, channels:].any()
        if kind.mask:
            assert batch.condition[i, channels:].any()
    if kind.space == "pixel":
        assert found.min() >= 0 and found.max() <= 1


@pytest.mark.parametrize("count", [0, 1, 3])
def test_swap_costs_two_passes_of_the_chosen_samples(
    base: Base, schedule: Schedule, make_controlnet: MakeControlnet, count: int
) -> None:
    sizes: dict[str, list[int]] = {"unet": [], "decoder": []}
    hooks = [
        base.unet.register_forward_hook(lambda m, x, y: sizes["unet"].append(len(y[0]))),
        base.vae.decoder.register_forward_hook(lambda m, x, y: sizes["decoder"].append(len(y))),
    ]
    try:
        swapped = torch.arange(4) < count
        swap_conditions(base, schedule, make_controlnet(), KINDS[0], noised(KINDS[0]), swapped)
    finally:
        for hook in hooks:
            hook.remove()
    # all through the UNet together, each through the decoder alone, which takes the most memory
    assert sizes == {"unet": [count] * 2 * (count > 0), "decoder": [1] * count}


def test_no_gradient_flows_through_the_condition(
    base: Base, schedule: Schedule, make_controlnet: MakeControlnet
) -> None:
    controlnet, batch = make_controlnet(), noised(KINDS[0])
    swapped = torch.tensor([True, True, False, True])
    condition = swap_conditions(base, schedule, controlnet, KINDS[0], batch, swapped)
    assert not condition.requires_grad and condition.grad_fn is None
    calls: list[torch.Tensor] = []
    for given in (condition, condition.detach().clone()):
        controlnet.zero_grad()
        out = predict(base.unet, controlnet, batch.zt, batch.t, batch.text, given)
        out.square().mean().backward()
        calls.append(torch.cat([p.grad.flatten() for p in controlnet.parameters()]))
    assert torch.equal(*calls) and calls[0].any()


@pytest.mark.parametrize("p_iide", [0.0, 0.3, 1.0])
def test_samples_swap_each_for_itself_at_the_rate_of_the_recipe(
    make_diffusion_task: Callable[..., Any], p_iide: float
) -> None:
    task = make_diffusion_task("controlnet", p_iide=p_iide)
    count = 150 if 0 < p_iide < 1 else 20
    swaps = np.array([bool(task.sample("train", n)["swap"]) for n in range(count)])
    assert swaps.mean() == pytest.approx(1 - p_iide, abs=0.1 if 0 < p_iide < 1 else 0)
    if 0 < p_iide < 1:  # neighbours in a batch do not swap together
        together = np.mean(swaps[1:] & swaps[:-1])
        assert together == pytest.approx((1 - p_iide) ** 2, abs=0.12)
