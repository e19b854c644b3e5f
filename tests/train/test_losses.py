from __future__ import annotations

import pytest
import torch

from unfade.train.losses import kl_divergence, spectral_l1


def test_kl_divergence_is_that_of_torch() -> None:
    mean, std = torch.randn(2, 3, 4, 4), torch.rand(2, 3, 4, 4) + 0.1
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(normal(mean, std), normal(0.0, 1.0)).mean()
    torch.testing.assert_close(kl_divergence(mean, std), expected)
    assert kl_divergence(torch.zeros(2, 2), torch.ones(2, 2)) == 0


def test_spectral_l1_sees_a_lost_frequency_and_is_zero_for_equal_pictures() -> None:
    wave = torch.cos(torch.arange(16) * torch.pi).expand(1, 1, 16, 16)
    assert spectral_l1(wave, wave) == 0
    # One coefficient of 16 * 16 / sqrt(16 * 16), among 16 * 9.
    assert float(spectral_l1(wave, torch.zeros_like(wave))) == pytest.approx(16 / (16 * 9))
