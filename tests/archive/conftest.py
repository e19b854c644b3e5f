from __future__ import annotations

import pytest
from tests.archive.helpers import EPOCH


@pytest.fixture(autouse=True)
def fixed_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results of two runs are compared byte by byte."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
