from __future__ import annotations

import pickle
from collections.abc import Callable
from itertools import islice
from typing import Any, cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from unfade.errors import UsageError
from unfade.train.options import LoopOptions
from unfade.train.sampler import batches, sample_indices


class Counting:
    """A task whose samples are their indices."""

    def sample(self, split: str, index: int) -> dict[str, torch.Tensor]:
        assert split == "train"
        return {"index": torch.tensor(index)}


@given(
    micro=st.integers(1, 4),
    accumulate=st.integers(1, 3),
    processes=st.integers(1, 3),
    step=st.integers(0, 5),
)
def test_processes_and_micro_batches_see_together_what_one_batch_sees(
    micro: int, accumulate: int, processes: int, step: int
) -> None:
    batch = micro * accumulate * processes
    options = LoopOptions(steps=5, batch=batch, accumulate=accumulate)
    parts = [list(sample_indices(step, options, rank, processes)) for rank in range(processes)]
    for i in range(5 - step):
        mine = [part[i * accumulate : (i + 1) * accumulate] for part in parts]
        seen = sorted(n for process in mine for one in process for n in one)
        assert seen == list(range((step + i) * batch, (step + i + 1) * batch))
    assert all(len(part) == (5 - step) * accumulate for part in parts)


def test_sample_indices_refuse_a_batch_that_does_not_part_evenly() -> None:
    for batch, accumulate, processes in ((8, 3, 1), (8, 1, 3), (2, 2, 2)):
        options = LoopOptions(batch=batch, accumulate=accumulate)
        with pytest.raises(UsageError, match=f"batch of {batch}"):
            next(sample_indices(0, options, 0, processes))


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_in_order(workers: int) -> None:
    options = LoopOptions(steps=10**9, batch=3, workers=workers)  # endless, and not listed first
    loader = batches(cast(Any, Counting()), 4, options, 0, 1)
    seen = [b["index"].tolist() for b in islice(loader, 3)]
    assert seen == [[12, 13, 14], [15, 16, 17], [18, 19, 20]]


@pytest.mark.parametrize("name", ["prior", "controlnet", "cfw"])
def test_spawned_processes_get_samples_and_no_networks(
    make_task: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def refuse(self: nn.Module, protocol: object) -> object:
        raise AssertionError(f"a {type(self).__name__} is copied")

    task = make_task(name)
    monkeypatch.setattr(nn.Module, "__reduce_ex__", refuse)
    copy = pickle.loads(pickle.dumps(task))
    one, other = task.sample("train", 3), copy.sample("train", 3)
    assert one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)
