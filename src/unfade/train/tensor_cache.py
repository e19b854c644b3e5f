"""Caches tensors on disk, in safetensors files of 64 items each."""

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

_ITEMS_PER_FILE = 64
_MAX_OPEN_FILES = 256  # systems allow about 1000
_STALE_S = 3600  # temporary files this old were left by a killed process


def weights_digest(network: nn.Module) -> str:
    """The SHA-256 of a network's weights, as float32."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode() + tensor.float().cpu().numpy().tobytes())
    return digest.hexdigest()


class TensorCache:
    """Named tensors of the items 0..count - 1; computes the files that are missing or damaged.

    The n processes of a training compute every n-th file each and wait for the others. They wait
    by polling the disk, because a barrier would time out after some minutes.

    Args:
        folder: holds the files and nothing else; a kill loses the work on one file.
        compute: returns the tensors of some items, by name, at least one for each item.
        progress: called with the number of items that are cached.

    Raises:
        OutputError: the folder or a file cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        count: int,
        compute: Callable[[range], Iterable[dict[str, Tensor]]],
        *,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self.folder = folder
        self._open_files: dict[int, Any] = {}
        self._names: tuple[int, frozenset[str]] = (-1, frozenset())
        make_folder(folder)
        remove_leftovers(folder, age_s=_STALE_S)
        rank, processes = share()
        for first in range(rank * _ITEMS_PER_FILE, count, processes * _ITEMS_PER_FILE):
            items = range(first, min(first + _ITEMS_PER_FILE, count))
            if not self._is_complete(first):
                tensors = {
                    f"{i}.{k}": v
                    for i, named in zip(items, compute(items), strict=True)
                    for k, v in named.items()
                }
                write_tensors(self._path(first), tensors, {})
            if progress is not None:
                progress(min(count, items.stop + (processes - 1) * _ITEMS_PER_FILE))
        for first in range(0, count, _ITEMS_PER_FILE):
            wait_for(lambda first=first: self._is_complete(first))

    def slices(self, item: int, name: str) -> Any:
        """A tensor that is read from disk when it is indexed: `slices(3, "z0")[:, 2:4]`."""
        return self._file(item).get_slice(f"{item}.{name}")

    def has(self, item: int, name: str) -> bool:
        """Whether an item has a tensor of this name."""
        number = item // _ITEMS_PER_FILE
        if self._names[0] != number:
            self._names = (number, frozenset(self._file(item).keys()))
        return f"{item}.{name}" in self._names[1]

    def __getstate__(self) -> dict[str, Any]:
        """Leaves open files out of copies for other processes."""
        return self.__dict__ | {"_open_files": {}}

    def _path(self, item: int) -> Path:
        return self.folder / f"{item // _ITEMS_PER_FILE:05d}.safetensors"

    def _file(self, item: int) -> Any:
        """The open file that holds an item."""
        number = item // _ITEMS_PER_FILE
        if number not in self._open_files:
            if len(self._open_files) >= _MAX_OPEN_FILES:
                del self._open_files[next(iter(self._open_files))]
            self._open_files[number] = cast(Any, safe_open)(self._path(item), "pt")
        return self._open_files[number]

    def _is_complete(self, item: int) -> bool:
        """Whether the item's file opens; a truncated file does not."""
        try:
            self._file(item)
        except (OSError, SafetensorError):
            return False
        return True
