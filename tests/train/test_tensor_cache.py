from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from unfade.train import tensor_cache
from unfade.train.tensor_cache import TensorCache, weights_digest

Make = Callable[[range], Iterator[dict[str, Tensor]]]


@pytest.fixture(autouse=True)
def two_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_cache, "_ITEMS_PER_FILE", 2)


def counting(made: list[int]) -> Make:
    """Items of two tensors, one of which has the item's number of rows."""

    def make(items: range) -> Iterator[dict[str, Tensor]]:
        for i in items:
            made.append(i)
            yield {"rows": torch.arange(4 * i).reshape(i, 4), "half": torch.full((2,), i / 2)}

    return make


def test_parts_are_what_was_made_and_nothing_is_made_twice(tmp_path: Path) -> None:
    made: list[int] = []
    done: list[int] = []
    found = TensorCache(tmp_path / "c", 5, counting(made), progress=done.append)
    assert made == [0, 1, 2, 3, 4] and done == [2, 4, 5]
    assert len(list((tmp_path / "c").iterdir())) == 3
    for item in (4, 0, 3):
        expected = next(counting([])(range(item, item + 1)))
        assert torch.equal(found.slices(item, "rows")[:, 1:3], expected["rows"][:, 1:3])
        assert torch.equal(found.slices(item, "half")[:], expected["half"])
    TensorCache(tmp_path, 5, counting([]))
    made: list[int] = []
    done: list[int] = []
    again = TensorCache(tmp_path, 5, counting(made), progress=done.append)
    assert made == [] and done == [2, 4, 5]
    assert again.slices(4, "half")[:].tolist() == [2, 2]


def test_work_goes_on_at_the_file_in_which_it_was_killed(tmp_path: Path) -> None:
    def killed(items: range) -> Iterator[dict[str, Tensor]]:
        for item, made in zip(items, counting([])(items), strict=True):
            if item == 3:
                raise KeyboardInterrupt
            yield made

    with pytest.raises(KeyboardInterrupt):
        TensorCache(tmp_path, 5, killed)
    kept = next(tmp_path.iterdir())
    mine, theirs = tmp_path / ".unfade-1.tmp", tmp_path / ".unfade-2.tmp"
    for part in (mine, theirs):
        part.write_bytes(kept.read_bytes()[:20])
    os.utime(mine, (0, 0))  # killed in writing, long ago
    made: list[int] = []
    found = TensorCache(tmp_path, 5, counting(made))
    assert made == [2, 3, 4]
    assert found.slices(3, "rows")[2].tolist() == [8, 9, 10, 11]
    assert not mine.exists() and theirs.exists()  # another process may be writing it


@pytest.mark.parametrize("left", [0, 5, -1])
def test_a_file_is_made_anew_when_it_is_cut_short(tmp_path: Path, left: int) -> None:
    TensorCache(tmp_path, 4, counting([]))
    damaged = tmp_path / "00001.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:left])
    made: list[int] = []
    found = TensorCache(tmp_path, 4, counting(made))
    assert made == [2, 3] and found.slices(3, "half")[:].tolist() == [1.5, 1.5]


def test_a_copy_for_another_process_opens_its_own_files(tmp_path: Path) -> None:
    found = TensorCache(tmp_path, 5, counting([]))
    found.slices(0, "half")  # a handle is open, which no pickle can hold
    copy = pickle.loads(pickle.dumps(found))
    assert torch.equal(copy.slices(3, "rows")[:], found.slices(3, "rows")[:])


def test_processes_make_a_part_each_and_wait_for_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[int, list[int]] = {0: [], 1: []}
    monkeypatch.setattr(tensor_cache, "share", lambda: (1, 2))
    waited: list[bool] = []

    def other(there: Callable[[], bool]) -> None:  # the first process is done at the first look
        waited.append(there())
        with monkeypatch.context() as patch:
            patch.setattr(tensor_cache, "share", lambda: (0, 2))
            patch.setattr(tensor_cache, "wait_for", lambda there: waited.append(there()))
            TensorCache(tmp_path, 7, counting(made[0]))
        assert there()

    monkeypatch.setattr(tensor_cache, "wait_for", other)
    found = TensorCache(tmp_path, 7, counting(made[1]))
    assert made == {0: [0, 1, 4, 5], 1: [2, 3, 6]} and waited[0] is False
    assert found.slices(5, "half")[:].tolist() == [2.5, 2.5]


def test_weights_digest_changes_with_any_weight_and_with_nothing_else() -> None:
    def network() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))

    one, other = network(), network()
    assert weights_digest(one) == weights_digest(other.eval().requires_grad_(False))
    with torch.no_grad():
        other.get_buffer("1.running_mean")[0] += 1e-3
    assert weights_digest(one) != weights_digest(other)
    renamed = nn.ModuleDict({"a": network()})
    assert weights_digest(renamed) != weights_digest(nn.ModuleDict({"b": network()}))
