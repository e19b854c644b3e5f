"""pyarrow, which has no type stubs, as values of any type."""

from __future__ import annotations

import importlib
from typing import Any, TypeAlias

from unfade.errors import UsageError

Table: TypeAlias = Any  # pyarrow.Table


def _load(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        fix = "pip install '.[cluster]' in a clone of unfade"
        raise UsageError("no package pyarrow", "the package that keeps manifests", fix) from error


pa = _load("pyarrow")
pc = _load("pyarrow.compute")
pq = _load("pyarrow.parquet")
