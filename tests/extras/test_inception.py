"""Our Inception against torchvision's, whose pooling is made that of the 2015 graph."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from unfade.eval.inception import Inception

pytestmark = pytest.mark.extras


def test_features_are_those_of_torchvision_when_it_pools_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models: Any = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    theirs = models.Inception3(num_classes=1008, aux_logits=False, init_weights=False).eval()
    with torch.device("meta"):
        ours = Inception().eval()
    ours.to_empty(device="cpu").load_state_dict(theirs.state_dict())
    found: list[torch.Tensor] = []
    theirs.avgpool.register_forward_hook(lambda _, inputs, out: found.append(out.flatten(1)))
    mean_pool = F.avg_pool2d

    def inside_only(
        x: torch.Tensor, *, kernel_size: int, stride: int, padding: int
    ) -> torch.Tensor:
        return mean_pool(x, kernel_size, stride, padding, count_include_pad=False)

    def largest(x: torch.Tensor, *, kernel_size: int, stride: int, padding: int) -> torch.Tensor:
        return F.max_pool2d(x, kernel_size, stride, padding)

    last = theirs.Mixed_7c
    last.register_forward_pre_hook(lambda *_: monkeypatch.setattr(F, "avg_pool2d", largest))
    monkeypatch.setattr(F, "avg_pool2d", inside_only)
    x = torch.rand(1, 3, 299, 299)
    with torch.inference_mode():
        theirs(2 * x - 1)
        monkeypatch.setattr(F, "avg_pool2d", mean_pool)
        assert torch.allclose(ours(x), found[0], rtol=1e-4, atol=1e-5)
    assert found[0].std() > 0
