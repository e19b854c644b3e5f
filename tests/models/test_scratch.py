from __future__ import annotations

import pytest
import torch

from unfade.models.scratch import ScratchConfig, ScratchDetector


def test_scratch_detector_has_at_most_two_million_parameters() -> None:
    model = ScratchDetector(ScratchConfig())
    assert sum(p.numel() for p in model.parameters()) <= 2_000_000
    assert model.stride == 16 and 0 < model.config.threshold < 1


@pytest.mark.parametrize("size", [(16, 16), (16, 96), (48, 32)])
def test_scratch_detector_gives_two_classes_at_the_photos_size(size: tuple[int, int]) -> None:
    model = ScratchDetector(ScratchConfig([8, 8, 8, 8], [1, 1, 1, 1])).eval()
    with torch.no_grad():
        assert model(torch.rand(2, 3, *size)).shape == (2, 2, *size)
