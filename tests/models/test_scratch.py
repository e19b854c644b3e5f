from __future__ import annotations

import pytest
import torch

from unfade.models.scratch import ScratchConfig, ScratchDetector

TINY = ScratchConfig(2, 4, [4, 4], [1, 1])


@pytest.fixture(scope="module")
def full() -> ScratchDetector:
    """An untrained detector of the default configuration."""
    torch.manual_seed(0)
    return ScratchDetector(ScratchConfig()).eval().requires_grad_(False)


@pytest.mark.parametrize(
    ("config", "stride"), [(TINY, 4), (ScratchConfig(3, 4, [4, 6, 8], [1, 0, 2]), 8)]
)
def test_fewer_stages_make_a_smaller_stride(config: ScratchConfig, stride: int) -> None:
    net = ScratchDetector(config).eval()
    assert net.stride == stride
    size = (3 * stride, 5 * stride)
    with torch.no_grad():
        assert net(torch.rand(1, 3, *size)).shape == (1, 2, *size)


def test_the_answer_for_a_photo_is_the_same_in_any_batch(full: ScratchDetector) -> None:
    x = torch.rand(3, 3, 32, 32)
    torch.testing.assert_close(full(x)[1:2], full(x[1:2]), rtol=1e-4, atol=1e-5)


def test_the_answer_depends_on_single_pixels_and_on_what_is_far() -> None:
    torch.manual_seed(3)
    net = ScratchDetector(TINY).eval().requires_grad_(False)
    x = torch.rand(1, 3, 64, 64)
    plain = net(x)
    near, far = x.clone(), x.clone()
    near[..., 33, 33] += 0.5
    far[..., 36:48, 36:48] += 0.5
    assert (net(near) - plain)[..., 32:35, 32:35].abs().max() > 1e-4
    assert (net(far) - plain)[..., 32:34, 32:34].abs().max() > 1e-5
    assert not (net(near) - plain)[..., :4, :4].any()
