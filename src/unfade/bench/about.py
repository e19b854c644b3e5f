"""Collects the manifest of a report: versions, commit, machine, cases, options, failures."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from pathlib import Path
from typing import Any

import unfade.manifest as manifests
from unfade._version import __version__
from unfade.bench.cases import Case
from unfade.bench.run import Run
from unfade.bench.sections import finite


def about(run: Run, table: str, path: Path) -> dict[str, Any]:
    """The manifest of a folder: of this table as it ran now, of others as they ran.

    Args:
        path: of the manifest as it was; it need not exist.
    """
    commit, dirty = manifests.checkout()
    made = {"unfade": __version__, "commit": commit, "dirty": dirty, "created": manifests.now()}
    own = {
        **made,
        "methods": list(run.methods),
        "metrics": list(run.metrics),
        "protocol": {"space": run.protocol.space, "crop_border": run.protocol.crop_border},
        "cases": {case.name: _case(run, case) for case in run.cases if case.table == table},
        "failures": [f.error for f in run.failures if f.table == table],
    }
    before: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        before = json.loads(path.read_text("utf-8"))["tables"]
    machine = {"system": platform.platform(), "cores": os.cpu_count()}
    tables = {**before, table: own}
    return finite({**made, "versions": manifests.versions(), "machine": machine, "tables": tables})


def facts(manifest: dict[str, Any]) -> dict[str, str]:
    """What stands at the head of a report."""
    commit = manifest["commit"] or "not a checkout"
    changed = " with changes" if manifest["dirty"] else ""
    seeds = {case["seed"] for own in manifest["tables"].values() for case in own["cases"].values()}
    return {
        "unfade": str(manifest["unfade"]),
        "commit": f"{commit[:12]}{changed}",
        "made": str(manifest["created"]),
        "seed": ", ".join(map(str, sorted(seeds))) or "none",
        "machine": f"{manifest['machine']['system']}, {manifest['machine']['cores']} cores",
    }


def _case(run: Run, case: Case) -> dict[str, Any]:
    images = {row.image for method in run.methods for row in run.rows_of(case, method)}
    given = {name: str(getattr(case.options, name)) for name in sorted(case.options.given)}
    return {"images": len(images), "seed": case.options.seed, "options": given}
