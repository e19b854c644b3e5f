from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from unfade.diffusion.condition import decode, encode
from unfade.models.compact import VaeConfig, build_vae
from unfade.models.patches import fold
from unfade.train.losses import kl_divergence
from unfade.train.sample_grid import mean_psnr
from unfade.train.vae_start import is_linear, silence_residuals, start_linear

CONFIG = VaeConfig(8, [64], latent_channels=8, groups=1)


@pytest.fixture
def hq() -> torch.Tensor:
    rng = np.random.default_rng(0)
    pictures = [
        cv2.resize(
            rng.random((20, 20, 3), dtype=np.float32), (64, 64), interpolation=cv2.INTER_CUBIC
        )
        for _ in range(24)
    ]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).clamp(0, 1)


def test_start_is_about_the_principal_components_with_unit_variance_and_learns(
    hq: torch.Tensor,
) -> None:
    torch.manual_seed(0)
    vae = build_vae(CONFIG)
    start_linear(vae, hq)
    squares = fold(vae, hq).movedim(1, -1).flatten(0, -2)
    mean = squares.mean(0)
    basis = torch.linalg.eigh(torch.cov((squares - mean).T))[1][:, -8:]
    left = squares - mean - (squares - mean) @ basis @ basis.T
    best = float(-10 * (left.square().mean() / 4).log10())  # [-1, 1] -> [0, 1]
    with torch.no_grad():
        found = mean_psnr(decode(vae, encode(vae, hq)), hq)
        posterior = vae.encode(fold(vae, hq), return_dict=False)[0]
    assert best - 1.5 < found < best + 0.1
    spread = posterior.mean.std((0, 2, 3))
    assert spread.shape == (8,) and spread.min() > 0.7 and spread.max() < 1.3
    torch.testing.assert_close(posterior.std, torch.full_like(posterior.std, np.exp(-3)))
    assert 2 < kl_divergence(posterior.mean, posterior.std) < 4
    decode(vae, encode(vae, hq[:2])).square().mean().backward()
    silent = {n for n, p in vae.named_parameters() if p.grad is None or not p.grad.any()}
    assert silent and all(".conv1." in n or ".norm" in n for n in silent)


def test_silenced_residuals_pass_their_input_on() -> None:
    vae = build_vae(CONFIG)
    silence_residuals(vae)
    x = torch.randn(1, 64, 4, 4)
    with torch.no_grad():
        assert torch.equal(vae.encoder.mid_block(x), x)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (CONFIG, True),
        (VaeConfig(1, [8, 16], latent_channels=4, groups=1), False),
        (VaeConfig(8, [64], latent_channels=8, groups=2), False),
        (VaeConfig(8, [16], latent_channels=8, groups=1), False),  # too narrow
        (VaeConfig(1, [64], latent_channels=8, groups=1), False),
    ],
)
def test_is_linear_knows_what_it_can_start(config: VaeConfig, expected: bool) -> None:
    assert is_linear(build_vae(config)) == expected
