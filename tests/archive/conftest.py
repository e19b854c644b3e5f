from __future__ import annotations

import os

import pytest
from tests.archive.helpers import EPOCH

# Read when Ray is imported: a run that was given up must not start a second Ray.
os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"


@pytest.fixture(autouse=True)
def fixed_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results of two runs are compared byte by byte."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
