"""Command `unfade models`: lists the weights of presets and metrics, and checks their hashes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import click

import unfade.manifest as manifests
from unfade.errors import InputError, UsageError, WeightsError, printable


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
    diffusion: str  # ok, none (the first stage alone is there), or what is wrong with it
    files: list[FileState]


class BaseState(TypedDict):
    """The base model of a preset that comes from the hub."""

    name: str
    base: str  # ID@REVISION
    cached: bool  # whether it has been fetched to the hub's cache


class MetricState(TypedDict):
    """The weights of some metrics of `unfade evaluate`."""

    name: str
    metrics: list[str]
    ok: bool
    missing: list[str]  # files
    megabytes: float  # to download for what is missing
    licence: str
    commands: list[str]  # that fetch what is missing


@click.command()
@click.option(
    "--preset", "folder", metavar="PATH", help="Check this folder of weights in place of ours."
)
@click.option(
    "--seal",
    metavar="PATH",
    help="Record the hashes of the weights in a folder, which makes it a preset.",
)
@click.option(
    "--average",
    "shares",
    multiple=True,
    metavar="FILE=SHARE",
    help="Write the mean of weights of one network to --out; given once for each file.",
)
@click.option("--out", "-o", type=click.Path(path_type=Path), metavar="FILE", help="Of --average.")
@click.option("--json", "as_json", is_flag=True, help="The list for machines.")
def models(
    folder: str | None, seal: str | None, shares: tuple[str, ...], out: Path | None, as_json: bool
) -> int:
    """Show which weights are installed and which are missing, and check their hashes.

    The exit code is 1 where a file of a preset is missing or is not the expected one.

    \b
    Examples:
      unfade models
      unfade models --seal my-preset/
      unfade models --average a.safetensors=0.4 --average b.safetensors=0.6 -o mean.safetensors
    """
    from unfade.models import presets

    if shares or out is not None:
        _average(shares, out)
        return 0

    if seal is not None:
        _seal(Path(seal))
        folder = folder or seal
    external: list[BaseState] = []
    metrics: list[MetricState] = []
    if folder is not None:
        states = [inspect(folder, Path(folder))]
    else:
        states = [inspect(name, presets.weights_folder() / name) for name in presets.SHIPPED]
        external.append(_sd21())
        metrics = _metrics()
    if as_json:
        click.echo(json.dumps({"presets": states, "external": external, "metrics": metrics}))
    else:
        for preset in states:
            _print_preset(preset)
        for state in external:
            _print_external(state)
        _print_metrics(metrics)
    return 0 if all(preset["ok"] for preset in states) else 1


def _average(texts: Sequence[str], out: Path | None) -> None:
    """Writes the weighted mean of --average to --out."""
    from unfade.models.checkpoint import average_weights

    shares: dict[Path, float] = {}
    for text in texts:
        name, _, share = text.rpartition("=")
        try:
            shares[Path(name)] = float(share)
        except ValueError:
            got = f"--average {text}"
            raise UsageError(got, "FILE=SHARE", "write net.safetensors=0.5") from None
    if out is None or not shares:
        raise UsageError("one of --average and --out", "both", "name the files and the result")
    average_weights(shares, out)
    click.echo(printable(out))


def _seal(folder: Path) -> None:
    from unfade.models import presets

    if not folder.is_dir():
        raise UsageError("no folder", "a folder of weights", "check the name", path=folder)
    presets.write_manifest(folder)


def _sd21() -> BaseState:
    import huggingface_hub

    from unfade.models.presets import SD21
    from unfade.models.sd21 import SD21_ID, SD21_REVISION

    file = "unet/diffusion_pytorch_model.safetensors"
    path = huggingface_hub.try_to_load_from_cache(SD21_ID, file, revision=SD21_REVISION)
    return {
        "name": SD21, "base": f"{SD21_ID}@{SD21_REVISION}", "cached": isinstance(path, str)
    }  # fmt: skip


def _metrics() -> list[MetricState]:
    from unfade.eval import weights

    folder = weights.metrics_folder()
    states: list[MetricState] = []
    for entry in weights.WEIGHTS:
        missing_files = [file for file in entry.files if weights.missing(file, folder)]
        commands = [weights.fetch_command(file, folder) for file in missing_files]
        if missing_files and entry.extra:
            commands.append(f"pip install '.[{entry.extra}]'")
        states.append({
            "name": entry.name, "metrics": [*entry.metrics], "ok": not missing_files,
            "missing": [name for file in missing_files for name in weights.missing(file, folder)],
            "megabytes": sum(file.megabytes for file in missing_files), "licence": entry.licence,
            "commands": commands,
        })  # fmt: skip
    return states


def inspect(name: str, folder: Path) -> PresetState:
    """The state of each file that a preset in this folder has or must have."""
    from unfade.models import presets

    note: str | None = None
    hashes: dict[str, str] = {}
    if not folder.is_dir():
        note = "not installed: there is no such folder"
    else:
        try:
            hashes = presets.read_manifest(folder)
        except WeightsError:
            note = f"no readable {presets.MANIFEST}, the list of hashes; --seal writes one"
    names = {*presets.FILES, *hashes, *presets.found_files(folder)}
    parts = {name.split("/")[0] for name in names if "/" in name}
    missing_parts = [part for part in presets.DIFFUSION_PARTS if part not in parts]
    files = [_inspect_file(folder, file, hashes.get(file)) for file in sorted(names)]
    valid = note is None and all(file["state"] == "ok" for file in files)
    diffusion = "ok" if valid else "not usable"
    if missing_parts:
        missing = ", ".join(f"{part}/" for part in missing_parts)
        diffusion = f"incomplete: no {missing}" if parts else f"none: no {missing}"
    ok = valid and not (missing_parts and parts)
    return {
        "name": name, "folder": str(folder), "ok": ok, "note": note, "diffusion": diffusion,
        "files": files,
    }  # fmt: skip


def _inspect_file(folder: Path, name: str, expected: str | None) -> FileState:
    path, digest, size = folder / name, None, None
    try:
        digest, size = manifests.sha256_file(path), path.stat().st_size
    except (InputError, OSError):
        state = "missing"
    else:
        state = "unlisted" if expected is None else "ok" if digest == expected else "wrong"
    return {"name": name, "state": state, "bytes": size, "sha256": digest, "expected": expected}


def _print_preset(preset: PresetState) -> None:
    verdict = "ok" if preset["ok"] else "NOT USABLE"
    click.echo(f"{preset['name']}: {verdict} ({printable(Path(preset['folder']))})")
    if preset["note"]:
        click.echo(f"  {preset['note']}")
    width = max(len(file["name"]) for file in preset["files"])
    for file in preset["files"]:
        size = "" if file["bytes"] is None else f"{file['bytes'] / 1e6:6.2f} MB"
        line = f"  {file['name']:{width}} {file['state']:8} {size:>10}  {file['sha256'] or ''}"
        click.echo(line.rstrip())
        if file["state"] == "wrong":
            click.echo(f"  {'':{width}} expected {'':10}  {file['expected']}")
    click.echo(f"  diffusion model: {preset['diffusion']}")
    if not preset["ok"]:
        click.echo("  To mend it: install unfade again, or train the missing models.")


def _print_external(state: BaseState) -> None:
    location = "in the hub's cache" if state["cached"] else "not fetched yet"
    click.echo(f"{state['name']}: the first stage of compact, with a base model and a ControlNet")
    click.echo(f"  --base, by default {state['base']} ({location})")
    click.echo("  --controlnet FOLDER, as `unfade train controlnet` writes it")


def _print_metrics(states: list[MetricState]) -> None:
    if not states:
        return
    from unfade.eval.weights import VARIABLE, metrics_folder

    click.echo(f"metrics: in {printable(metrics_folder())} (or where {VARIABLE} says)")
    for state in states:
        verdict = "ok" if state["ok"] else f"missing, {state['megabytes']:.4g} MB"
        names = ", ".join(state["metrics"])
        click.echo(f"  {state['name']} ({names}): {verdict}. {state['licence']}")
        for command in state["commands"]:
            click.echo(f"    {command}")
