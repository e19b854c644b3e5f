"""Manifests: the record of a restoration, as a JSON file beside the photo and as XMP in it."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple, TypedDict, cast
from xml.sax.saxutils import escape

from unfade._version import __version__
from unfade.errors import InputError, OutputError
from unfade.files import atomic_file, sha256_file
from unfade.files import make_folder as make_folder  # importable from here too, as before

Value = str | int | float | bool | list[str] | None

#: Options that do not change the picture: a result made with others is finished all the same.
#: Of a sensitivity the threshold that it stands for is compared.
INDIFFERENT = frozenset({"compiled", "device", "max_pixels", "sensitivity"})

_LIBRARIES = (
    "torch",
    "numpy",
    "pillow",
    "opencv-python-headless",
    "tifffile",
    "imagecodecs",
    "safetensors",
    "diffusers",
    "transformers",
)
_NAMESPACE = "urn:unfade:1.0/"
_IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/"


class InputRecord(TypedDict):
    """The photo that was restored."""

    name: str | None  # None where the photo came from memory
    sha256: str  # of the file, or of the pixels where there was no file
    bytes: int
    width: int
    height: int


class OutputRecord(TypedDict):
    """The file that the result was written to."""

    name: str
    sha256: str
    bytes: int


class Note(NamedTuple):
    """The part of a picture's XMP (`xmp_description`) that tells which run made it."""

    input_sha256: str
    created_s: float  # seconds since 1970


class Manifest(TypedDict):
    """Everything needed to make a result again, or to see that it need not be made again."""

    unfade: str  # version
    commit: str | None  # of the checkout that unfade ran from, None where it was installed
    dirty: bool | None  # whether that checkout had changes of its own
    created: str  # ISO 8601, UTC
    command: str | None  # makes the result again; None where the photo came from memory
    options: dict[str, Value]
    weights: dict[str, str]  # file -> sha256; of a model from the hub, its ID@REVISION
    versions: dict[str, str]  # of Python and of the libraries
    device: str
    input: InputRecord
    output: OutputRecord | None  # None until the result is saved
    damaged: float | None  # share of the pixels that were filled, 0..1; None where none was to be
    alignment: float | None  # -1..1, 1 = it shows what the input shows (`pipeline.consistency`)
    variant: int | None  # from 1, where the result is one of several
    diffusion: dict[str, float] | None  # how the diffusion model was run: strength, fidelity,
    # steps, draws, saturation, and by which damage (`pipeline.sampling`); None where none was asked
    colours: dict[str, float] | None  # how the first stage for colours was run
    # (`pipeline.colourise.ColourSettings`), or that the photo's own were refreshed; None where
    # neither was
    seconds: dict[str, float]  # by stage
    peak_memory_mib: float | None  # of the process until now; None where the system does not tell


#: Keys that the first version did not write.
_LATER = ("variant", "diffusion", "colours")


# --- gathering -------------------------------------------------------------------------------


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that touch the pixels."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def checkout() -> tuple[str | None, bool | None]:
    """The commit and the dirty flag of the checkout this package runs from, or None, None."""
    package = Path(__file__).resolve().parent
    root = package.parents[1]
    if package.parent.name != "src" or not (root / ".git").exists():
        return None, None
    try:
        commit = _git(root, "rev-parse", "--verify", "HEAD")
        return commit, bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None, None


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    return result.stdout.strip()


def peak_memory_mib() -> float | None:
    """The most memory that this process has held, in MiB; None where the system does not tell."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB, on macOS bytes
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)


def now() -> str:
    """This moment, ISO 8601, UTC, to the second.

    Where the variable SOURCE_DATE_EPOCH is set, it is that moment (seconds since 1970): the same
    settings then give the same bytes (reproducible-builds.org/specs/source-date-epoch).
    """
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = int(fixed) if fixed.isdecimal() else time.time()
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="seconds")


# --- files -----------------------------------------------------------------------------------


def sidecar(output: Path) -> Path:
    """Where the manifest of a result lies: `print.json` beside `print.jpg`.

    Where that name is taken (another result, such as `print.png`, or a file that is none of
    ours), it is `print.jpg.json`.
    """
    short = output.with_suffix(".json")
    if not os.path.lexists(short) or _describes(short, output):
        return short
    return output.with_name(output.name + ".json")


def claim(output: Path) -> Path:
    """`sidecar`, for writing. OutputError where a file that is none of ours has that name."""
    path = sidecar(output)
    if os.path.lexists(path) and not _describes(path, output):
        fix = "move it away, or name another OUT"
        raise OutputError("a file of another kind", "nothing, or a manifest", fix, path=path)
    return path


def find(output: Path) -> Manifest | None:
    """The manifest of a result, or None where there is none that describes this very name."""
    path = sidecar(output)
    return read(path) if _describes(path, output) else None


def _describes(path: Path, output: Path) -> bool:
    try:
        record = read(path)["output"]
    except InputError:
        return False
    return record is not None and record["name"] == output.name


def read(path: Path) -> Manifest:
    """The manifest in a file. InputError where it cannot be read or is no manifest."""
    try:
        return parse(path.read_bytes(), path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(reason, "a manifest", "check the name", path=path) from error


def parse(text: bytes, path: Path) -> Manifest:
    """The manifest in the contents of a file. InputError, which names the file, for others."""
    try:
        data: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        fix = "restore the photo again"
        raise InputError("no JSON", "a manifest of unfade", fix, path=path) from error
    problem = _problem(data)
    if problem:
        fix = "restore the photo again"
        raise InputError(problem, "a manifest of unfade", fix, path=path)
    return cast(Manifest, dict.fromkeys(_LATER) | cast(dict[str, object], data))


def _problem(data: object) -> str | None:
    """What keeps this JSON value from being a manifest. Unknown keys are let through."""
    if not isinstance(data, dict):
        return "JSON that is no object"
    fields = cast(dict[str, object], data)
    missing = [key for key in Manifest.__annotations__ if key not in {*fields, *_LATER}]
    if missing:
        return f"JSON without {', '.join(missing[:3])}"
    inner = [("input", InputRecord.__annotations__), ("output", OutputRecord.__annotations__)]
    for key, keys in inner:
        value = fields[key]
        if key == "output" and value is None:
            continue
        if not isinstance(value, dict) or any(k not in value for k in keys):
            return f"JSON with an incomplete '{key}'"
    if not all(isinstance(fields[key], dict) for key in ("options", "weights")):
        return "JSON with options or weights that are no objects"
    return None


def write(path: Path, manifest: Manifest) -> None:
    """Writes a manifest, whole or not at all. OutputError where that fails."""
    text = json.dumps(manifest, indent=2, ensure_ascii=True, allow_nan=False) + "\n"
    with atomic_file(path) as file:
        file.write(text.encode("ascii"))


def record_output(path: Path) -> OutputRecord:
    """The record of a file just written. OutputError where it has gone."""
    try:
        return OutputRecord(name=path.name, sha256=sha256_file(path), bytes=path.stat().st_size)
    except (InputError, OSError) as error:
        fix = "keep the folder as it is while unfade runs"
        raise OutputError("a result that vanished", "a file", fix, path=path) from error


def is_finished(
    manifest: Manifest,
    *,
    options: Mapping[str, Value],
    weights: Mapping[str, str],
    input_sha256: str,
) -> bool:
    """Whether this result is what restoring the same input now would give.

    The options in INDIFFERENT may differ; so may the commit, but not the version.
    """

    def relevant(values: Mapping[str, Value]) -> dict[str, Value]:
        return {key: value for key, value in values.items() if key not in INDIFFERENT}

    return (
        manifest["unfade"] == __version__
        and manifest["input"]["sha256"] == input_sha256
        and manifest["weights"] == dict(weights)
        and relevant(manifest["options"]) == relevant(options)
    )


# --- the note inside the picture -------------------------------------------------------------


def xmp_description(manifest: Manifest) -> str:
    """One rdf:Description that says that, and how, the photo was restored.

    It names no file and no folder of the machine it was made on. Apart from unfade's own
    properties it sets IPTC's DigitalSourceType: a photo with parts made by a trained model, or
    one that was enhanced only.
    """
    diffusion = manifest["diffusion"] or {}
    invented = bool(manifest["damaged"]) or bool(diffusion.get("strength"))
    kind = "compositeWithTrainedAlgorithmicMedia" if invented else "algorithmicallyEnhanced"
    options = {
        key: "file" if key == "mask" and value not in ("auto", "none") else value
        for key, value in manifest["options"].items()
        if key not in INDIFFERENT
    }
    regions = options.get("colour_regions")
    if isinstance(regions, list):
        options["colour_regions"] = [text.rpartition("=")[2] for text in regions]
    protected = options.get("protect")
    if isinstance(protected, list):
        options["protect"] = ["file" for _ in protected]
    for key in ("preset", "base", "controlnet"):
        options[key] = Path(str(options.get(key) or "")).name
    properties: dict[str, str] = {
        "Restored": "True",
        "Version": manifest["unfade"],
        "Date": manifest["created"],
        "Options": json.dumps(options, sort_keys=True),
        "Weights": json.dumps(manifest["weights"], sort_keys=True),
        "InputSHA256": manifest["input"]["sha256"],
    }
    if manifest["commit"]:
        properties["Commit"] = manifest["commit"] + (" (changed)" if manifest["dirty"] else "")
    if manifest["damaged"] is not None:
        properties["DamagedShare"] = f"{manifest['damaged']:.4f}"
    for name, value in diffusion.items():
        properties[name.capitalize()] = f"{value:.4f}" if isinstance(value, float) else str(value)
    if manifest["alignment"] is not None:
        properties["Alignment"] = f"{manifest['alignment']:.4f}"
    lines = [f"<unfade:{name}>{escape(text)}</unfade:{name}>" for name, text in properties.items()]
    return (
        '<rdf:Description rdf:about="" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        f'xmlns:unfade="{_NAMESPACE}" xmlns:Iptc4xmpExt="{_IPTC_EXT}">'
        f"<Iptc4xmpExt:DigitalSourceType>{_SOURCE_TYPE}{kind}</Iptc4xmpExt:DigitalSourceType>"
        f"{''.join(lines)}</rdf:Description>"
    )


def note(packet: bytes | None) -> Note | None:
    """What the XMP packet of a picture says of its restoration; None where it says nothing."""
    from unfade.imaging import xmp_tree as tree

    dom = tree.parse(packet)
    fields = {} if dom is None else {tree.name_of(f): f for _, f in tree.properties(dom)}
    digest, created = (fields.get((_NAMESPACE, name)) for name in ("InputSHA256", "Date"))
    if digest is None or created is None:
        return None
    try:
        moment = datetime.fromisoformat(tree.text(created))
    except ValueError:
        return None
    return Note(tree.text(digest), moment.timestamp())
