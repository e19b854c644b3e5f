"""An older name of `unfade.files`, kept for one version."""

from unfade.files import atomic_file, remove_leftovers

__all__ = ["atomic_file", "remove_leftovers"]
