from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from unfade.errors import WeightsError
from unfade.models.scratch import ScratchConfig, ScratchDetector
from unfade.models.stage1 import Stage1Config, Stage1Net
from unfade.train.net2net import net2net

SCRATCH = ScratchConfig(2, 4, [8, 12], [1, 1])
STAGE1 = Stage1Config([8, 12], [1, 1], hidden=4)


def shaken(network: nn.Module) -> nn.Module:
    """With weights and norms as after some training."""
    torch.manual_seed(5)
    for value in network.state_dict().values():
        if value.is_floating_point():
            value.copy_(value + 0.1 * torch.rand_like(value))
    return network.eval()


def test_net2net_gives_a_deeper_detector_that_computes_the_same() -> None:
    small = shaken(ScratchDetector(SCRATCH))
    large = net2net(ScratchDetector(replace(SCRATCH, blocks=[2, 3])), small).eval()
    x = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(large(x), small(x))
    large.train()
    large(x).square().mean().backward()
    learns = {n: p.grad is not None and bool(p.grad.any()) for n, p in large.named_parameters()}
    assert learns["decode.0.1.norm2.weight"] and learns["decode.1.2.norm2.weight"]


def test_net2net_gives_a_deeper_first_stage_that_computes_the_same() -> None:
    small = shaken(Stage1Net(STAGE1))
    large = net2net(Stage1Net(replace(STAGE1, blocks=[3, 2])), small).eval()
    x, mask = torch.rand(1, 3, 32, 32), (torch.rand(1, 1, 32, 32) > 0.9).float()
    with torch.no_grad():
        torch.testing.assert_close(large(x, mask), small(x, mask))


def test_net2net_gives_a_gate_that_is_open_at_first_and_learns() -> None:
    small = shaken(Stage1Net(STAGE1))
    large = net2net(Stage1Net(replace(STAGE1, gate=True)), small).eval()
    x, mask = torch.rand(1, 3, 32, 32), torch.rand(1, 1, 32, 32).sub(0.5).clamp(min=0)
    torch.testing.assert_close(large(x, mask), small(x, mask))
    large(x, mask).square().mean().backward()
    learns = dict(large.named_parameters())["net.leave.weight"].grad
    assert learns is not None and learns[-4:].any()


def test_net2net_copies_when_the_shape_is_the_same() -> None:
    small = shaken(ScratchDetector(SCRATCH))
    same = net2net(ScratchDetector(SCRATCH), small).state_dict()
    assert all(torch.equal(same[k], v) for k, v in small.state_dict().items())


@pytest.mark.parametrize(
    ("made", "start"),
    [(replace(SCRATCH, widths=[8, 16]), SCRATCH), (SCRATCH, replace(SCRATCH, blocks=[2, 1])),
     (ScratchConfig(3, 4, [8, 12, 12], [1, 1, 1]), SCRATCH)],
)  # fmt: skip
def test_net2net_refuses_another_shape_and_a_deeper_start(
    made: ScratchConfig, start: ScratchConfig
) -> None:
    with pytest.raises(WeightsError, match="another shape"):
        net2net(ScratchDetector(made), ScratchDetector(start))
