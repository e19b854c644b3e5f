from __future__ import annotations

import sys

import pytest

from unfade.errors import UsageError
from unfade.train.launch import accelerator


def test_accelerator_is_one_process_when_started_alone() -> None:
    group = accelerator()
    assert group.num_processes == 1 and group.is_main_process
    assert accelerator().device == group.device


def test_accelerator_says_what_to_install_when_it_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(UsageError, match=r"pip install 'unfade\[train\]'"):
        accelerator()
