"""Stores the results, scores and cost of one method on one case as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from unfade.bench.cases import Cost
from unfade.errors import InputError
from unfade.files import atomic_file
from unfade.manifest import Value, make_folder, sha256_file


@dataclass
class Result:
    """The result and scores of one image.

    Attributes:
        input: SHA-256 of the input.
        output: SHA-256 of the result.
        reference: SHA-256 of the clean photo that the scores are against; None without one.
        scored: whether it has been compared.
        scores: metric -> value, None if it is undefined for this image; as far as measured.
    """

    input: str
    output: str
    reference: str | None = None
    scored: bool = False
    scores: dict[str, float | None] = field(default_factory=dict[str, "float | None"])


@dataclass
class Record:
    """The results of one method in one case, kept as JSON beside their folder.

    Attributes:
        identity: of the method, as it was (`Method.identity`).
        results: name of an image -> its result.
        cost: over all calls that made them; None if it is not known.
        measured: key of the protocol and measures of the scores.
        distances: set measure -> value over all images.
        distances_of: which images those are.
    """

    identity: dict[str, Value] = field(default_factory=dict[str, Value])
    results: dict[str, Result] = field(default_factory=dict[str, Result])
    cost: Cost | None = None
    measured: str = ""
    distances: dict[str, float] = field(default_factory=dict[str, float])
    distances_of: str = ""

    @classmethod
    def read(cls, path: Path) -> Record:
        """Reads the record in a file; an empty one if it is missing or unreadable."""
        try:
            data = json.loads(path.read_bytes())
            data["results"] = {name: Result(**known) for name, known in data["results"].items()}
            data["cost"] = None if data["cost"] is None else Cost(**data["cost"])
            return cls(**data)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return cls()

    def write(self, path: Path) -> None:
        """Writes the record atomically. OutputError if it cannot be written."""
        make_folder(path.parent)
        with atomic_file(path) as file:
            file.write(json.dumps(asdict(self), indent=1).encode())

    def keep_valid(
        self, identity: Mapping[str, Value], inputs: Mapping[str, str], folder: Path
    ) -> None:
        """Drops outdated results: other inputs or method, or a changed or missing file.

        Args:
            identity: of the method as it is now.
            inputs: name -> SHA-256 as they are now.
            folder: of the results.
        """
        same = self.identity == dict(identity)
        self.results = {
            name: result
            for name, result in self.results.items()
            if same
            and result.input == inputs.get(name)
            and holds(folder / f"{name}.png", result.output)
        }
        self.identity = dict(identity)
        if not self.results:
            self.cost = None

    def add_cost(self, cost: Cost | None) -> None:
        """Adds the cost of another call."""
        before = self.cost
        if cost is None or before is None:
            self.cost = cost or before
            return
        self.cost = before.plus(cost)


def holds(path: Path, digest: str) -> bool:
    """Whether a file exists and has this SHA-256."""
    try:
        return sha256_file(path) == digest
    except InputError:
        return False
