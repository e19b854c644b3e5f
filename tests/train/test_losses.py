from __future__ import annotations

from typing import Any

import pytest
import torch
from skimage.metrics import structural_similarity

from unfade.train.losses import dissimilarity, kl_divergence, spectral_l1


def test_spectral_l1_and_kl_divergence_have_their_formula() -> None:
    mean, std = torch.randn(2, 3, 4, 4), torch.rand(2, 3, 4, 4) + 0.1
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(normal(mean, std), normal(0.0, 1.0)).mean()
    torch.testing.assert_close(kl_divergence(mean, std), expected)
    assert kl_divergence(torch.zeros(2, 2), torch.ones(2, 2)) == 0
    wave = torch.cos(torch.arange(16) * torch.pi).expand(1, 1, 16, 16)
    assert spectral_l1(wave, wave) == 0
    # One coefficient of 16 * 16 / sqrt(16 * 16), among 16 * 9.
    assert float(spectral_l1(wave, torch.zeros_like(wave))) == pytest.approx(16 / (16 * 9))


def test_dissimilarity_is_what_scikit_image_lacks_to_one() -> None:
    torch.manual_seed(0)
    target = torch.rand(2, 3, 40, 52)
    out = (target + 0.1 * torch.randn_like(target)).requires_grad_()
    expected: list[Any] = [
        structural_similarity(
            a.detach().numpy(),
            b.numpy(),
            channel_axis=0,
            data_range=1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for a, b in zip(out, target, strict=True)
    ]
    with torch.autocast("cpu", torch.bfloat16):
        loss = dissimilarity(out, target)
    assert float(loss.detach()) == pytest.approx(1 - sum(expected) / 2, abs=1e-5)
    loss.backward()
    assert out.grad is not None and bool(out.grad.abs().sum() > 0)
    assert float(dissimilarity(target, target)) == pytest.approx(0, abs=1e-6)
