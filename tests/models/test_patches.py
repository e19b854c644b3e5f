from __future__ import annotations

import pytest
import torch

from unfade.diffusion.condition import decode, encode
from unfade.models.compact import VaeConfig, build_vae
from unfade.models.patches import downscale_of, fold, patch_of, unfold


@pytest.mark.parametrize(
    ("patch", "widths", "downscale"), [(1, [4, 8, 8], 4), (2, [4, 8], 4), (8, [8], 8)]
)
def test_folding_loses_nothing(patch: int, widths: list[int], downscale: int) -> None:
    vae = build_vae(VaeConfig(patch, widths, latent_channels=4, groups=2))
    assert (patch_of(vae), downscale_of(vae)) == (patch, downscale)
    image = torch.rand(2, 3, 16, 24)
    folded = fold(vae, image)
    assert folded.shape == (2, 3 * patch**2, 16 // patch, 24 // patch)
    assert folded.min() < -0.9 and folded.max() > 0.9
    torch.testing.assert_close(unfold(vae, folded), image)
    with torch.no_grad():
        z0 = encode(vae, image)
        out = decode(vae, z0)
    assert z0.shape == (2, 4, 16 // downscale, 24 // downscale) and out.shape == image.shape
