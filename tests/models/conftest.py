from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from unfade.models.scratch import ScratchConfig, ScratchDetector
from unfade.models.stage1 import Stage1Config, Stage1Net
from unfade.models.tone import ToneConfig, ToneNet

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "scratch": lambda: ScratchDetector(ScratchConfig(2, 4, [4, 4], [1, 1], 0.4)),
    "stage1": lambda: Stage1Net(Stage1Config([8, 8, 8, 8], [1, 1, 1, 1])),
    "tone": lambda: ToneNet(ToneConfig([8, 8, 8, 8], 16, 0.3)),
}


@pytest.fixture
def tiny() -> Callable[[str], nn.Module]:
    """A small untrained network by name, always with the same weights."""

    def make(name: str) -> nn.Module:
        torch.manual_seed(0)
        return NETWORKS[name]().eval()

    return make
