from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from unfade.diffusion.condition import ConditionKind
from unfade.diffusion.predict import predict
from unfade.errors import UsageError
from unfade.models.compact import UnetConfig, build_controlnet, build_unet
from unfade.models.folder import load_controlnet, save_part
from unfade.models.scaled_controlnet import ScaledControlNet

SIZES = [([4, 8, 8], 2), ([16, 16, 24], 2), ([8, 16, 16], 1), ([4, 4, 4], 3)]


@pytest.fixture(scope="module")
def unet() -> UNet2DConditionModel:
    """A tiny random UNet of three levels with two blocks each, as Stable Diffusion's has."""
    torch.manual_seed(0)
    config = UnetConfig(
        widths=[8, 16, 16], heads=[1, 2, 4], layers=2, latent_channels=4, text_width=8, groups=4
    )
    return build_unet(config).eval().requires_grad_(False)


def inputs(space: str) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    condition = torch.rand(2, 4, 32, 48) if space == "pixel" else torch.randn(2, 5, 8, 12)
    return {
        "zt": torch.randn(2, 4, 8, 12), "t": torch.tensor([10, 700]), "text": torch.randn(2, 3, 8),
        "condition": condition,
    }  # fmt: skip


@pytest.mark.parametrize("space", ["pixel", "latent"])
@pytest.mark.parametrize(("widths", "layers"), SIZES)
def test_controlnet_of_another_size_starts_without_effect_and_learns(
    unet: UNet2DConditionModel, widths: list[int], layers: int, space: Any
) -> None:
    net = build_controlnet(
        unet, space=space, mask=True, widths=(4, 8, 8), block_widths=widths, block_layers=layers
    )
    assert isinstance(net, ScaledControlNet)
    assert ConditionKind.of(net) == ConditionKind(space, True)
    given = inputs(space)
    torch.testing.assert_close(
        predict(unet, net, **given), predict(unet, None, **given), rtol=0, atol=0
    )
    predict(unet, net, **given).square().mean().backward()
    zero = [*net.project, net.project_middle]
    assert all(bool(conv.weight.grad.any()) for conv in zero)  # pyright: ignore
    for conv in zero:
        torch.nn.init.normal_(conv.weight, std=0.3)  # pyright: ignore
    net.zero_grad()
    out = predict(unet, net, **given)
    assert (out - predict(unet, None, **given)).abs().mean() > 1e-3
    out.square().mean().backward()
    assert net.controlnet.conv_in.weight.grad.any()


def test_controlnet_of_the_unets_size_is_the_published_kind(unet: UNet2DConditionModel) -> None:
    net = build_controlnet(unet, widths=(4, 8), block_widths=[8, 16, 16], block_layers=2)
    assert not isinstance(net, ScaledControlNet)


def test_narrow_and_shallow_controlnets_are_smaller(unet: UNet2DConditionModel) -> None:
    def count(**shape: Any) -> int:
        net = build_controlnet(unet, widths=(4, 8), **shape)
        return sum(p.numel() for p in net.parameters())

    assert count(block_widths=[4, 8, 8]) < 0.5 * count()
    assert count(block_layers=1) < count() < count(block_layers=3)


def test_controlnet_comes_back_from_its_folder(unet: UNet2DConditionModel, tmp_path: Path) -> None:
    torch.manual_seed(2)
    net = build_controlnet(unet, mask=True, widths=(4, 8, 8), block_widths=[4, 8, 8])
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    net.half().float()  # as its weights are kept
    save_part(tmp_path, net)
    loaded = load_controlnet(tmp_path)
    given = inputs("pixel")
    torch.testing.assert_close(
        predict(unet, loaded, **given), predict(unet, net.eval(), **given), rtol=0, atol=1e-6
    )
    assert ConditionKind.of(loaded) == ConditionKind("pixel", True)


@pytest.mark.parametrize(
    ("widths", "layers", "got"),
    [
        ([4, 8], 2, r"block_widths = \[4, 8\]"),
        ([4, 6, 8], 2, r"\[4, 6, 8\]"),
        ([4, 8, 8], -1, "-1"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(
    unet: UNet2DConditionModel, widths: list[int], layers: int, got: str
) -> None:
    with pytest.raises(UsageError, match=got):
        build_controlnet(unet, widths=(4, 8), block_widths=widths, block_layers=layers)
