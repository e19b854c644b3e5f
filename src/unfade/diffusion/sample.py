"""Samples a clean latent from a noised one with DDIM, for restoring and for training previews."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from unfade.diffusion.schedule import Schedule, ddim_step, predict_z0, to_eps

#: (zt, t, the last z0_hat or None at the first step) -> eps or v, all (N, C, h, w); t is (N,).
Model = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def sample(
    schedule: Schedule,
    zt: Tensor,
    times: Sequence[int],
    model: Model,
    *,
    mean: float = 0.0,
    eta: float = 0.0,
    fresh: Callable[[int], Tensor] | None = None,
) -> Tensor:
    """Applies Eq. 3 from timestep to timestep, and Eq. 4 at the last one.

    Stock samplers stop at the noise of timestep 0; here the clean estimate itself comes back,
    so that one step is exactly one-step prediction. That is the mean of all that zt could come
    from, which errs least; between it and a sample lie the estimates that err least for how much
    they look like samples (arXiv 2107.02555).

    Args:
        zt: (N, C, h, w), the latent at the first timestep.
        times: falling timesteps; without one, zt comes back.
        model: predicts.
        mean: 0..1, the share of the first timestep's z0_hat in the result.
        eta: 0..1, see `ddim_step`.
        fresh: number of a step, from 0 -> its Gaussian noise, (N, C, h, w); needed if eta
            is above 0.

    Returns:
        z0, (N, C, h, w), in zt's precision.
    """
    z0_hat: Tensor | None = None
    first: Tensor | None = None
    for i, now in enumerate(times):
        t = torch.full((len(zt),), now, device=zt.device)
        eps = to_eps(schedule, model(zt, t, z0_hat).to(zt.dtype), zt, t)
        z0_hat = predict_z0(schedule, zt, eps, t)
        first = z0_hat if first is None else first
        if i + 1 < len(times):
            before = torch.full_like(t, times[i + 1])
            new = fresh(i) if eta > 0 and fresh is not None else None
            zt = ddim_step(schedule, zt, eps, t, before, eta=eta, fresh=new)
    if z0_hat is None or first is None:
        return zt
    return z0_hat if mean == 0 else torch.lerp(z0_hat, first, mean)
