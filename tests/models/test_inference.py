from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from unfade.errors import UsageError
from unfade.models.blocks import ResBlock
from unfade.models.efficientnet import ConvNorm
from unfade.models.inference import (
    Precision,
    check_compiler,
    fold_norms,
    inference,
    mixed,
    to_device,
    weights_dtype,
)

Tiny = Callable[[str], nn.Module]


def test_fold_norms_keeps_the_output(tiny: Tiny) -> None:
    model = tiny("scratch").train()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(6):  # statistics and scales that are not the initial ones
        optimizer.zero_grad()
        model(torch.rand(2, 3, 32, 32) * 2).square().mean().backward()
        optimizer.step()
    model.eval()
    x = torch.rand(1, 3, 48, 32)
    with torch.no_grad():
        before = model(x)
        fold_norms(model)
        after = model(x)
        assert torch.equal(fold_norms(model)(x), after)  # nothing left to fold
    torch.testing.assert_close(before, after, rtol=1e-4, atol=1e-5)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    assert any(isinstance(m, ResBlock) for m in model.modules())
    folded = [m.conv for m in model.modules() if isinstance(m, ConvNorm)]
    assert folded and all(conv.bias is not None for conv in folded)


def test_inference_takes_no_gradients_and_is_close_to_full_precision(tiny: Tiny) -> None:
    model = tiny("stage1")
    x, m = torch.rand(1, 3, 32, 32), torch.zeros(1, 1, 32, 32)
    with torch.no_grad():
        exact = model(x, m)
    with inference(torch.device("cpu")):
        out = model(x, m)
    assert not out.requires_grad
    torch.testing.assert_close(out.float(), exact, rtol=0, atol=4e-3)


@pytest.mark.parametrize(("precision", "kind"), [("bf16", torch.bfloat16), ("fp32", torch.float32)])
def test_mixed_runs_convolutions_in_the_precision_asked_for(
    precision: Precision, kind: torch.dtype
) -> None:
    with torch.no_grad(), mixed(torch.device("cpu"), precision):
        assert nn.Conv2d(3, 4, 3)(torch.rand(1, 3, 8, 8)).dtype == kind


def test_placed_keeps_the_network(tiny: Tiny) -> None:
    model = tiny("stage1")
    x, m = torch.rand(1, 3, 32, 32), torch.zeros(1, 1, 32, 32)
    with torch.no_grad():
        before = model(x, m)
        moved = to_device(model, torch.device("cpu"))
        torch.testing.assert_close(moved(x, m), before)


def test_weights_have_the_type_that_the_device_computes_fast(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cpu, card = torch.device("cpu"), torch.device("cuda")
    assert weights_dtype("auto", cpu) == torch.float32
    assert weights_dtype("bf16", cpu) == torch.bfloat16
    with pytest.raises(UsageError, match="use dtype='bf16'"):
        weights_dtype("fp16", cpu)
    asked: list[bool] = []

    def native(including_emulation: bool = True) -> bool:
        asked.append(including_emulation)
        return including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", native)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "an old card")
    assert weights_dtype("auto", card) == torch.float16
    with pytest.raises(UsageError, match=r"bf16 on an old card.*use dtype='fp16'"):
        weights_dtype("bf16", card)
    assert asked == [False, False]
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert weights_dtype("auto", card) == torch.bfloat16


def test_a_missing_compiler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    check_compiler(torch.device("cpu"))
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UsageError, match=r"without a C\+\+ compiler.*leave compiled=True out"):
        check_compiler(torch.device("cpu"))
