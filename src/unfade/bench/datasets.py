"""Finds the photos and captions of published test sets, or of any folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import PIL.Image

from unfade.errors import InputError, UsageError
from unfade.eval.matching import unambiguous_photos

STABLESR_LQ, STABLESR_HQ = 128, 512  # pixels a side of StableSR's crops (arXiv 2305.07015, 4)


@dataclass(frozen=True)
class Pair:
    """A clean photo and, if the set has one, the damaged photo of the same scene.

    Attributes:
        name: of both, unique in the set, without "/".
        scale: how many pixels of `hq` a pixel of `lq` is wide.
    """

    name: str
    hq: Path
    lq: Path | None = None
    scale: int = 1


@dataclass(frozen=True)
class Dataset:
    """A set of photos.

    Attributes:
        name: as tables show it.
        pairs: sorted by name.
        captions: name -> a sentence about the photo; only for some.
        crops: whether the photos are crops already, to be taken as they are.
    """

    name: str
    pairs: tuple[Pair, ...]
    captions: dict[str, str]
    crops: bool = False


def find_div2k(data: Path) -> Dataset | None:
    """DIV2K's validation set: DIV2K_valid_HR, with DIV2K_valid_LR_bicubic/X4 where it is there.

    Raises:
        UsageError: not 100 photos, or low-resolution ones that do not belong to them.
    """
    root = _below(data, ("DIV2K",), "DIV2K_valid_HR")
    if root is None:
        return None
    clean = _flat(root / "DIV2K_valid_HR", 100)
    small = root / "DIV2K_valid_LR_bicubic" / "X4"
    if not small.is_dir():
        return _dataset("DIV2K", [Pair(name, path) for name, path in clean.items()])
    low = {name.removesuffix("x4"): path for name, path in _flat(small, 100).items()}
    return _dataset("DIV2K", _paired(clean, low, small, (4,)))


def find_gopro(data: Path) -> Dataset | None:
    """GOPRO's test set: test/SCENE/blur and test/SCENE/sharp.

    Raises:
        UsageError: not 1111 pairs, or other sizes.
    """
    root = _below(data, ("GOPRO", "GOPRO_Large"), "test")
    if root is None or not any((root / "test").glob("*/sharp")):
        return None
    sharp: dict[str, Path] = {}
    blurred: dict[str, Path] = {}
    for scene in sorted(path for path in (root / "test").iterdir() if path.is_dir()):
        for kind, paths in (("sharp", sharp), ("blur", blurred)):
            photos = _flat(scene / kind, None)
            paths |= {f"{scene.name}-{name}": path for name, path in photos.items()}
    _require_count(root / "test", len(sharp), 1111)
    return _dataset("GOPRO", _paired(sharp, blurred, root / "test", (1,)))


def find_realsr(data: Path) -> Dataset | None:
    """RealSR's test set for x4: StableSR's crops, or Canon/Test/4 and Nikon/Test/4.

    Raises:
        UsageError: not 100 pairs, or other sizes.
    """
    crops = _stablesr(data, "RealSR", ("RealSRVal_crop128",), 100)
    if crops is not None:
        return crops
    root = _below(data, ("RealSR(V3)", "RealSR"), "Canon/Test/4")
    if root is None:
        return None
    clean: dict[str, Path] = {}
    low: dict[str, Path] = {}
    for maker in ("Canon", "Nikon"):
        for name, path in _flat(root / maker / "Test" / "4", 100).items():
            for suffix, paths in (("_HR", clean), ("_LR4", low)):
                if name.endswith(suffix):
                    paths[name.removesuffix(suffix)] = path
    _require_count(root, len(clean), 100)
    return _dataset("RealSR", _paired(clean, low, root, (1, 4)))


def find_drealsr(data: Path) -> Dataset | None:
    """DRealSR's test set for x4: StableSR's crops, or Test_x4/test_HR and Test_x4/test_LR.

    Raises:
        UsageError: not 93 pairs, or other sizes.
    """
    crops = _stablesr(data, "DRealSR", ("DrealSRVal_crop128", "DRealSRVal_crop128"), 93)
    if crops is not None:
        return crops
    root = _below(data, ("DRealSR",), "Test_x4")
    if root is None:
        return None
    inner = root / "Test_x4"
    start = "test_" if (inner / "test_HR").is_dir() else ""
    clean = {n.removesuffix("_x4"): p for n, p in _flat(inner / f"{start}HR", 93).items()}
    low = {n.removesuffix("_x1"): p for n, p in _flat(inner / f"{start}LR", 93).items()}
    return _dataset("DRealSR", _paired(clean, low, inner, (1, 4)))


def find_stablesr_div2k(data: Path) -> Dataset | None:
    """StableSR's 3000 synthetic pairs from DIV2K's validation set.

    Raises:
        UsageError: not 3000 pairs, or other sizes.
    """
    return _stablesr(data, "DIV2K (StableSR's crops)", ("DIV2K_V2_val",), 3000)


def open_folder(data: Path) -> Dataset:
    """Any folder of clean photos.

    Raises:
        UsageError: there is no such folder, or no photo in it.
        InputError: two photos of one name.
    """
    photos = _flat(data, None)
    return _dataset(data.resolve().name, [Pair(name, path) for name, path in photos.items()])


FINDERS: dict[str, Callable[[Path], Dataset | None]] = {
    "DIV2K": find_div2k,
    "DIV2K-StableSR": find_stablesr_div2k,
    "RealSR": find_realsr,
    "DRealSR": find_drealsr,
    "GOPRO": find_gopro,
}


def find_datasets(data: Path, wanted: Iterable[str]) -> list[Dataset]:
    """The wanted sets that exist, or else others, or else the folder itself.

    Each has the captions of a `captions.jsonl` beside its photos (`read_captions`).

    Args:
        data: a set's folder, or the folder that holds several.
        wanted: keys of FINDERS, in order.

    Raises:
        UsageError: a set is there in part, or nothing is there at all.
        InputError: a photo or its captions cannot be read.
    """
    if not data.is_dir():
        raise UsageError("no such folder", "a folder of photos", "check the name", path=data)
    for names in (wanted, FINDERS):
        datasets = [dataset for name in names if (dataset := FINDERS[name](data)) is not None]
        if datasets:
            return [_captioned(dataset, data) for dataset in datasets]
    return [_captioned(open_folder(data), data)]


def _captioned(dataset: Dataset, data: Path) -> Dataset:
    """The set with the captions beside its photos, or in a folder above them, up to `data`."""
    photo = dataset.pairs[0].hq
    above = [folder for folder in photo.parents if folder.is_relative_to(data)]
    return replace(dataset, captions=_first_captions(above))


def size_of(path: Path) -> tuple[int, int]:
    """Height and width, from the header alone. InputError if it cannot be read."""
    try:
        with PIL.Image.open(path) as picture:
            return picture.height, picture.width
    except (OSError, ValueError) as error:
        raise InputError("an unreadable photo", "a picture", "fetch it again", path=path) from error


def _stablesr(data: Path, name: str, folders: tuple[str, ...], count: int) -> Dataset | None:
    root = next((data / f for f in folders if (data / f).is_dir()), None)
    root = data if root is None and data.name in folders else root
    if root is None:
        return None
    low, clean = ("test_LR", "test_HR") if (root / "test_HR").is_dir() else ("lq", "gt")
    hq = _flat(root / clean, count)
    pairs = _paired(hq, _flat(root / low, count), root, (4,))
    for pair in pairs:
        if size_of(pair.hq) != (STABLESR_HQ, STABLESR_HQ):
            height, width = size_of(pair.hq)
            expected = f"{STABLESR_HQ} x {STABLESR_HQ} as StableSR's crops are"
            raise UsageError(f"{width} x {height} pixels", expected, "fetch it again", path=pair.hq)
    return replace(_dataset(name, pairs), crops=True)


def _below(data: Path, names: tuple[str, ...], mark: str) -> Path | None:
    """The folder that holds `mark`: `data`, or one of these names in it."""
    return next((f for f in (data, *(data / n for n in names)) if (f / mark).is_dir()), None)


def _flat(folder: Path, count: int | None) -> dict[str, Path]:
    """Name -> photo; "/" in names becomes "-". UsageError if there are not `count` of them."""
    photos = unambiguous_photos(folder)
    if count is not None:
        _require_count(folder, len(photos), count)
    return {name.replace("/", "-"): path for name, path in photos.items()}


def _require_count(folder: Path, got: int, count: int) -> None:
    if got != count:
        fix = "unpack the archive again; a folder of photos of your own may hold any number"
        raise UsageError(f"{got} photos", f"{count} as published", fix, path=folder)


def _paired(
    clean: dict[str, Path], low: dict[str, Path], folder: Path, scales: tuple[int, ...]
) -> list[Pair]:
    """Pairs by name. UsageError if one is alone, or its size is none that the set has."""
    alone = sorted(clean.keys() ^ low.keys())
    if alone:
        got = f"{alone[0]} without its partner ({len(alone)} such)"
        raise UsageError(got, "a damaged photo for every clean one", "unpack it again", path=folder)
    pairs: list[Pair] = []
    for name, path in clean.items():
        large, small = size_of(path), size_of(low[name])
        fits = [s for s in scales if large == (small[0] * s, small[1] * s)]
        if not fits:
            wanted = " or ".join(f"{large[1] // s} x {large[0] // s}" for s in scales)
            got = f"{small[1]} x {small[0]} pixels"
            raise UsageError(got, f"{wanted} beside {path.name}", "fetch it again", path=low[name])
        pairs.append(Pair(name, path, low[name], fits[0]))
    return pairs


def _dataset(name: str, pairs: list[Pair]) -> Dataset:
    return Dataset(name, tuple(sorted(pairs, key=lambda pair: pair.name)), {})


def read_captions(path: Path) -> dict[str, list[str]]:
    """Captions by the name of the photo, without suffix; none where there is no such file.

    Args:
        path: lines of {"file": NAME, "captions": [SENTENCE, ...]}.

    Raises:
        InputError: the file cannot be read, or a line is none of these.
    """
    if not path.is_file():
        return {}
    captions: dict[str, list[str]] = {}
    try:
        for line in path.read_text("utf-8").splitlines():
            entry = json.loads(line)
            captions[Path(entry["file"]).stem] = [str(text) for text in entry["captions"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        fix = 'write {"file": ..., "captions": [...]} on each line'
        raise InputError("captions that cannot be read", "lines of JSON", fix, path=path) from error
    return captions


def _first_captions(folders: Iterable[Path]) -> dict[str, str]:
    """The first caption of each photo, from `captions.jsonl` in the first folder that has one."""
    for folder in folders:
        captions = read_captions(folder / "captions.jsonl")
        if captions:
            return {name: texts[0] for name, texts in captions.items() if texts}
    return {}
