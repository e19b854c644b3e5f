"""Tensors that are made once and kept on disk, in files of some items each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from unfade.files import remove_leftovers
from unfade.manifest import make_folder
from unfade.models.tensors import write_tensors
from unfade.train.launch import share, wait_for

_CHUNK = 64  # items a file
_OPEN_FILES = 256  # at a time: systems allow about 1000
_STALE = 3600  # seconds; a file is written in far less


def weights_digest(network: nn.Module) -> str:
    """The SHA-256 of a network's weights, as float32."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode() + tensor.float().cpu().numpy().tobytes())
    return digest.hexdigest()


class Chunks:
    """Named tensors of items 0..count - 1. A file that is there and whole is not made again.

    The processes of a training make every n-th file each, and wait for those of the others. They
    wait by looking at the disk: in a barrier they would be given up after some minutes.

    Args:
        folder: holds the files and nothing else; a kill loses the work on one file.
        make: the tensors of some items, each by name, at least one.
        progress: called with the number of items that are there.

    Raises:
        OutputError: the folder or a file cannot be written.
    """

    def __init__(
        self, folder: Path, count: int, make: Callable[[range], Iterable[dict[str, Tensor]]],
        *, progress: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        self.folder = folder
        self._open: dict[int, Any] = {}
        self._names: tuple[int, frozenset[str]] = (-1, frozenset())
        make_folder(folder)
        remove_leftovers(folder, age_s=_STALE)
        rank, processes = share()
        for first in range(rank * _CHUNK, count, processes * _CHUNK):
            items = range(first, min(first + _CHUNK, count))
            if not self._whole(first):
                tensors = {
                    f"{i}.{k}": v
                    for i, named in zip(items, make(items), strict=True)
                    for k, v in named.items()
                }
                write_tensors(self._file(first), tensors, {})
            if progress is not None:
                progress(min(count, items.stop + (processes - 1) * _CHUNK))
        for first in range(0, count, _CHUNK):
            wait_for(lambda first=first: self._whole(first))

    def part(self, item: int, name: str) -> Any:
        """A tensor that is read when it is indexed: `part(3, "z0")[:, 2:4]`."""
        return self._opened(item).get_slice(f"{item}.{name}")

    def has(self, item: int, name: str) -> bool:
        """Whether an item has a tensor of this name."""
        chunk = item // _CHUNK
        if self._names[0] != chunk:
            self._names = (chunk, frozenset(self._opened(item).keys()))
        return f"{item}.{name}" in self._names[1]

    def __getstate__(self) -> dict[str, Any]:
        """Open files stay in the process that opened them."""
        return self.__dict__ | {"_open": {}}

    def _file(self, item: int) -> Path:
        return self.folder / f"{item // _CHUNK:05d}.safetensors"

    def _opened(self, item: int) -> Any:
        chunk = item // _CHUNK
        if chunk not in self._open:
            if len(self._open) >= _OPEN_FILES:
                del self._open[next(iter(self._open))]
            self._open[chunk] = cast(Any, safe_open)(self._file(item), "pt")
        return self._open[chunk]

    def _whole(self, item: int) -> bool:
        """Whether the item's file is there and opens, which it does not where it is cut short."""
        try:
            self._opened(item)
        except (OSError, SafetensorError):
            return False
        return True
