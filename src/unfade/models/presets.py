"""Finds and checks presets: named, complete sets of weights.

A preset is a folder. The three files of the first stage are in every one; those of
super-resolution and of colours may be missing. The diffusion model is there as a whole or not at
all, in diffusers' layout (`models.folder`); its CFW may be missing.
`preset.json` lists every file by its path in the folder, with its SHA-256, and may say how its
diffusion model is best run for which task (`Defaults`): `"strength": {"old-photo": 0.2}`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unfade.errors import UsageError, WeightsError
from unfade.manifest import sha256_file
from unfade.options import MAX_STEPS, MAX_VARIANTS, TASKS

FILES = ("scratch.safetensors", "stage1.safetensors", "tone.safetensors")
ENLARGER = "enlarger.safetensors"
COLOUR = "colour.safetensors"
DIFFUSION_PARTS = ("vae", "unet", "text_encoder", "tokenizer", "scheduler", "controlnet")
CFW = "cfw"
MANIFEST = "preset.json"
SHIPPED = ("compact",)
#: The first stage of the compact preset, with a base model and a ControlNet from elsewhere.
SD21 = "sd21"
PRESETS = (*SHIPPED, SD21)


@dataclass(frozen=True)
class Defaults:
    """How a diffusion model is best run, by task, where the options do not say
    (`pipeline.sampling`).

    Attributes:
        strength: the most that "auto" gives it, 0..1; 0 leaves it out.
        fidelity: what "auto" gives fidelity, posterior mean and VAE residual, 0..1, in place of one
            by the damage.
        steps: how many "auto" takes, 1..1000.
        draws: of colorize: how many results, from different noise, the colours are the mean of,
            1..100.
        saturation: of colorize without a prompt: factor of the predicted chroma, 0..2;
            less than 1 where a model is surer of its colours than it is right. Colours that a
            prompt asks for come out in full.
    """

    strength: dict[str, float] = field(default_factory=dict[str, float])
    steps: dict[str, int] = field(default_factory=dict[str, int])
    draws: dict[str, int] = field(default_factory=dict[str, int])
    saturation: dict[str, float] = field(default_factory=dict[str, float])
    fidelity: dict[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True)
class Preset:
    """A folder of weights.

    Attributes:
        sha256: path in the folder, with "/" -> the hash that the file should have.
        defaults: of its diffusion model.
    """

    name: str
    folder: Path
    sha256: dict[str, str]
    defaults: Defaults = field(default_factory=Defaults)

    def part(self, name: str) -> dict[str, str]:
        """The files of one part, as vae/ or cfw/, and their hashes; none where it is missing."""
        return {file: digest for file, digest in self.sha256.items() if file.startswith(f"{name}/")}

    @property
    def first_stage(self) -> dict[str, str]:
        """The files that every preset has, and their hashes."""
        return {name: self.sha256[name] for name in FILES}

    def optional(self, file: str) -> dict[str, str]:
        """A file that a preset may lack, `ENLARGER` or `COLOUR`, and its hash; else empty."""
        return {name: digest for name, digest in self.sha256.items() if name == file}

    @property
    def missing(self) -> list[str]:
        """The missing parts of the diffusion model: none or all of them."""
        return [name for name in DIFFUSION_PARTS if not self.part(name)]

    def check(self, files: Iterable[str]) -> None:
        """Checks the hashes of files. WeightsError if one differs from the list."""
        for name in files:
            _check(self.folder / name, self.sha256[name])


def weights_folder() -> Path:
    """The folder of the shipped presets in the package."""
    return Path(__file__).resolve().parent.parent / "weights"


def found_files(folder: Path) -> list[str]:
    """The sorted paths, with "/", of a preset's files in a folder."""
    files = [name for name in (*FILES, ENLARGER, COLOUR) if (folder / name).is_file()]
    for part in (*DIFFUSION_PARTS, CFW):
        paths = (path.relative_to(folder) for path in (folder / part).rglob("*") if path.is_file())
        files += [p.as_posix() for p in paths if not any(x.startswith(".") for x in p.parts)]
    return sorted(files)


def write_manifest(folder: Path) -> None:
    """Records the hashes of the weights in a folder, which makes it a preset.

    What an earlier list says of its `Defaults` stays, if it can be read.

    Raises:
        WeightsError: there is a part of the diffusion model without the others.
        OutputError: the list cannot be written.
    """
    from unfade.files import atomic_file

    listed: dict[str, Any] = {}
    listed["sha256"] = hashes = {name: sha256_file(folder / name) for name in found_files(folder)}
    _refuse_incomplete(folder, hashes)
    with contextlib.suppress(WeightsError):
        defaults = {name: _section(folder, name) for name in Defaults.__dataclass_fields__}
        listed |= {name: values for name, values in defaults.items() if values}
    with atomic_file(folder / MANIFEST) as file:
        file.write((json.dumps(listed, indent=2) + "\n").encode())


def read_manifest(folder: Path) -> dict[str, str]:
    """The hashes that a folder's list gives.

    Raises:
        WeightsError: there is no list, or none that can be read.
    """
    return {str(name): str(digest) for name, digest in _section(folder, "sha256").items()}


def read_defaults(folder: Path) -> Defaults:
    """The defaults in a folder's list, of which most have none.

    Raises:
        WeightsError: there is no list that can be read, or it names another task or a value out
            of range.
    """
    strength = _by_task(folder, "strength", TASKS, (int, float), (0, 1))
    saturation = _by_task(folder, "saturation", ("colorize",), (int, float), (0, 2))
    fidelity = _by_task(folder, "fidelity", TASKS, (int, float), (0, 1))
    return Defaults(
        {task: float(value) for task, value in strength.items()},
        _by_task(folder, "steps", TASKS, (int,), (1, MAX_STEPS)),
        _by_task(folder, "draws", ("colorize",), (int,), (1, MAX_VARIANTS)),
        {task: float(value) for task, value in saturation.items()},
        {task: float(value) for task, value in fidelity.items()},
    )


def _by_task(
    folder: Path, name: str, tasks: Sequence[str], kinds: tuple[type, ...], ends: tuple[int, int]
) -> dict[str, Any]:
    """One object of a folder's list: a task -> a number, both checked."""
    listed, (least, most) = _section(folder, name), ends
    for task, value in listed.items():
        valid = isinstance(value, kinds) and not isinstance(value, bool)
        if task not in tasks or not valid or not least <= value <= most:
            kind = "a number" if float in kinds else "a whole number"
            raise WeightsError(
                f"{name} {{{task!r}: {value!r}}}",
                f"one of {', '.join(tasks)}, with {kind} from {least} to {most}",
                f"change it in {MANIFEST}",
                path=folder / MANIFEST,
            )
    return listed


def _section(folder: Path, name: str) -> dict[str, Any]:
    """One object of a folder's list; but for the hashes, empty where there is none."""
    path = folder / MANIFEST
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        section = listed["sha256"] if name == "sha256" else listed.get(name, {})
        return {str(key): value for key, value in section.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            "no readable list of hashes",
            f"a {MANIFEST} beside the weights",
            "install the package again; a folder of your own: `unfade models --seal FOLDER`",
            path=path,
        ) from error


def find_preset(preset: str | Path) -> Preset:
    """Finds a preset by name or folder, and checks that every listed file exists.

    The hashes of the first stage are checked; those of the diffusion model are left to
    `Preset.check`, for where it is loaded.

    Raises:
        UsageError: neither a name nor a folder.
        WeightsError: a file is missing or is not the one that the preset was made of.
    """
    shipped = str(preset) in PRESETS
    folder = weights_folder() / "compact" if shipped else Path(preset)
    if shipped and not folder.is_dir():
        fix = "install the package again, or pass a folder of weights"
        raise WeightsError("no such folder", "the weights of this preset", fix, path=folder)
    if not folder.is_dir():
        raise UsageError(
            f"preset '{preset}'",
            f"one of {', '.join(PRESETS)} or a folder of weights",
            "check the name or the path",
        )
    hashes = read_manifest(folder)
    if str(preset) == SD21:
        allowed = (*FILES, ENLARGER, COLOUR)
        hashes = {name: digest for name, digest in hashes.items() if name in allowed}
    _refuse_incomplete(folder, hashes)
    for name in (*FILES, *hashes):
        if name not in hashes or not (folder / name).is_file():
            raise _missing(folder / name)
    defaults = Defaults() if str(preset) == SD21 else read_defaults(folder)
    loaded = Preset(str(preset), folder, hashes, defaults)
    loaded.check(FILES)
    return loaded


def _refuse_incomplete(folder: Path, hashes: dict[str, str]) -> None:
    """WeightsError if only some parts of the diffusion model exist."""
    parts = {name.split("/")[0] for name in hashes} & {*DIFFUSION_PARTS, CFW}
    missing = [name for name in DIFFUSION_PARTS if name not in parts]
    if parts and missing:
        raise WeightsError(
            f"{', '.join(f'{name}/' for name in sorted(parts))} without "
            f"{', '.join(f'{name}/' for name in missing)}",
            "the whole diffusion model or nothing of it",
            "add what is missing",
            path=folder,
        )


def _missing(path: Path) -> WeightsError:
    fix = "install the package again"
    return WeightsError("no such file", "weights named in the preset", fix, path=path)


def _check(path: Path, expected: str) -> None:
    if not path.is_file():
        raise _missing(path)
    digest = sha256_file(path)
    if digest != expected:
        fix = "install the package again"
        raise WeightsError(f"sha256 {digest[:12]}…", f"{expected[:12]}…", fix, path=path)
