"""Noise schedules: Eq. 1 (noising), Eq. 3 (a sampling step) and Eq. 4 (the clean estimate).

The equations are those of IIDE (arXiv 2505.18674). Its Eq. 3 prints alpha where DDIM (arXiv
2010.02502, Eq. 12) has the square root; this module follows DDIM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from unfade.errors import UsageError

_PREDICTIONS = ("epsilon", "v_prediction")
#: Schedules that end in pure noise have 0 there (arXiv 2305.08891); z0_hat divides by its root.
_LEAST = 2**-24


@dataclass(frozen=True)
class Schedule:
    """The noise level of each timestep, and the network's prediction type.

    Attributes:
        alphas_cumprod: (T,), the cumulative products ab_t, falling, in (0, 1).
        prediction: "epsilon" (the noise) or "v_prediction" (arXiv 2202.00512).
    """

    alphas_cumprod: Tensor
    prediction: str

    @classmethod
    def from_scheduler(cls, scheduler: DDIMScheduler) -> Schedule:
        """The schedule of diffusers' scheduler.

        Raises:
            UsageError: the network predicts something else than noise or v.
        """
        prediction = str(cast(Any, scheduler).config.prediction_type)
        if prediction not in _PREDICTIONS:
            expected, fix = " or ".join(_PREDICTIONS), "use another base model"
            raise UsageError(f"a model that predicts '{prediction}'", expected, fix)
        return cls(scheduler.alphas_cumprod.clamp(min=_LEAST), prediction)

    @property
    def steps(self) -> int:
        """T."""
        return len(self.alphas_cumprod)

    def alpha(self, t: Tensor, like: Tensor) -> Tensor:
        """(N,) timesteps -> (N, 1, 1, 1), ab_t on `like`'s device, in float32."""
        known = self.alphas_cumprod.to(like.device)  # (T,)
        return known[t.to(like.device)].float()[:, None, None, None]


def q_sample(schedule: Schedule, z0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
    """Eq. 1: zt = sqrt(ab_t) z0 + sqrt(1 - ab_t) eps.

    Args:
        z0, eps: (N, C, h, w), the scaled latent and Gaussian noise.
        t: (N,), timesteps 0..T-1.
    """
    ab = schedule.alpha(t, z0)
    return ab.sqrt() * z0 + (1 - ab).sqrt() * eps


def target(schedule: Schedule, z0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
    """The training target at q_sample(z0, eps, t): eps or v; shapes as there."""
    if schedule.prediction == "epsilon":
        return eps
    ab = schedule.alpha(t, z0)
    return ab.sqrt() * eps - (1 - ab).sqrt() * z0


def to_eps(schedule: Schedule, output: Tensor, zt: Tensor, t: Tensor) -> Tensor:
    """Converts a network's output (eps or v) to noise, (N, C, h, w)."""
    if schedule.prediction == "epsilon":
        return output
    ab = schedule.alpha(t, zt)
    return ab.sqrt() * output + (1 - ab).sqrt() * zt


def predict_z0(schedule: Schedule, zt: Tensor, eps: Tensor, t: Tensor) -> Tensor:
    """Eq. 4: z0_hat = (zt - sqrt(1 - ab_t) eps) / sqrt(ab_t).

    Args:
        zt, eps: (N, C, h, w), the noised latent and the predicted noise.
        t: (N,), timesteps 0..T-1.
    """
    ab = schedule.alpha(t, zt)
    return (zt - (1 - ab).sqrt() * eps) / ab.sqrt()


def ddim_step(
    schedule: Schedule,
    zt: Tensor,
    eps: Tensor,
    t: Tensor,
    before: Tensor,
    *,
    eta: float = 0.0,
    fresh: Tensor | None = None,
) -> Tensor:
    """Eq. 3: from timestep t to an earlier one along the predicted noise.

    With eta 1 the step is the ancestral one of DDPM (Eq. 10 of arXiv 2412.09324); between 0 and 1
    lies the family of DDIM (arXiv 2010.02502, Eq. 12 and 16).

    Args:
        zt, eps: (N, C, h, w), the noised latent and the predicted noise.
        t: (N,), timesteps 0..T-1.
        before: (N,), the earlier timesteps, 0..T-1; where it is t, nothing changes.
        eta: 0..1, the share of the noise that is drawn anew.
        fresh: (N, C, h, w), Gaussian, needed if eta is above 0.
    """
    ab = schedule.alpha(before, zt)
    z0_hat = predict_z0(schedule, zt, eps, t)
    if eta == 0 or fresh is None:
        return ab.sqrt() * z0_hat + (1 - ab).sqrt() * eps
    now = schedule.alpha(t, zt)
    variance = eta**2 * (1 - ab) / (1 - now) * (1 - now / ab)
    along = (1 - ab - variance).clamp(min=0).sqrt()
    return ab.sqrt() * z0_hat + along * eps + variance.sqrt() * fresh


def timesteps(steps: int, strength: float, total: int) -> list[int]:
    """The timesteps of a restoration: evenly spaced from strength * T - 1 down to above -1.

    At strength 1 these are diffusers' "trailing" timesteps (arXiv 2305.08891, table 2), so one
    step starts at T - 1.

    Args:
        steps: how many, >= 1; fewer come back where the strength leaves no room.
        strength: 0..1; 0 gives none.
        total: T.

    Raises:
        UsageError: steps or strength out of range.
    """
    if steps < 1 or steps > total:
        raise UsageError(f"{steps} steps", f"1 to {total}", "try 20")
    if not 0 <= strength <= 1:
        raise UsageError(f"strength {strength}", "0 to 1", "try 0.5")
    top = strength * total
    times = (round(top * (steps - i) / steps) - 1 for i in range(steps))
    return sorted({t for t in times if t >= 0}, reverse=True)
