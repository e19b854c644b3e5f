"""Makes a DST a bag (BagIt, RFC 8493): its results lie in `data`, with a file of checksums."""

from __future__ import annotations

import hashlib

import unfade.manifest as manifests
from unfade._version import __version__
from unfade.archive.arrow import pc
from unfade.archive.manifest import ArchiveManifest
from unfade.archive.places import Place
from unfade.archive.work import DONE

PAYLOAD = "data"
_DECLARATION = "bagit.txt"
_CHECKSUMS = "manifest-sha256.txt"


def is_bag(place: Place) -> bool:
    """Whether a DST is a bag."""
    return place.size(_DECLARATION) is not None


def declare(place: Place) -> None:
    """Makes an empty DST a bag."""
    place.write(_DECLARATION, b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")


def write_checksums(place: Place, manifest: ArchiveManifest) -> int:
    """Writes the checksums of all results and their JSON files; says how many they are."""
    columns = ["key", "state", "output_sha256", "sidecar", "sidecar_sha256"]
    table = manifest.read(columns)
    table = table.filter(pc.equal(table["state"].cast("string"), DONE))
    lines: list[str] = []
    for name, digest in (("key", "output_sha256"), ("sidecar", "sidecar_sha256")):
        for file, sha256 in zip(table[name].to_pylist(), table[digest].to_pylist(), strict=True):
            lines.append(f"{sha256}  {PAYLOAD}/{_escaped(file)}\n")
    info = f"Bag-Software-Agent: unfade {__version__}\nBagging-Date: {manifests.now()[:10]}\n"
    declared = place.read(_DECLARATION) or b""
    tags = {
        _DECLARATION: declared, "bag-info.txt": info.encode(), _CHECKSUMS: "".join(lines).encode()
    }  # fmt: skip
    for name, text in tags.items():
        if name != _DECLARATION:
            place.write(name, text)
    sums = [f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in tags.items()]
    place.write("tagmanifest-sha256.txt", "".join(sums).encode())
    return len(lines)


def _escaped(name: str) -> str:
    """A name as RFC 8493 has it in a line."""
    return name.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")
