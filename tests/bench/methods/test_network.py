from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from unfade.bench.case_files import inputs_of
from unfade.bench.cases import Case
from unfade.bench.methods.network import Network
from unfade.errors import UsageError, WeightsError
from unfade.options import RestoreOptions

MakeCase = Callable[..., Case]
_skipped = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("spandrel", "torchvision")),
    reason="needs spandrel and torchvision",
)


def needs_spandrel(test: Callable[..., None]) -> Callable[..., None]:
    return pytest.mark.extras(_skipped(test))


def save_network(path: Path, scale: int) -> Path:
    """A tiny network of Real-ESRGAN's compact kind, as its authors' files are laid out.

    It adds what it computes, which is nothing here, to its input enlarged by nearest neighbours.
    """
    torch.manual_seed(0)
    sizes = [(3, 8), (8, 8), (8, 8)]
    layers = [layer for i, o in sizes for layer in (nn.Conv2d(i, o, 3, 1, 1), nn.PReLU(o))]
    last = nn.Conv2d(8, 3 * scale**2, 3, 1, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)  # pyright: ignore
    weights = nn.ModuleDict({"body": nn.Sequential(*layers, last)}).state_dict()
    if path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save({"params_ema": weights}, path)
    return path


def restored(network: Path, case: Case, tmp_path: Path) -> np.ndarray:
    method = Network("x", network, "cpu")
    method.check([case])
    cost = method.restore_folder(case, inputs_of(case), tmp_path, tmp_path / "log")
    assert cost is not None and (cost.parameters or 0) > 1000
    image = cv2.imread(str(tmp_path / "a.png"))
    assert image is not None
    return image


def enlarging(scale: float) -> RestoreOptions:
    return RestoreOptions(task="super-resolution", scale=scale, device="cpu")


@needs_spandrel
@pytest.mark.parametrize("name", ["x2.pth", "x2.safetensors"])
def test_a_network_file_is_run(make_case: MakeCase, tmp_path: Path, name: str) -> None:
    case = make_case(images=("a",), scale=2, options=enlarging(2))
    made = restored(save_network(tmp_path / name, 2), case, tmp_path)
    given = cv2.imread(str(case.inputs / "a.png"))
    assert given is not None
    expected = cv2.resize(given, (48, 48), interpolation=cv2.INTER_NEAREST)
    assert np.abs(made.astype(int) - expected).max() <= 1


@needs_spandrel
@pytest.mark.parametrize(("own", "asked"), [(4, 2), (2, 4), (1, 2), (4, 1)])
def test_results_have_the_size_of_the_case(
    make_case: MakeCase, tmp_path: Path, own: int, asked: int
) -> None:
    options = enlarging(asked) if asked > 1 else RestoreOptions(device="cpu")
    case = make_case(images=("a",), scale=asked, options=options)
    made = restored(save_network(tmp_path / "net.pth", own), case, tmp_path)
    assert made.shape == (48, 48, 3)


@needs_spandrel
def test_identity_is_that_of_the_file(make_case: MakeCase, tmp_path: Path) -> None:
    one = Network("x", save_network(tmp_path / "one.pth", 2), "cpu")
    other = Network("x", save_network(tmp_path / "other.pth", 4), "cpu")
    assert one.identity(make_case()) != other.identity(make_case())


@needs_spandrel
@pytest.mark.parametrize(
    "content", [None, b"no network", {"weight": torch.ones(3)}, {"code": Path("surprise")}]
)
def test_what_is_no_network_is_refused(
    make_case: MakeCase, tmp_path: Path, content: object
) -> None:
    path = tmp_path / "net.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(WeightsError):
        Network("x", path, "cpu").check([make_case()])


def test_spandrel_is_asked_for_when_it_is_missing(
    make_case: MakeCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(UsageError, match=r"pip install '\.\[bench\]'"):
        Network("x", tmp_path / "net.pth", "cpu").check([make_case()])
