"""Collects the manifest of a report: versions, commit, machine, cases, options, failures."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import unfade.manifest as manifests
from unfade._version import __version__
from unfade.bench.cases import Case
from unfade.bench.run import Run
from unfade.bench.sections import finite


def make_manifest(run: Run, table: str, path: Path) -> dict[str, Any]:
    """The manifest of an output folder: this table's run, and the earlier runs of other tables.

    Args:
        path: the earlier manifest, which may be missing.
    """
    commit, dirty = manifests.checkout()
    origin = {"unfade": __version__, "commit": commit, "dirty": dirty, "created": manifests.now()}
    entry = {
        **origin,
        "methods": list(run.methods),
        "metrics": list(run.metrics),
        "protocol": asdict(run.protocol),
        "cases": {case.name: _case(run, case) for case in run.cases if case.table == table},
        "failures": [f.error for f in run.failures if f.table == table],
    }
    earlier: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        earlier = json.loads(path.read_text("utf-8"))["tables"]
    machine = {"system": platform.platform(), "cores": os.cpu_count()}
    tables = {**earlier, table: entry}
    return finite(
        {**origin, "versions": manifests.versions(), "machine": machine, "tables": tables}
    )


def report_facts(manifest: dict[str, Any]) -> dict[str, str]:
    """The facts at the head of a report: version, commit, time, seeds, machine."""
    commit = manifest["commit"] or "not a checkout"
    changed = " with changes" if manifest["dirty"] else ""
    seeds = {
        case["seed"] for entry in manifest["tables"].values() for case in entry["cases"].values()
    }
    return {
        "unfade": str(manifest["unfade"]),
        "commit": f"{commit[:12]}{changed}",
        "made": str(manifest["created"]),
        "seed": ", ".join(map(str, sorted(seeds))) or "none",
        "machine": f"{manifest['machine']['system']}, {manifest['machine']['cores']} cores",
    }


def _case(run: Run, case: Case) -> dict[str, Any]:
    images = {row.image for method in run.methods for row in run.rows_of(case, method)}
    options = {name: str(getattr(case.options, name)) for name in sorted(case.options.changed)}
    return {"images": len(images), "seed": case.options.seed, "options": options}
