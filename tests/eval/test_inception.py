from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from unfade.errors import WeightsError
from unfade.eval import weights
from unfade.eval.inception import Inception, inception_features, load_inception


def test_layers_are_those_of_the_published_weights() -> None:
    """Names and numbers of torchvision's Inception-v3 without the auxiliary head, 1008 classes."""
    with torch.device("meta"):
        network = Inception()
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert parameters == 23_834_568 - 1000 * 2049 + 1008 * 2049
    state = network.state_dict()
    assert state["Mixed_6c.branch7x7dbl_4.conv.weight"].shape == (160, 160, 7, 1)
    assert state["Mixed_7c.branch3x3dbl_3b.bn.running_var"].shape == (384,)
    assert len(state) == 94 * 6 + 2


def test_features_have_the_published_shape() -> None:
    with torch.device("meta"):
        network = Inception().eval()
        assert network(torch.zeros(2, 3, 64, 80)).shape == (2, 2048)


@pytest.mark.parametrize(("name", "kind"), [("Mixed_7b", "mean"), ("Mixed_7c", "max")])
def test_last_blocks_pool_as_the_2015_graph_does(name: str, kind: str) -> None:
    torch.manual_seed(0)
    with torch.device("meta"):
        network = Inception()
    block = network.get_submodule(name).to_empty(device="cpu")
    for parameter in block.parameters():
        nn.init.normal_(parameter, 0, 0.02)
    for key, buffer in block.named_buffers():
        buffer.fill_(1 if key.endswith("running_var") else 0)
    block.eval()
    x = torch.rand(1, 1280 if kind == "mean" else 2048, 3, 3)
    if kind == "max":
        tail_mean = F.max_pool2d(x, 3, 1, 1)
    else:  # the sum over 3 x 3 neighbours over the number of those inside
        ones = torch.ones(1, 1, 3, 3)
        count = F.conv2d(torch.ones_like(x[:, :1]), ones, padding=1)
        tail_mean = F.conv2d(x[0, :, None], ones, padding=1)[:, 0][None] / count
    with torch.inference_mode():
        expected = block.get_submodule("branch_pool")(tail_mean)
        assert torch.allclose(block(x)[:, -192:], expected, atol=1e-5)
        assert torch.equal(block(x)[:, :320], block.get_submodule("branch1x1")(x))


def test_weights_are_read_from_where_they_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    with torch.device("meta"):
        network = Inception()
    network.to_empty(device="cpu")
    state = network.state_dict()
    for key, value in state.items():
        value.fill_(1 if key.endswith("running_var") else 0)
    state["Mixed_7c.branch1x1.bn.bias"].copy_(torch.arange(320.0))
    path = tmp_path / weights.INCEPTION
    path.parent.mkdir()
    torch.save(state, path)
    found = inception_features(np.zeros((20, 30, 3), np.float32), load_inception())
    assert found.shape == (1, 2048) and found.dtype == np.float64
    assert found[0, :320] == pytest.approx(np.arange(320)) and not found[0, 320:].any()
    del state["fc.bias"]
    torch.save(state, path)
    with pytest.raises(WeightsError, match="do not fit"):
        load_inception()
