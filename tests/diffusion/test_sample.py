from __future__ import annotations

import pytest
import torch
from torch import Tensor

from unfade.diffusion.sample import sample
from unfade.diffusion.schedule import Schedule, q_sample, timesteps
from unfade.models.compact import build_scheduler


@pytest.fixture
def schedule() -> Schedule:
    return Schedule.from_scheduler(build_scheduler())


@pytest.mark.parametrize("steps", [1, 2, 20])
@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_sample_finds_z0_when_the_noise_is_known(
    schedule: Schedule, steps: int, strength: float
) -> None:
    z0, eps = torch.randn(2, 4, 3, 5), torch.randn(2, 4, 3, 5)
    times = timesteps(steps, strength, 1000)
    zt = q_sample(schedule, z0, eps, torch.full((2,), times[0]))

    def model(z: Tensor, t: Tensor, z0_hat: Tensor | None) -> Tensor:
        return eps

    torch.testing.assert_close(sample(schedule, zt, times, model), z0, rtol=1e-3, atol=1e-3)


def test_sample_is_diffusers_own_but_for_the_noise_left_at_the_end(schedule: Schedule) -> None:
    scheduler = build_scheduler()
    scheduler.set_timesteps(5)
    start = torch.randn(1, 4, 3, 5)

    def model(z: Tensor, t: Tensor, z0_hat: Tensor | None) -> Tensor:
        return torch.tanh(z + t[0] / 1000)

    zt, theirs = start, start
    for t in scheduler.timesteps:
        out = scheduler.step(model(zt, t[None], None), int(t), zt)
        zt, theirs = out.prev_sample, out.pred_original_sample  # pyright: ignore
    ours = sample(schedule, start, scheduler.timesteps.tolist(), model)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_sample_hands_on_the_running_estimate_and_changes_nothing_without_a_timestep(
    schedule: Schedule,
) -> None:
    seen: list[Tensor | None] = []

    def model(z: Tensor, t: Tensor, z0_hat: Tensor | None) -> Tensor:
        seen.append(z0_hat)
        return torch.zeros_like(z)

    out = sample(schedule, torch.randn(1, 4, 2, 2), [900, 500, 100], model)
    assert seen[0] is None and seen[1] is not None and seen[2] is not None
    torch.testing.assert_close(seen[2], out, rtol=1e-4, atol=1e-4)  # without noise it stays
    zt = torch.randn(1, 4, 2, 2)
    assert sample(schedule, zt, [], lambda z, t, z0_hat: z) is zt


@pytest.mark.parametrize("mean", [0.0, 0.25, 1.0])
def test_sample_mixes_the_first_estimate_in(schedule: Schedule, mean: float) -> None:
    start, times = torch.randn(2, 4, 3, 5), [700, 400, 100]

    def model(z: Tensor, t: Tensor, z0_hat: Tensor | None) -> Tensor:
        return torch.tanh(z + t[0] / 1000)

    alone = sample(schedule, start, times, model)
    first = sample(schedule, start, times[:1], model)
    assert not torch.allclose(alone, first)
    out = sample(schedule, start, times, model, mean=mean)
    torch.testing.assert_close(out, (1 - mean) * alone + mean * first)
