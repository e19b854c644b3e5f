"""Our LPIPS against torchmetrics', on a random AlexNet and the heads that it ships."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skimage import data

from unfade.eval import weights
from unfade.eval.lpips import load_lpips, lpips

pytestmark = pytest.mark.extras


def test_value_is_that_of_torchmetrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchvision")
    pytest.importorskip("torchmetrics")
    theirs: Any = pytest.importorskip("torchmetrics.functional.image.lpips")
    torch.manual_seed(0)
    network = theirs._LPIPS(pretrained=True, net="alex", pnet_rand=True).eval()
    convolutions = [m for m in network.net.modules() if isinstance(m, torch.nn.Conv2d)]
    alexnet = {
        f"features.{place}.{kind}": getattr(convolution, kind).detach()
        for place, convolution in zip((0, 3, 6, 8, 10), convolutions, strict=True)
        for kind in ("weight", "bias")
    }
    heads = {f"lin{k}.model.1.weight": head.model[-1].weight for k, head in enumerate(network.lins)}
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    (tmp_path / "lpips").mkdir()
    torch.save(alexnet, tmp_path / weights.ALEXNET)
    torch.save(heads, tmp_path / weights.LPIPS_HEADS)

    image, target = (
        np.asarray(photo()[:200, :240], np.float32) / np.float32(255)
        for photo in (data.astronaut, data.coffee)
    )
    x, y = (torch.from_numpy(i).permute(2, 0, 1)[None] for i in (image, target))
    with torch.inference_mode():
        expected = float(network(x, y, normalize=True))
    assert lpips(image, target, load_lpips()) == pytest.approx(expected, rel=1e-3)
    assert expected > 0.01


def test_published_networks_are_those_of_torchvision() -> None:
    models: Any = pytest.importorskip("torchvision.models")
    from unfade.eval.lpips import Lpips

    theirs = models.alexnet(weights=None).features.state_dict()
    ours = {
        k.removeprefix("features."): v for k, v in Lpips().state_dict().items() if "features" in k
    }
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}
