"""Defines the interface of a method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from unfade.bench.cases import Case, Cost
from unfade.errors import UnfadeError
from unfade.manifest import Value


class MethodError(UnfadeError):
    """An error of a method that could not restore an image."""


class Method(Protocol):
    """Anything that turns a folder of inputs into a folder of outputs."""

    @property
    def name(self) -> str:
        """The name in tables and in `Case.methods`."""
        ...

    @property
    def takes_whole_case(self) -> bool:
        """Whether it restores all images of a case in one call, as external programs do.

        The others are called once for each image: what is done outlasts a stop.
        """
        ...

    def check(self, cases: Sequence[Case]) -> None:
        """Called once, with the cases that it takes part in, before any method runs.

        Raises:
            UnfadeError: it could not restore one of them.
        """
        ...

    def identity(self, case: Case) -> Mapping[str, Value]:
        """Everything that its results depend on besides the inputs: options, hashes of weights.

        Results that were made under another identity are made again.
        """
        ...

    def restore_folder(
        self, case: Case, images: Mapping[str, Path], outputs: Path, log: Path
    ) -> Cost | None:
        """Restores images of one case; the runner reports images without a result.

        Args:
            case: the case of the images; its options apply to methods that have them.
            images: name -> file, some or all of the case's inputs.
            outputs: an existing folder; the result of `name` is written to `NAME.png` in it.
            log: file for the output of an external program; it need not exist.

        Returns:
            What that needed; None if it is not known.

        Raises:
            UnfadeError: no result could be made.
        """
        ...
