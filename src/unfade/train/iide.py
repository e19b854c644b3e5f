"""Internal image detail enhancement (IIDE): replaces a sample's condition by the model's estimate.

IIDE (arXiv 2505.18674), III-B and III-C: with probability 1 - p_iide, the ControlNet sees x0_hat,
the clean photo that the model itself estimates from the noised latent, instead of I_lq.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from torch import Tensor

from unfade.diffusion.condition import ConditionKind, make_condition
from unfade.diffusion.predict import predict
from unfade.diffusion.schedule import Schedule, ddim_step, predict_z0, to_eps
from unfade.models.folder import Base
from unfade.train.diffusion_sampling import decode_each


@dataclass(frozen=True)
class Noised:
    """Noised latents with the other inputs of a prediction.

    Attributes:
        zt: (N, C, h, w), noised latents.
        t: (N,), timesteps 0..T-1.
        text: (N, L, D), embedded prompts.
        condition: input of the ControlNet, (N, 3 or 4, H, W) or (N, C or C + 1, h, w).
    """

    zt: Tensor
    t: Tensor
    text: Tensor
    condition: Tensor

    def part(self, index: Tensor) -> Noised:
        """The samples with these indices, (M,)."""
        return Noised(self.zt[index], self.t[index], self.text[index], self.condition[index])


def estimate_z0(
    base: Base, schedule: Schedule, controlnet: ControlNetModel, batch: Noised
) -> Tensor:
    """IIDE's clean estimate z0_hat, (N, C, h, w), without gradient.

    A DDIM step to t - 1 (Eq. 3) and a fresh estimate of the noise there, then Eq. 4: with the
    first estimate, Eq. 4 would give the z0_hat of t again, for the step keeps it. At t = 0 there
    is no step left and the two are the same.

    Autocast's copies of the weights are forgotten: older versions of torch would use those made
    without gradient in the pass that learns, and lose it (pytorch/pytorch#112583).
    """
    with torch.no_grad():
        output = predict(base.unet, controlnet, batch.zt, batch.t, batch.text, batch.condition)
        eps = to_eps(schedule, output.float(), batch.zt, batch.t)
        before = (batch.t - 1).clamp(min=0)
        z = ddim_step(schedule, batch.zt, eps, batch.t, before)
        output = predict(base.unet, controlnet, z, before, batch.text, batch.condition)
        eps = to_eps(schedule, output.float(), z, before)
        torch.clear_autocast_cache()
        return predict_z0(schedule, z, eps, before)


def swap_conditions(
    base: Base,
    schedule: Schedule,
    controlnet: ControlNetModel,
    kind: ConditionKind,
    batch: Noised,
    swapped: Tensor,
) -> Tensor:
    """The conditions of a batch after the swap; the estimate is computed for swapped samples only.

    In pixel space the estimate is decoded and clipped to [0, 1], in latent space z0_hat itself
    is the condition. The mask channel of a swapped sample is zero: its damage is repaired.

    Args:
        swapped: (N,), bool.

    Returns:
        `batch.condition` itself where nothing swaps; no gradient flows through what is new.
    """
    index = swapped.nonzero()[:, 0]  # (M,)
    if len(index) == 0:
        return batch.condition
    z0_hat = estimate_z0(base, schedule, controlnet, batch.part(index))
    with torch.no_grad():
        picture = z0_hat if kind.space == "latent" else decode_each(base.vae, z0_hat)
        estimate = make_condition(kind, picture, None).to(batch.condition.dtype)
        return batch.condition.index_copy(0, index, estimate)
