"""LPIPS on random weights in the published layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from unfade.errors import InputError, WeightsError
from unfade.eval import weights
from unfade.eval.images import Protocol
from unfade.eval.lpips import Lpips, load_lpips, lpips
from unfade.eval.measures import measures

WIDTHS = (4, 6, 8, 6, 4)
PLACES = (0, 3, 6, 8, 10)


@pytest.fixture
def states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, torch.Tensor]]:
    """AlexNet's and the heads', a hundred times smaller, written where they are looked for."""
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    generator = torch.Generator().manual_seed(0)
    sizes = (11, 5, 3, 3, 3)
    alexnet: dict[str, torch.Tensor] = {"classifier.1.weight": torch.zeros(3, 3)}
    heads: dict[str, torch.Tensor] = {}
    inside = 3
    for k, (place, width, size) in enumerate(zip(PLACES, WIDTHS, sizes, strict=True)):
        shape = (width, inside, size, size)
        alexnet[f"features.{place}.weight"] = 0.3 * torch.randn(shape, generator=generator)
        alexnet[f"features.{place}.bias"] = 0.1 * torch.randn(width, generator=generator)
        heads[f"lin{k}.model.1.weight"] = torch.rand((1, width, 1, 1), generator=generator)
        inside = width
    for name, state in ((weights.ALEXNET, alexnet), (weights.LPIPS_HEADS, heads)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        torch.save(state, tmp_path / name)
    return [alexnet, heads]


def slow_lpips(image: np.ndarray, target: np.ndarray, states: list[dict[str, torch.Tensor]]):
    """The paper's Eq. 1 with the reference implementation's scaling, step by step."""
    alexnet, heads = states
    shift = torch.tensor([-0.030, -0.088, -0.188])[:, None, None]
    scale = torch.tensor([0.458, 0.448, 0.450])[:, None, None]
    x, y = (
        (torch.from_numpy(i.copy()).permute(2, 0, 1)[None] * 2 - 1 - shift) / scale
        for i in (image, target)
    )
    total = 0.0
    geometry = ((4, 2), (1, 2), (1, 1), (1, 1), (1, 1))
    for k, (place, (stride, padding)) in enumerate(zip(PLACES, geometry, strict=True)):
        if k in (1, 2):
            x, y = F.max_pool2d(x, 3, 2), F.max_pool2d(y, 3, 2)
        weight, bias = alexnet[f"features.{place}.weight"], alexnet[f"features.{place}.bias"]
        x = F.conv2d(x, weight, bias, stride, padding).clamp(min=0)
        y = F.conv2d(y, weight, bias, stride, padding).clamp(min=0)
        unit_x = x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)
        unit_y = y / (y.square().sum(1, keepdim=True).sqrt() + 1e-10)
        head = heads[f"lin{k}.model.1.weight"][0, :, 0, 0]
        difference = torch.einsum("nchw,c->nhw", (unit_x - unit_y) ** 2, head)
        total += float(difference.mean())
    return total


def test_value_equals_the_slow_one(
    photo: np.ndarray, states: list[dict[str, torch.Tensor]]
) -> None:
    network = load_lpips()
    image, target = photo[:70, :90], photo[100:170, 50:140]
    assert lpips(image, target, network) == pytest.approx(slow_lpips(image, target, states))
    assert lpips(target, image, network) == pytest.approx(slow_lpips(image, target, states))
    assert lpips(image, image, network) == 0


@pytest.mark.usefixtures("states")
def test_the_network_runs_on_the_device_of_the_protocol(photo: np.ndarray) -> None:
    score = measures(["lpips"], Protocol(device="meta"))["lpips"].score
    with pytest.raises(RuntimeError, match=r"item\(\)"):  # only the last step needs numbers
        score(photo, photo)


def test_other_weights_are_refused(states: list[dict[str, torch.Tensor]], tmp_path: Path) -> None:
    del states[0]["features.3.bias"]
    torch.save(states[0], tmp_path / weights.ALEXNET)
    with pytest.raises(WeightsError, match="do not fit"):
        load_lpips()
    (tmp_path / weights.ALEXNET).write_bytes(b"rubbish")
    with pytest.raises(WeightsError, match="do not fit"):
        load_lpips()
    (tmp_path / weights.ALEXNET).unlink()
    with pytest.raises(WeightsError, match="curl"):
        load_lpips()


def test_smallest_picture_is_measured_and_smaller_ones_are_refused() -> None:
    least = np.zeros((32, 32, 3), np.float32)
    assert lpips(least, least, Lpips(WIDTHS)) == 0
    tiny = np.zeros((31, 40, 3), np.float32)
    with pytest.raises(InputError, match="at least 32"):
        lpips(tiny, tiny, Lpips(WIDTHS))
