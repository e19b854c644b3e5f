"""`unfade models`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict, cast

import click

import unfade.manifest as manifests
from unfade.errors import InputError, UsageError, printable
from unfade.types import RESERVED_PRESETS


class FileState(TypedDict):
    """One file of a preset: what it is, and what it should be."""

    name: str
    state: str  # ok, missing, wrong (another sha256), unlisted (not in the preset's list)
    bytes: int | None
    sha256: str | None
    expected: str | None


class PresetState(TypedDict):
    """A preset and the state of its files."""

    name: str
    folder: str
    ok: bool
    note: str | None
    files: list[FileState]


@click.command()
@click.option(
    "--preset", "folder", metavar="PATH", help="Check this folder of weights in place of ours."
)
@click.option(
    "--seal",
    metavar="PATH",
    help="Record the hashes of the weights in a folder, which makes it a preset.",
)
@click.option("--json", "as_json", is_flag=True, help="The list for machines.")
def models(folder: str | None, seal: str | None, as_json: bool) -> int:
    """Show which weights are installed and which are missing, and check their hashes.

    The exit code is 1 where a file is missing or is not the expected one.
    """
    from unfade.models import presets

    if seal is not None:
        _seal(Path(seal))
        folder = folder or seal
    if folder is not None:
        found = [inspect(folder, Path(folder))]
    else:
        found = [inspect(name, presets.weights_folder() / name) for name in presets.PRESETS]
    if as_json:
        reserved = [] if folder is not None else list(RESERVED_PRESETS)
        click.echo(json.dumps({"presets": found, "reserved": reserved}))
    else:
        for preset in found:
            _show(preset)
        if folder is None:
            for name in RESERVED_PRESETS:
                click.echo(f"{name}: reserved for the diffusion model, not part of this version")
    return 0 if all(preset["ok"] for preset in found) else 1


def _seal(folder: Path) -> None:
    from unfade.models import presets

    if not folder.is_dir():
        raise UsageError("no folder", "a folder of weights", "check the name", path=folder)
    presets.write_manifest(folder)


def inspect(name: str, folder: Path) -> PresetState:
    """The state of each file that a preset in this folder must have."""
    from unfade.models import presets

    note: str | None = None
    hashes: dict[str, str] = {}
    if not folder.is_dir():
        note = "not installed: there is no such folder"
    else:
        try:
            text = (folder / presets.MANIFEST).read_text(encoding="utf-8")
            hashes = cast(dict[str, str], json.loads(text)["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            note = f"no readable {presets.MANIFEST}, the list of hashes; --seal writes one"
    files = [_inspect_file(folder / file, hashes.get(file)) for file in presets.FILES]
    ok = note is None and all(file["state"] == "ok" for file in files)
    return {"name": name, "folder": str(folder), "ok": ok, "note": note, "files": files}


def _inspect_file(path: Path, expected: str | None) -> FileState:
    digest, size = None, None
    try:
        digest, size = manifests.sha256_file(path), path.stat().st_size
    except (InputError, OSError):
        state = "missing"
    else:
        state = "unlisted" if expected is None else "ok" if digest == expected else "wrong"
    return {
        "name": path.name,
        "state": state,
        "bytes": size,
        "sha256": digest,
        "expected": expected,
    }


def _show(preset: PresetState) -> None:
    verdict = "ok" if preset["ok"] else "NOT USABLE"
    click.echo(f"{preset['name']}: {verdict} ({printable(Path(preset['folder']))})")
    if preset["note"]:
        click.echo(f"  {preset['note']}")
    for file in preset["files"]:
        size = "" if file["bytes"] is None else f"{file['bytes'] / 1e6:6.2f} MB"
        line = f"  {file['name']:24} {file['state']:8} {size:>10}  {file['sha256'] or ''}"
        click.echo(line.rstrip())
        if file["state"] == "wrong":
            click.echo(f"  {'':24} expected {'':10}  {file['expected']}")
    if not preset["ok"]:
        click.echo("  To mend it: install unfade again, or train the missing models.")
