"""Restores old photographs: detects the damage, repairs it, and keeps the rest.

>>> from unfade import Restorer
>>> restored = Restorer.from_pretrained("compact").restore("print.jpg")  # doctest: +SKIP
>>> restored.save("restored.jpg")  # doctest: +SKIP

Importing this package is quick: torch and the imaging libraries are loaded when they are needed.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

from unfade._version import __version__

if TYPE_CHECKING:
    from unfade.api import Restorer, restore
    from unfade.errors import UnfadeError
    from unfade.options import RestoreOptions
    from unfade.types import Restored

__all__ = [
    "RestoreOptions",
    "Restored",
    "Restorer",
    "UnfadeError",
    "__version__",
    "restore",
]

#: Settings by which a user chooses how threads wait: any of them is left as it is.
_WAIT_SETTINGS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")

# Threads that wait for each other in a loop take the processor from those they wait for, once
# another program runs too. OpenMP reads this when torch is loaded.
if not any(name in os.environ for name in _WAIT_SETTINGS):
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"

_HOMES = {
    "RestoreOptions": "unfade.options",
    "Restored": "unfade.types",
    "Restorer": "unfade.api",
    "UnfadeError": "unfade.errors",
    "restore": "unfade.api",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'unfade' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
