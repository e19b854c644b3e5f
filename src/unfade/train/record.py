"""Writes the manifest of a training: task, recipe, photos, versions, and each start."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict, cast

from unfade import manifest
from unfade._version import __version__
from unfade.config import from_dict, to_dict
from unfade.data.sources import CleanPhoto, fingerprint
from unfade.errors import UsageError
from unfade.files import atomic_file
from unfade.train.inputs import Inputs

log = logging.getLogger(__name__)
_LIBRARIES = ("accelerate", "diffusers", "transformers", "tokenizers")
NAME = "run.json"


class Start(TypedDict):
    """A start or resumption of the training."""

    created: str  # ISO 8601, UTC
    unfade: str  # version
    commit: str | None  # of the checkout, None if unfade was installed
    dirty: bool | None  # whether that checkout had changes of its own
    command: list[str]
    device: str
    processes: int
    versions: dict[str, str]


class RunManifest(TypedDict):
    """Everything needed to train the same weights again."""

    task: str
    recipe: dict[str, Any]
    photos: int
    data_sha256: str
    base: str | None  # where the frozen networks came from
    controlnet: str | None
    starts: list[Start]
    weights: dict[str, str]  # file -> sha256; empty until the training is done
    peak_memory_mib: float | None


def begin(
    run: Path,
    task: str,
    recipe: Any,
    photos: Sequence[CleanPhoto],
    inputs: Inputs,
    group: Any,
) -> None:
    """Writes the manifest of a run or adds a start; warns if the inputs have changed.

    Raises:
        OutputError: it cannot be written.
    """
    commit, dirty = manifest.checkout()
    versions = manifest.versions()
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    start = Start(
        created=manifest.now(),
        unfade=__version__,
        commit=commit,
        dirty=dirty,
        command=["unfade", *sys.argv[1:]],
        device=str(group.device),
        processes=group.num_processes,
        versions=versions,
    )
    earlier = _read(run)
    record = RunManifest(
        task=task,
        recipe=to_dict(recipe),
        photos=len(photos),
        data_sha256=fingerprint(photos),
        base=inputs.base,
        controlnet=inputs.controlnet,
        starts=[*(earlier["starts"] if earlier else []), start],
        weights=earlier["weights"] if earlier else {},
        peak_memory_mib=None,
    )
    changed = _changed(earlier, record, recipe) if earlier else []
    if changed:
        log.warning(
            "%s: not as when this run began: %s; it goes on, but differs from an unbroken one",
            run,
            ", ".join(changed),
        )
    _write(run, record)


def finish(run: Path, weights: Path) -> None:
    """Adds the hashes of the trained weights, a file or a folder."""
    record = _read(run)
    assert record is not None
    below = [weights] if weights.is_file() else sorted(weights.rglob("*"))
    files = [p for p in below if p.is_file() and not p.name.startswith(".")]
    hashes = {p.relative_to(run).as_posix(): manifest.sha256_file(p) for p in files}
    record["weights"], record["peak_memory_mib"] = hashes, manifest.peak_memory_mib()
    _write(run, record)


def _changed(earlier: RunManifest, record: RunManifest, recipe: Any) -> list[str]:
    """The entries that differ; recipes are compared as dataclasses, whatever their version."""
    try:
        same_recipe = from_dict(earlier["recipe"], cast(type[Any], type(recipe))) == recipe
    except UsageError:
        same_recipe = False
    names = ("task", "recipe", "data_sha256", "base", "controlnet")
    differs = {name: earlier.get(name) != record.get(name) for name in names}
    differs["recipe"] = not same_recipe
    return [name for name in names if differs[name]]


def _read(run: Path) -> RunManifest | None:
    try:
        return cast(RunManifest, json.loads((run / NAME).read_text("utf-8")))
    except (OSError, ValueError):
        return None


def _write(run: Path, record: RunManifest) -> None:
    with atomic_file(run / NAME) as file:
        file.write((json.dumps(record, indent=2) + "\n").encode())
