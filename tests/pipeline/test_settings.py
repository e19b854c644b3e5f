from __future__ import annotations

from typing import Any

import pytest

from unfade.errors import UsageError
from unfade.pipeline.settings import DiffusionSettings


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 0}, {"strength": 1.5}, {"strength": float("nan")}, {"self_condition": -0.1},
        {"fidelity": 2}, {"guidance": -1}, {"seed": -1}, {"tile": 32}, {"overlap": 300},
        {"colour_fix": "wavelet", "keep_luminance": True},
    ],
)  # fmt: skip
def test_settings_refuse_what_makes_no_sense(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        DiffusionSettings(**changes)
