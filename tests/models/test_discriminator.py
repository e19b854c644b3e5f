from __future__ import annotations

import torch

from unfade.models.discriminator import Discriminator


def test_scores_are_those_of_the_pixels_and_of_each_resolution() -> None:
    torch.manual_seed(0)
    net = Discriminator([16, 24]).eval()
    rgb = torch.rand(2, 3, 32, 48)
    features = [torch.rand(2, 16, 16, 24), torch.rand(2, 24, 8, 12)]
    with torch.no_grad():
        scores = net(rgb, features)
        changed = net(rgb, [features[0], 2 * features[1]])
    assert [tuple(s.shape[2:]) for s in scores] == [(8, 12), (4, 6), (8, 12), (8, 12)]
    assert all(torch.equal(a, b) for a, b in zip(scores[:3], changed[:3], strict=True))
    assert not torch.equal(scores[3], changed[3])


def test_slopes_are_bounded() -> None:
    torch.manual_seed(0)
    net = Discriminator([4])
    features = [torch.zeros(1, 4, 8, 8)]
    rgb = torch.rand(1, 3, 16, 16)
    for _ in range(30):  # of the power iteration
        net(rgb, features)
    net.eval()
    with torch.no_grad():
        near, far = (net(x, features)[0] for x in (rgb, 100 * rgb))
    assert float((far - near).norm()) < 99 * 2 * 9**2 * float(rgb.norm())
