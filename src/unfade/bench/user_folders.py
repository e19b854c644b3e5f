"""Builds the table `own` from the user's folders of inputs and references."""

from __future__ import annotations

from pathlib import Path

from unfade.bench.case_files import inputs_of, references_of
from unfade.bench.cases import Case
from unfade.bench.methods.autoencoder import GIVEN
from unfade.bench.tables.base import Setting, Table
from unfade.errors import UsageError
from unfade.imaging import read_photo
from unfade.options import RestoreOptions

USER_FOLDERS = "own"
_METRICS = ("psnr", "ssim", "ms-ssim", "gmsd", "ciede2000", "niqe", "alignment")
_WITHOUT_REFERENCES = ("niqe", "colourfulness")


def user_folders_table(lq: Path, reference: Path | None) -> Table:
    """The table of these folders.

    Args:
        lq: the inputs. Where they are smaller than their references, methods are to enlarge them.
        reference: the clean photos under the names of the inputs, or None.
    """

    def cases(setting: Setting) -> list[Case]:
        name = lq.resolve().name
        case = Case(USER_FOLDERS, name, GIVEN, lq, reference, RestoreOptions(seed=setting.seed))
        return [_with_scale(case, setting.seed)]

    against = f" against {reference.resolve().name}" if reference is not None else ""
    return Table(
        USER_FOLDERS,
        f"{lq.resolve().name}{against}",
        "folders of one's own",
        "Every method on the same inputs.",
        cases,
        wanted_metrics=_METRICS if reference is not None else _WITHOUT_REFERENCES,
    )


def _with_scale(case: Case, seed: int) -> Case:
    """The case, with super-resolution as its task if references are larger.

    Raises:
        UsageError: a folder is missing or empty, or references differ in scale.
        InputError: a photo cannot be read.
    """
    references = references_of(case)
    scales: dict[float, str] = {}
    for name, path in inputs_of(case).items():
        if name in references:
            photo, target = read_photo(path), read_photo(references[name])
            scales[target.height / photo.height] = name
    if len(scales) > 1:
        differing = " and ".join(
            f"{scale:g} ({name})" for scale, name in sorted(scales.items())[:2]
        )
        fix = "put photos of each scale into folders of their own"
        raise UsageError(
            f"references {differing} times as high", "one scale", fix, path=case.inputs
        )
    scale = next(iter(scales), 1.0)
    if scale <= 1:
        return case
    options = RestoreOptions(task="super-resolution", scale=scale, seed=seed)
    return Case(case.table, case.dataset, case.degradation, case.inputs, case.references, options)
