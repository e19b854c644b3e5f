"""Returns unused memory to the system after a large photo."""

from __future__ import annotations

import ctypes
import functools
import gc
from collections.abc import Callable


def release_memory() -> None:
    """Frees what nobody uses, and hands the C library's free memory back where it can do that."""
    gc.collect()
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@functools.cache
def _malloc_trim() -> Callable[[int], int] | None:
    """glibc's function; None on other systems."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
