from __future__ import annotations

import sys
from pathlib import Path

import pytest

from unfade.errors import UsageError, WeightsError
from unfade.eval import weights
from unfade.eval.musiq import load_musiq


def test_missing_weights_and_package_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    with pytest.raises(WeightsError, match="NON-COMMERCIAL"):
        load_musiq()
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    monkeypatch.setitem(sys.modules, "pyiqa", None)  # as if it were not installed
    (tmp_path / "musiq").mkdir()
    (tmp_path / weights.MUSIQ).touch()
    with pytest.raises(UsageError, match="iqa-nc"):
        load_musiq()
