"""Gets weights of a given revision from the Hugging Face hub or its local cache."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from unfade.errors import WeightsError, first_line

_HUB_ID = re.compile(r"(?P<id>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")


def is_id(source: str) -> bool:
    """Whether a text has the form ID or ID@REVISION."""
    return _HUB_ID.fullmatch(source) is not None


def pinned(source: str, revisions: Mapping[str, str]) -> tuple[str, str] | None:
    """The id and revision of a model on the hub; None if the text lacks one.

    Args:
        revisions: the commits that ids without a revision stand for.
    """
    match = _HUB_ID.fullmatch(source)
    if match is None:
        return None
    revision = match["revision"] or revisions.get(match["id"])
    return None if revision is None else (match["id"], revision)


def fetched(
    source: str,
    files: Sequence[str],
    option: str,
    revisions: Mapping[str, str],
    nothing: Callable[[str], WeightsError],
    pickled: str = "",
) -> Path:
    """The folder that holds a repository of the hub, from the cache or fetched.

    A repository without the plain weights may have them in fp16, as `*.fp16.safetensors`.

    Args:
        source: ID@REVISION, or an id in `revisions`.
        files: patterns of the files to download.
        option: the argument that names the source.
        revisions: as in `pinned`.
        nothing: makes the error for weights that are not there, from the reason in brackets.
        pickled: file of weights that is fetched where there are none in safetensors; "" is none.

    Raises:
        WeightsError: nothing there, no revision, or no weights in safetensors.
    """
    import huggingface_hub

    if not is_id(source) or Path(source).exists():
        raise nothing("")
    pin = pinned(source, revisions)
    if pin is None:
        raise WeightsError(
            f"'{source}', neither a folder, a .safetensors file nor a pinned id of the hub",
            "a path, or ID@REVISION",
            "check the path (a training has its network in RUN/controlnet); of a model on the hub, "
            "name the commit, so that the same weights come each time",
        )
    name, revision = pin
    hub = cast(Any, huggingface_hub)
    try:
        where = Path(hub.snapshot_download(name, revision=revision, allow_patterns=[*files]))
        if not any(where.rglob("*.safetensors")):
            halves = [file.replace(".safetensors", ".fp16.safetensors") for file in files]
            where = Path(hub.snapshot_download(name, revision=revision, allow_patterns=halves))
        if pickled and not any(where.rglob("*.safetensors")):
            wanted = [file for file in files if not file.endswith(".safetensors")] + [pickled]
            where = Path(hub.snapshot_download(name, revision=revision, allow_patterns=wanted))
    except Exception as error:  # network, disk, hub: whatever it is, the way out is the same
        raise nothing(f" ({first_line(error)})") from error
    if not any(where.rglob("*.safetensors")) and not (pickled and (where / pickled).is_file()):
        raise WeightsError(
            f"no *.safetensors in '{source}'",
            f"weights in safetensors, or {pickled}"
            if pickled
            else "weights in safetensors: pickled ones are not read",
            f"fetch the same model in safetensors and name it as {option}=FOLDER",
        )
    return where


@contextmanager
def quiet_transformers() -> Generator[None]:
    """Silences progress bars and advice of transformers; errors are still raised."""
    from transformers.utils import logging

    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()
