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
