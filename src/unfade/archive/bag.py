"""Writes the folder of results as a BagIt bag (RFC 8493): `data/`, and files of checksums."""

from __future__ import annotations

import hashlib

import unfade.manifest as manifests
from unfade._version import __version__
from unfade.archive.arrow import pc
from unfade.archive.manifest import ArchiveManifest
from unfade.archive.storage import Storage
from unfade.archive.work import DONE

PAYLOAD = "data"
_DECLARATION = "bagit.txt"
_CHECKSUMS = "manifest-sha256.txt"


def is_bag(storage: Storage) -> bool:
    """Whether a DST is a bag."""
    return storage.size(_DECLARATION) is not None


def declare(storage: Storage) -> None:
    """Makes an empty DST a bag."""
    storage.write(_DECLARATION, b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")


def write_checksums(storage: Storage, manifest: ArchiveManifest) -> int:
    """Writes the checksums of all results and their JSON files; returns how many."""
    columns = ["key", "state", "output_sha256", "sidecar", "sidecar_sha256"]
    table = manifest.read(columns)
    table = table.filter(pc.equal(table["state"].cast("string"), DONE))
    lines: list[str] = []
    for name, digest in (("key", "output_sha256"), ("sidecar", "sidecar_sha256")):
        for file, sha256 in zip(table[name].to_pylist(), table[digest].to_pylist(), strict=True):
            lines.append(f"{sha256}  {PAYLOAD}/{_escaped(file)}\n")
    info = f"Bag-Software-Agent: unfade {__version__}\nBagging-Date: {manifests.now()[:10]}\n"
    declared = storage.read(_DECLARATION) or b""
    tags = {
        _DECLARATION: declared, "bag-info.txt": info.encode(), _CHECKSUMS: "".join(lines).encode()
    }  # fmt: skip
    for name, text in tags.items():
        if name != _DECLARATION:
            storage.write(name, text)
    sums = [f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in tags.items()]
    storage.write("tagmanifest-sha256.txt", "".join(sums).encode())
    return len(lines)


def _escaped(name: str) -> str:
    """A file name escaped as RFC 8493 requires."""
    return name.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")
