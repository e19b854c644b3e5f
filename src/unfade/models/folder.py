"""Loads and saves diffusion weights as a folder in diffusers' layout, fp16 safetensors.

    vae/  unet/  text_encoder/  tokenizer/  scheduler/          the frozen base
    controlnet/  cfw/                                           what was trained on it

Nothing but safetensors is read, and every tensor must be there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar, cast

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.utils import logging as diffusers_logging
from transformers import AutoTokenizer, CLIPTextModel, PreTrainedTokenizerBase

from unfade.errors import OutputError, WeightsError, first_line
from unfade.models.cfw import Cfw
from unfade.models.hub import quiet_transformers
from unfade.models.patches import downscale_of
from unfade.models.prediction import scheduler_name
from unfade.models.scaled_controlnet import ScaledControlNet
from unfade.models.tensors import write_tensors
from unfade.options import Prediction

Part = AutoencoderKL | UNet2DConditionModel | ControlNetModel | Cfw | CLIPTextModel
P = TypeVar(
    "P", AutoencoderKL, UNet2DConditionModel, ControlNetModel, ScaledControlNet, Cfw, CLIPTextModel
)

PICKLED = "diffusion_pytorch_model.bin"
BASE_PARTS = ("vae", "unet", "text_encoder", "tokenizer", "scheduler")


@dataclass(frozen=True)
class Base:
    """A frozen text-to-image latent diffusion model, in evaluation mode."""

    vae: AutoencoderKL
    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    tokenizer: PreTrainedTokenizerBase
    scheduler: DDIMScheduler

    @property
    def downscale(self) -> int:
        """The width of a latent cell in pixels."""
        return downscale_of(self.vae)

    @property
    def side(self) -> int:
        """The side of the pictures that the UNet was made for, pixels: 512 or 768 of Stable
        Diffusion.
        """
        size = cast(Any, self.unet).config.sample_size
        return int(size if isinstance(size, int) else min(size)) * self.downscale

    @property
    def stride(self) -> int:
        """Photos are padded to a multiple of so many pixels: the UNet halves the latent too."""
        return self.downscale * 2 ** (len(cast(Any, self.unet).config.block_out_channels) - 1)


def load_base(
    folder: Path, *, dtype: torch.dtype = torch.float32, prediction: Prediction | None = None
) -> Base:
    """The base model in a folder.

    Args:
        dtype: of UNet and text encoder. The autoencoder has fp32: it is small, and its last layer
            shows the steps of bf16.
        prediction: of the UNet; overrides scheduler/.

    Raises:
        WeightsError: a part is missing, damaged or incomplete, or they do not fit together.
    """
    missing = [name for name in BASE_PARTS if not (folder / name).is_dir()]
    if missing:
        raise WeightsError(
            f"no {', '.join(f'{name}/' for name in missing)}",
            f"a folder in diffusers' layout: {', '.join(f'{name}/' for name in BASE_PARTS)}",
            "fetch what is missing, or name another folder",
            path=folder,
        )
    base = Base(
        load_part(folder / "vae", AutoencoderKL),
        load_part(folder / "unet", UNet2DConditionModel, dtype=dtype),
        load_part(folder / "text_encoder", CLIPTextModel, dtype=dtype),
        load_tokenizer(folder / "tokenizer"),
        load_scheduler(folder / "scheduler", prediction),
    )
    channels = int(cast(Any, base.unet).config.in_channels)
    latent = int(cast(Any, base.vae).config.latent_channels)
    if channels != latent:
        raise WeightsError(
            f"a UNet of {channels} channels, as those for inpainting or depth have",
            f"{latent}, as many as the autoencoder's latent has",
            "name the model for text to image that it was made from",
            path=folder,
        )
    return base


def check_fit(base: Base, controlnet: ControlNetModel) -> None:
    """WeightsError if a ControlNet was made for another base model."""
    ours, theirs = cast(Any, base.unet).config, cast(Any, controlnet).config
    for name in ("in_channels", "block_out_channels", "cross_attention_dim"):
        base_value, controlnet_value = ours[name], theirs[name]
        if json.dumps(base_value) != json.dumps(controlnet_value):  # a list and a tuple are alike
            raise WeightsError(
                f"a ControlNet whose {name} is {controlnet_value}",
                f"{base_value}, as the base model has it",
                "use one that was trained on this base model",
            )


def load_part(
    folder: Path, cls: type[P], *, dtype: torch.dtype = torch.float32, pickled: bool = False
) -> P:
    """One network of a preset, ready for inference.

    Args:
        folder: holds config.json and the weights, `*.safetensors` or `*.fp16.safetensors`.
        pickled: whether weights may be in `diffusion_pytorch_model.bin` where there are no others.
            It is read as tensors alone: code in it is refused.

    Raises:
        WeightsError: the weights are missing, damaged, incomplete or of another network.
    """
    files = sorted(folder.glob("*.safetensors"))
    tensors_alone = pickled and not files and (folder / PICKLED).is_file()
    if not (files or tensors_alone) or not (folder / "config.json").is_file():
        raise _missing(folder)
    options: dict[str, object] = {"dtype": dtype}
    if cls is not CLIPTextModel:
        options["low_cpu_mem_usage"] = find_spec("accelerate") is not None
    if files and all(".fp16." in path.name for path in files):
        options["variant"] = "fp16"
    try:
        with _quiet():
            model, info = cast(Any, cls).from_pretrained(
                folder,
                use_safetensors=not tensors_alone,  # else torch.load with weights_only
                local_files_only=True,
                output_loading_info=True,
                **options,
            )
    except Exception as error:  # the libraries raise whatever their readers raise
        raise WeightsError(
            f"unreadable weights ({first_line(error)})",
            f"a {cls.__name__} in diffusers' layout",
            "fetch them again",
            path=folder,
        ) from error
    absent = [*info["missing_keys"], *info["mismatched_keys"]]
    if absent:
        raise WeightsError(
            f"weights without {absent[0]} and {len(absent) - 1} others",
            f"every tensor of a {cls.__name__}",
            "fetch them again",
            path=folder,
        )
    return model.eval().requires_grad_(False)


def load_controlnet(folder: Path, *, dtype: torch.dtype = torch.float32) -> ControlNetModel:
    """A ControlNet in diffusers' layout, of its UNet's size or of another one: see `load_part`.

    Many published ones have pickled weights alone.
    """
    try:
        about = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        about = {}  # load_part says what is wrong
    scaled = isinstance(about, dict) and "unet_widths" in about
    cls = ScaledControlNet if scaled else ControlNetModel
    return load_part(folder, cls, dtype=dtype, pickled=True)


def save_part(folder: Path, model: Part) -> None:
    """Writes a network in diffusers' layout, in fp16; each file appears whole or not at all.

    Raises:
        OutputError: a file cannot be written.
    """
    text = isinstance(model, CLIPTextModel)
    name = "model.safetensors" if text else "diffusion_pytorch_model.safetensors"
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    module: Any = model
    _save_folder(folder, module.config.save_pretrained if text else module.save_config)
    write_tensors(folder / name, tensors, {"format": "pt"})


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer in a folder.

    Raises:
        WeightsError: it is missing or damaged.
    """
    if not (folder / "tokenizer_config.json").is_file():
        raise _missing(folder)
    try:
        return cast(Any, AutoTokenizer).from_pretrained(folder, local_files_only=True)
    except Exception as error:  # as in load_part
        raise WeightsError(
            f"an unreadable tokenizer ({first_line(error)})",
            "CLIP's or unfade's own",
            "fetch it again",
            path=folder,
        ) from error


def load_scheduler(folder: Path, prediction: Prediction | None = None) -> DDIMScheduler:
    """DDIM with the noise schedule of a folder, whichever sampler it was made for.

    Args:
        prediction: of the UNet; overrides the folder.

    Raises:
        WeightsError: it is missing or damaged.
    """
    path = folder / "scheduler_config.json"
    try:
        config = json.loads(path.read_text("utf-8"))
        if "beta_schedule" not in config:
            raise ValueError("no beta_schedule")
        if prediction is not None:
            config["prediction_type"] = scheduler_name(prediction)
        return cast(Any, DDIMScheduler).from_config(config, clip_sample=False)
    except OSError as error:
        raise _missing(folder) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"an unreadable configuration ({first_line(error)})",
            "a scheduler of diffusers",
            "fetch it again",
            path=path,
        ) from error


def save_base(folder: Path, base: Base) -> None:
    """Writes the five parts of a base model; each file appears whole or not at all.

    Raises:
        OutputError: a file cannot be written.
    """
    for name, model in (
        ("vae", base.vae),
        ("unet", base.unet),
        ("text_encoder", base.text_encoder),
    ):
        save_part(folder / name, model)
    _save_folder(folder / "tokenizer", cast(Any, base.tokenizer).save_pretrained)
    _save_folder(folder / "scheduler", cast(Any, base.scheduler).save_pretrained)


def _save_folder(folder: Path, save: Callable[[Path], object]) -> None:
    """Lets a library write files to a temporary folder, then moves each atomically."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".unfade-", dir=folder) as temporary:
            save(Path(temporary))
            for path in Path(temporary).iterdir():
                path.replace(folder / path.name)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _missing(folder: Path) -> WeightsError:
    return WeightsError(
        "no weights here",
        "config.json and *.safetensors, as diffusers writes them",
        "fetch them, or check the path",
        path=folder,
    )


def _unwritable(folder: Path, error: OSError) -> OutputError:
    reason = (error.strerror or str(error)).lower()
    return OutputError(
        reason, "a folder that can be written", "free some space or write elsewhere", path=folder
    )


@contextmanager
def _quiet() -> Generator[None]:
    """Silences progress bars and advice of the libraries; errors are still raised."""
    before = diffusers_logging.get_verbosity()
    diffusers_logging.set_verbosity_error()
    try:
        with quiet_transformers():
            yield
    finally:
        diffusers_logging.set_verbosity(before)
