from __future__ import annotations

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from unfade.diffusion.schedule import (
    Schedule,
    ddim_step,
    predict_z0,
    q_sample,
    target,
    timesteps,
    to_eps,
)
from unfade.errors import UsageError
from unfade.models.compact import build_scheduler

SHAPE = (4, 4, 3, 5)
T = torch.tensor([0, 49, 500, 999])


def scheduler_for(prediction: str) -> DDIMScheduler:
    config = {**build_scheduler().config, "prediction_type": prediction}
    made = DDIMScheduler.from_config(config)
    assert isinstance(made, DDIMScheduler)
    return made


@pytest.fixture(params=["epsilon", "v_prediction"])
def scheduler(request: pytest.FixtureRequest) -> DDIMScheduler:
    return scheduler_for(request.param)


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(0)
    return torch.randn(SHAPE, generator=g), torch.randn(SHAPE, generator=g)


def test_q_sample_and_target_are_those_of_diffusers(
    scheduler: DDIMScheduler, pair: tuple[Tensor, Tensor]
) -> None:
    z0, eps = pair
    ours = q_sample(Schedule.from_scheduler(scheduler), z0, eps, T)
    theirs = scheduler.add_noise(z0, eps, T)  # pyright: ignore[reportArgumentType]
    torch.testing.assert_close(ours, theirs)
    ours = target(Schedule.from_scheduler(scheduler), z0, eps, T)
    if scheduler.config["prediction_type"] == "epsilon":
        assert ours is eps
    else:
        theirs = scheduler.get_velocity(z0, eps, T)  # pyright: ignore[reportArgumentType]
        torch.testing.assert_close(ours, theirs)
    schedule = Schedule.from_scheduler(scheduler)
    zt = q_sample(schedule, z0, eps, T)
    found = to_eps(schedule, target(schedule, z0, eps, T), zt, T)
    torch.testing.assert_close(found, eps, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(predict_z0(schedule, zt, found, T), z0, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("steps", [1, 4, 20, 1000])
def test_ddim_step_and_predict_z0_are_those_of_diffusers(
    scheduler: DDIMScheduler, pair: tuple[Tensor, Tensor], steps: int
) -> None:
    zt, output = pair
    schedule = Schedule.from_scheduler(scheduler)
    scheduler.set_timesteps(steps)
    for t in scheduler.timesteps[[0, steps // 2, -1]]:
        theirs = scheduler.step(output, int(t), zt, eta=0.0)
        now = t.expand(len(zt))
        eps = to_eps(schedule, output, zt, now)
        before = now - 1000 // steps
        torch.testing.assert_close(
            ddim_step(schedule, zt, eps, now, before.clamp(min=0)),
            theirs.prev_sample,  # pyright: ignore[reportAttributeAccessIssue]
            rtol=1e-4,
            atol=1e-4,
        )
        torch.testing.assert_close(
            predict_z0(schedule, zt, eps, now),
            theirs.pred_original_sample,  # pyright: ignore[reportAttributeAccessIssue]
            rtol=1e-4,
            atol=1e-4,
        )


@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_steps_with_fresh_noise_are_those_of_diffusers(
    scheduler: DDIMScheduler, pair: tuple[Tensor, Tensor], eta: float
) -> None:
    zt, output = pair
    fresh = torch.randn(zt.shape, generator=torch.Generator().manual_seed(3))
    schedule = Schedule.from_scheduler(scheduler)
    scheduler.set_timesteps(4)
    t = scheduler.timesteps[1]
    theirs = scheduler.step(output, int(t), zt, eta=eta, variance_noise=fresh)
    now = t.expand(len(zt))
    eps = to_eps(schedule, output, zt, now)
    torch.testing.assert_close(
        ddim_step(schedule, zt, eps, now, now - 250, eta=eta, fresh=fresh),
        theirs.prev_sample,  # pyright: ignore[reportAttributeAccessIssue]
        rtol=1e-4,
        atol=1e-4,
    )


def test_schedule_refuses_a_model_that_predicts_the_sample() -> None:
    with pytest.raises(UsageError, match="predicts 'sample'"):
        Schedule.from_scheduler(scheduler_for("sample"))


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 20, 30, 50, 1000])
def test_timesteps_are_diffusers_trailing_ones_at_full_strength(steps: int) -> None:
    scheduler = build_scheduler(spacing="trailing")
    scheduler.set_timesteps(steps)
    assert timesteps(steps, 1.0, 1000) == scheduler.timesteps.tolist()


def test_timesteps_start_at_the_strength() -> None:
    assert timesteps(1, 0.3, 1000) == [299]
    assert timesteps(4, 0.4, 1000) == [399, 299, 199, 99]
    assert timesteps(20, 0.0, 1000) == []
    assert timesteps(20, 0.005, 1000) == [4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    ("steps", "strength"), [(0, 1.0), (1001, 1.0), (20, -0.1), (20, 1.1), (20, float("nan"))]
)
def test_timesteps_refuse_what_makes_no_sense(steps: int, strength: float) -> None:
    with pytest.raises(UsageError):
        timesteps(steps, strength, 1000)
