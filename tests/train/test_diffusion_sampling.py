from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from unfade.diffusion.predict import predict
from unfade.diffusion.schedule import Schedule
from unfade.models.folder import Base
from unfade.train.diffusion_sampling import sample_z0


def test_sample_z0_walks_as_diffusers_does(base: Base) -> None:
    torch.manual_seed(0)
    noise, text = torch.randn(2, 4, 4, 4), torch.randn(2, 8, 8)
    scheduler: Any = base.scheduler
    scheduler.set_timesteps(5)
    z = noise
    for t in scheduler.timesteps:
        with torch.no_grad():
            eps = predict(base.unet, None, z, t.expand(2), text, None)
        step = scheduler.step(eps, t, z)
        z = step.prev_sample
    schedule = Schedule.from_scheduler(base.scheduler)
    found = sample_z0(schedule, base.unet, None, noise, text, None, steps=5)
    torch.testing.assert_close(found, step.pred_original_sample, rtol=1e-3, atol=1e-3)


def test_sample_z0_follows_the_condition(base: Base, make_controlnet: Callable[..., Any]) -> None:
    schedule, net = Schedule.from_scheduler(base.scheduler), make_controlnet()
    noise, text = torch.randn(1, 4, 4, 4), torch.randn(1, 8, 8)
    one, other = (
        sample_z0(schedule, base.unet, net, noise, text, torch.full((1, 4, 16, 16), v), steps=1)
        for v in (0.0, 1.0)
    )
    assert not one.requires_grad and (one - other).abs().max() > 1e-3
