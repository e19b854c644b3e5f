"""Presets: named, complete sets of weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from unfade.errors import UsageError, WeightsError
from unfade.manifest import sha256_file

FILES = ("scratch.safetensors", "stage1.safetensors", "tone.safetensors")
MANIFEST = "preset.json"
PRESETS = ("compact",)


@dataclass(frozen=True)
class Preset:
    """A folder of weights and the hash of each file."""

    name: str
    folder: Path
    sha256: dict[str, str]


def weights_folder() -> Path:
    """Where the shipped presets live inside the package."""
    return Path(__file__).resolve().parent.parent / "weights"


def write_manifest(folder: Path) -> None:
    """Records the hashes of the weights in a folder, which makes it a preset."""
    hashes = {name: sha256_file(folder / name) for name in FILES if (folder / name).exists()}
    (folder / MANIFEST).write_text(json.dumps({"sha256": hashes}, indent=2) + "\n", "utf-8")


def find_preset(preset: str | Path) -> Preset:
    """A shipped preset by name, or a folder of weights; every hash is checked.

    Raises:
        UsageError: neither a name nor a folder.
        WeightsError: a file is missing or is not the one that the preset was made of.
    """
    folder = weights_folder() / str(preset) if str(preset) in PRESETS else Path(preset)
    if str(preset) in PRESETS and not folder.is_dir():
        fix = "install the package again, or pass a folder of weights"
        raise WeightsError("a missing folder", "the weights of this preset", fix, path=folder)
    if not folder.is_dir():
        raise UsageError(
            f"preset '{preset}'", f"one of {', '.join(PRESETS)} or a folder of weights",
            "check the name or the path",
        )  # fmt: skip
    manifest = folder / MANIFEST
    try:
        listed: dict[str, str] = json.loads(manifest.read_text(encoding="utf-8"))["sha256"]
        hashes = {str(name): str(digest) for name, digest in listed.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            "no readable list of hashes", f"a {MANIFEST} beside the weights",
            "install the package again; a folder of your own: `unfade models --seal FOLDER`",
            path=manifest,
        ) from error  # fmt: skip
    for name in FILES:
        _check(folder / name, hashes.get(name))
    return Preset(str(preset), folder, hashes)


def _check(path: Path, expected: str | None) -> None:
    fix = "install the package again"
    if expected is None or not path.exists():
        raise WeightsError("a missing file", "weights named in the preset", fix, path=path)
    found = sha256_file(path)
    if found != expected:
        raise WeightsError(f"sha256 {found[:12]}…", f"{expected[:12]}…", fix, path=path)
