from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from unfade.train.state import (
    STATE,
    find_state,
    interpolate_weights,
    keep_states,
    load_state,
    save_state,
    update_ema,
)


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Conv2d(2, 1, 1))


def trained(seed: int, steps: int = 3) -> tuple[nn.Module, nn.Module, torch.optim.AdamW]:
    model, ema = network(seed), network(seed).requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    for step in range(steps):
        optimizer.zero_grad()
        model(torch.rand(2, 1, 8, 8)).square().mean().backward()
        optimizer.step()
        update_ema(ema, model, 0.9, step + 1)
    return model, ema, optimizer


def test_state_comes_back_whole(tmp_path: Path) -> None:
    model, ema, optimizer = trained(0)
    (tmp_path / ".unfade-1.tmp").write_bytes(b"torn")  # a start before this one was killed
    save_state(tmp_path / "s", 3, model, ema, optimizer)
    assert [p.name for p in tmp_path.iterdir()] == ["s"]
    other, other_ema, fresh = trained(1, steps=0)
    assert load_state(tmp_path / "s", other, other_ema, fresh) == 3
    for one, two in ((model, other), (ema, other_ema)):
        for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True):
            assert torch.equal(a, b)
    x = torch.rand(2, 1, 8, 8)
    for m, o in ((model, optimizer), (other, fresh)):
        o.zero_grad()
        m(x).square().mean().backward()
        o.step()
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def test_state_keeps_moments_apart_when_a_parameter_has_none(tmp_path: Path) -> None:
    a, b = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([a, b], 1e-2)
    b.sum().backward()  # the first parameter is never used
    optimizer.step()
    empty = nn.Identity()
    save_state(tmp_path / "s", 1, empty, empty, optimizer)
    fresh = torch.optim.AdamW([a, b], 1e-2)
    load_state(tmp_path / "s", empty, empty, fresh)
    assert a not in fresh.state or not fresh.state[a]
    assert fresh.state[b]["exp_avg"].shape == (3,)


@pytest.mark.parametrize(("states", "kept"), [(1, []), (3, ["3", "4"])])
def test_as_many_checkpoints_stay_as_are_asked_for(
    tmp_path: Path, states: int, kept: list[str]
) -> None:
    assert find_state(tmp_path) is None
    model, ema, optimizer = trained(0, steps=1)
    for step in range(1, 6):
        keep_states(tmp_path, states)
        save_state(tmp_path / STATE, step, model, ema, optimizer)
    names = {STATE, *(f"state-00000{step}.safetensors" for step in kept)}
    assert {path.name for path in tmp_path.iterdir()} == names
    (tmp_path / STATE).unlink()  # killed between the two
    found = find_state(tmp_path)
    assert (None if found is None else load_state(found, model, ema, optimizer)) == (
        4 if kept else None
    )


def test_update_ema_is_an_average_that_forgets_the_start_quickly() -> None:
    ema, model = network(0).requires_grad_(False), network(1)
    expected = {
        k: 0.9 * v + 0.1 * model.state_dict()[k] if v.is_floating_point() else v
        for k, v in ema.state_dict().items()
    }
    update_ema(ema, model, 0.9, 10_000)
    for key, value in ema.state_dict().items():
        torch.testing.assert_close(value, expected[key])
    ema = network(0).requires_grad_(False)
    for step in range(1, 60):
        update_ema(ema, model, 0.999, step)
    a, b = next(ema.parameters()), next(model.parameters())
    torch.testing.assert_close(a, b, rtol=0, atol=1e-3)


def test_blend_lies_between_two_networks_and_leaves_them_alone() -> None:
    a, b = trained(0)[0], trained(1)[0]
    before = [v.clone() for v in [*a.state_dict().values(), *b.state_dict().values()]]
    mixed = interpolate_weights(a, b, 0.25).state_dict()
    for k, value in mixed.items():
        x, y = a.state_dict()[k], b.state_dict()[k]
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.75 * x + 0.25 * y)
        else:
            assert torch.equal(value, x)
    after = [*a.state_dict().values(), *b.state_dict().values()]
    assert all(torch.equal(x, y) for x, y in zip(before, after, strict=True))
