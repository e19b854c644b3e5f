"""Locates the weights of metrics, and tells how to download them.

This module downloads nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from unfade.errors import WeightsError

VARIABLE = "UNFADE_METRICS"


@dataclass(frozen=True)
class MetricFile:
    """One file, or one repository of the hub, in a folder of weights.

    Attributes:
        names: below `metrics_folder()`, with "/"; each needs one of several where they are
            divided by "|".
        megabytes: to download, about.
        source: an address, or the id of a repository of the hub.
    """

    names: tuple[str, ...]
    megabytes: float
    source: str


@dataclass(frozen=True)
class MetricWeights:
    """The weights of a set of metrics.

    Attributes:
        name: of the folder and in tables.
        metrics: that need it, as `unfade evaluate --metrics` names them.
        licence: of code and weights.
        extra: a package beside ours that it needs too; empty for none.
    """

    name: str
    metrics: tuple[str, ...]
    licence: str
    files: tuple[MetricFile, ...]
    extra: str = ""


_PYTORCH = "https://download.pytorch.org/models"
_LPIPS = "https://github.com/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1"
_FID = "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights"
_IQA = "https://huggingface.co/chaofengc/IQA-PyTorch-Weights/resolve/main"

ALEXNET, LPIPS_HEADS = "lpips/alexnet-owt-7be5be79.pth", "lpips/alex.pth"
INCEPTION = "inception/pt_inception-2015-12-05-6726825d.pth"
CLIP = "clip-rn50/open_clip_model.safetensors"
CLIP_CONFIG = "clip-rn50/open_clip_config.json"
MUSIQ = "musiq/musiq_koniq_ckpt-e95806b9.pth"
WEIGHTS = (
    MetricWeights(
        "lpips",
        ("lpips",),
        "BSD-2-Clause (heads), BSD-3-Clause (AlexNet of torchvision)",
        (
            MetricFile((ALEXNET,), 244.4, f"{_PYTORCH}/alexnet-owt-7be5be79.pth"),
            MetricFile((LPIPS_HEADS,), 0.01, f"{_LPIPS}/alex.pth"),
        ),
    ),
    MetricWeights(
        "inception",
        ("fid", "kid"),
        "Apache-2.0",
        (MetricFile((INCEPTION,), 95.6, f"{_FID}/pt_inception-2015-12-05-6726825d.pth"),),
    ),
    MetricWeights(
        "dinov2",
        ("dinov2", "dinov2-lq"),
        "Apache-2.0",
        (
            MetricFile(
                ("dinov2/config.json", "dinov2/model.safetensors|pytorch_model.bin"),
                346,
                "facebook/dinov2-base",
            ),
        ),
    ),
    MetricWeights(
        "clip-rn50",
        ("clip-iqa",),
        "MIT",
        (
            MetricFile(
                (CLIP, CLIP_CONFIG, "clip-rn50/tokenizer.json"), 408, "timm/resnet50_clip.openai"
            ),
        ),
    ),
    MetricWeights(
        "musiq",
        ("musiq",),
        "pyiqa: CC BY-NC-SA 4.0, NON-COMMERCIAL; weights: Apache-2.0",
        (MetricFile((MUSIQ,), 108.6, f"{_IQA}/musiq_koniq_ckpt-e95806b9.pth"),),
        extra="iqa-nc",
    ),
)


def metrics_folder() -> Path:
    """The folder of the weights of metrics.

    The environment variable UNFADE_METRICS; else unfade/metrics in the user's cache, which is
    XDG_CACHE_HOME or ~/.cache.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "unfade" / "metrics"


def missing(file: MetricFile, folder: Path) -> list[str]:
    """The names that are not in the folder."""
    return [
        name
        for name in file.names
        if not any((folder / _sibling(name, choice)).is_file() for choice in name.split("|"))
    ]


def fetch_command(file: MetricFile, folder: Path) -> str:
    """The shell command that downloads the weights into the folder."""
    if file.source.startswith("https:"):
        return f'curl -L --create-dirs -o "{folder / file.names[0]}" {file.source}'
    to = folder / file.names[0].split("/")[0]
    return f'hf download {file.source} --local-dir "{to}" --exclude "*.bin" --exclude "*.h5"'


def require(name: str) -> Path:
    """The folder of the weights of all metrics, if this set is complete.

    Args:
        name: of one of WEIGHTS.

    Raises:
        WeightsError: a file is missing; the message has the command that fetches it.
    """
    folder = metrics_folder()
    (entry,) = (weights for weights in WEIGHTS if weights.name == name)
    for file in entry.files:
        if missing(file, folder):
            raise WeightsError(
                "no weights",
                f"those of {' and '.join(entry.metrics)}, about "
                f"{file.megabytes:g} MB ({entry.licence})",
                f"{fetch_command(file, folder)}   (or set {VARIABLE} to a folder that has them)",
                path=folder / missing(file, folder)[0].split("|")[0],
            )
    return folder


def _sibling(name: str, choice: str) -> str:
    """ "a/b|c" and "c" -> "a/c"."""
    return choice if "/" in choice else f"{name.rsplit('/', 1)[0]}/{choice}"
