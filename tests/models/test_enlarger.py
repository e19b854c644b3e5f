from __future__ import annotations

import torch
from torch import nn

from unfade.models.enlarger import MARGIN, SCALE, Enlarger, EnlargerConfig, bicubic


def tiny() -> Enlarger:
    torch.manual_seed(0)
    net = Enlarger(EnlargerConfig([8, 8], [1, 1], hidden=8)).eval()
    nn.init.normal_(net.net.leave.weight, std=0.1)
    return net


def test_enlarger_is_bicubic_interpolation_when_untrained() -> None:
    x = torch.rand(2, 3, 32, 48)
    with torch.no_grad():
        out = Enlarger(EnlargerConfig([8, 8], [1, 1]))(x)
    assert out.shape == (2, 3, SCALE * 32, SCALE * 48)
    assert torch.equal(out, bicubic(x))


def test_enlarger_gives_each_photo_its_own_when_they_come_in_a_batch() -> None:
    x = torch.rand(3, 3, 16, 32)
    net = tiny()
    with torch.no_grad():
        alone = torch.cat([net(photo[None]) for photo in x])
        torch.testing.assert_close(net(x), alone, atol=1e-5, rtol=0)


def test_enlarger_looks_no_further_than_its_margin() -> None:
    x = torch.rand(1, 3, 32, 160)
    changed = x.clone()
    changed[..., 96:] = 0.5
    torch.manual_seed(0)
    net = Enlarger(EnlargerConfig(hidden=8)).eval()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.05)
    with torch.no_grad():
        change = (net(x) - net(changed)).abs()
    far = float(change[..., : SCALE * (96 - MARGIN)].amax())
    assert far < 1e-4 and float(change.amax()) > 0.1
