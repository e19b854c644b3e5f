from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
import pytest

from unfade.api import Restorer

if TYPE_CHECKING:
    from unfade.models.folder import Base

MakePhoto = Callable[..., Path]


@pytest.fixture(scope="session")
def restorer() -> Restorer:
    """The shipped weights, on the processor."""
    return Restorer.from_pretrained("compact", device="cpu")


@pytest.fixture
def ordinary_folder() -> Iterator[Path]:
    """An empty folder, seen by a user who is not root: root may read and write everything."""
    folder = Path(tempfile.mkdtemp())
    user = os.geteuid()
    if user == 0:
        folder.chmod(0o777)
        os.seteuid(65534)
    try:
        yield folder
    finally:
        os.seteuid(user)
        shutil.rmtree(folder)


@pytest.fixture
def make_photo(tmp_path: Path) -> MakePhoto:
    """Writes a small, smooth, scratched picture below tmp_path; missing folders are made."""

    def make(name: str | bytes, *, height: int = 64, width: int = 80, seed: int = 0) -> Path:
        path = tmp_path / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed)
        coarse = rng.integers(60, 190, (4, 5, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        cv2.line(image, (width // 4, 0), (width // 3, height), (255, 255, 255), 2)
        done, data = cv2.imencode(path.suffix, image)
        assert done
        path.write_bytes(data.tobytes())
        return path

    return make


@pytest.fixture(scope="session")
def tiny_sd(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """Random weights of Stable Diffusion 2.1's architecture, a thousand times smaller."""
    return make_tiny_sd(tmp_path_factory.mktemp("tokenizer"), "sd21")


@pytest.fixture(scope="session")
def tiny_sd15(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """Random weights of Stable Diffusion 1.5's architecture, a thousand times smaller."""
    return make_tiny_sd(tmp_path_factory.mktemp("tokenizer"), "sd15")


def make_tiny_sd(folder: Path, generation: Literal["sd15", "sd21"]) -> Base:
    """Random weights; the folder gets the tokenizer."""
    import torch

    from unfade.models import sd15, sd21
    from unfade.models.folder import Base, load_tokenizer

    write_clip_tokenizer(folder)
    family = sd21 if generation == "sd21" else sd15
    small: dict[str, Any] = {"norm_num_groups": 4}
    text: dict[str, Any] = {
        "vocab_size": 516, "hidden_size": 16, "intermediate_size": 32, "projection_dim": 8,
        "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 10,
    }  # fmt: skip
    heads = (1, 1, 2, 2) if generation == "sd21" else 2
    torch.manual_seed(0)
    base = Base(
        sd21.build_vae(family.VAE | small | {"block_out_channels": (4, 4, 8, 8)}),
        sd21.build_unet(
            family.UNET | small | {"block_out_channels": (8, 8, 16, 16), "cross_attention_dim": 16,
                                   "attention_head_dim": heads}
        ),
        sd21.build_text_encoder(family.TEXT_ENCODER | text),
        load_tokenizer(folder),
        sd21.build_scheduler(),
    )  # fmt: skip
    for model in (base.vae, base.unet, base.text_encoder):
        model.eval().requires_grad_(False)
    return base


@pytest.fixture(scope="session")
def tiny_compact() -> Base:
    """Random weights of the compact preset's architecture: 4 times smaller latents."""
    import torch

    from unfade.models import compact
    from unfade.models.folder import Base
    from unfade.models.vocabulary import build_tokenizer

    torch.manual_seed(0)
    tokenizer = build_tokenizer(["a", "red", "blue", "dress"], length=8)
    unet = compact.UnetConfig([8, 16], [1, 2], latent_channels=4, text_width=8, groups=4)
    base = Base(
        compact.build_vae(compact.VaeConfig(1, [4, 8, 8], latent_channels=4, groups=4)),
        compact.build_unet(unet),
        compact.build_text_encoder(compact.TextConfig(8, 1, 2, 8), len(tokenizer)),
        tokenizer,
        compact.build_scheduler(),
    )
    base.vae.register_to_config(scaling_factor=0.8)
    return base


@pytest.fixture(scope="session")
def first_stage_preset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped first stage of old photos, and nothing else."""
    from unfade.models.presets import FILES, weights_folder, write_manifest

    folder = tmp_path_factory.mktemp("bare")
    for name in FILES:
        shutil.copy(weights_folder() / "compact" / name, folder)
    write_manifest(folder)
    return folder


@pytest.fixture(scope="session")
def plain_preset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped first stages of old photos and super-resolution, and no diffusion model."""
    from unfade.models.presets import ENLARGER, FILES, weights_folder, write_manifest

    folder = tmp_path_factory.mktemp("plain")
    for name in (*FILES, ENLARGER):
        shutil.copy(weights_folder() / "compact" / name, folder)
    write_manifest(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_preset(tiny_compact: Base, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped first stage with a tiny diffusion model that acts as if it had been trained."""
    import torch

    from unfade.models.cfw import build_cfw
    from unfade.models.compact import build_controlnet
    from unfade.models.folder import save_base, save_part
    from unfade.models.presets import FILES, weights_folder, write_manifest

    folder = tmp_path_factory.mktemp("preset")
    for name in FILES:
        shutil.copy(weights_folder() / "compact" / name, folder)
    save_base(folder, tiny_compact)
    torch.manual_seed(2)
    controlnet = build_controlnet(tiny_compact.unet, mask=True, widths=(4, 8, 8))
    cfw = build_cfw(tiny_compact.vae, [4, 4])
    for part, model in (("controlnet", controlnet), ("cfw", cfw)):
        for parameter in model.parameters():
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.3)
        save_part(folder / part, model)
    write_manifest(folder)
    return folder


def write_clip_tokenizer(folder: Path) -> None:
    """The files of CLIP's tokenizer, as Stable Diffusion's folders hold them, with one word."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [256 + i for i in range(256 - len(printable))]
    letters = [chr(code) for code in [*printable, *others]]
    merges = ["r e", "re d</w>"]
    words = [*letters, *(c + "</w>" for c in letters), "re", "red</w>"]
    words += ["<|startoftext|>", "<|endoftext|>"]
    config = {
        "tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": "!",
        "bos_token": words[-2], "eos_token": words[-1], "unk_token": words[-1],
    }  # fmt: skip
    ids = {word: i for i, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(ids), "utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
