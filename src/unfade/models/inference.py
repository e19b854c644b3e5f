"""Makes networks fast on the available hardware: precision, memory layout, fused layers."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Literal, TypeVar, cast

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from unfade.errors import UsageError
from unfade.models.blocks import ResBlock
from unfade.models.efficientnet import ConvNorm
from unfade.options import Dtype

M = TypeVar("M", bound=nn.Module)
Precision = Literal["auto", "bf16", "fp32"]
Layout = Literal["channels_last", "contiguous"]
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


@lru_cache(maxsize=1)
def reuse_freed_memory(largest: int = 128 << 20) -> None:
    """Makes glibc reuse large blocks instead of returning them to the system after each layer.

    Without it every activation is mapped, zeroed and unmapped anew by the kernel: the wide
    layers of a U-Net run a third slower.

    Args:
        largest: blocks of so many bytes and more (whole photos) are still returned at once.
    """
    if platform.system() != "Linux":
        return
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_M_MMAP_THRESHOLD, largest)
        libc.mallopt(_M_TRIM_THRESHOLD, 4 * largest)
    except (OSError, AttributeError):
        return  # another C library: slower, not wrong


def fold_norms(model: nn.Module) -> nn.Module:
    """Folds every batch normalisation of an evaluated network into its convolution."""
    for block in model.modules():
        if isinstance(block, ConvNorm) and isinstance(block.norm, nn.BatchNorm2d):
            block.conv, block.norm = fuse_conv_bn_eval(block.conv, block.norm), nn.Identity()
        if isinstance(block, ResBlock):
            for conv, norm in (("conv1", "norm1"), ("conv2", "norm2")):
                bn = getattr(block, norm)
                if isinstance(bn, nn.BatchNorm2d):
                    setattr(block, conv, fuse_conv_bn_eval(getattr(block, conv), bn))
                    setattr(block, norm, nn.Identity())
    return model


def to_device(model: M, device: torch.device, layout: Layout = "channels_last") -> M:
    """Moves a network to a device, in the memory layout that is fastest for most convolutions."""
    form = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    return cast(Any, model).to(device, memory_format=form)


def _bf16_pays(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return device.type == "cpu" and supported is not None and bool(supported())


def weights_dtype(name: Dtype, device: torch.device) -> torch.dtype:
    """The type of a diffusion model's weights on a device.

    "auto" is bf16 on a GPU that has it in hardware, fp16 on an older one, and fp32 elsewhere.

    Raises:
        UsageError: bf16 on a GPU that would emulate it, or fp16 on a processor.
    """
    native = device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)
    if name == "auto":
        if device.type != "cuda":
            return torch.float32
        return torch.bfloat16 if native else torch.float16
    if name == "bf16" and not native:
        card = torch.cuda.get_device_name(device)
        fix = "use dtype='fp16' (or 'auto')"
        raise UsageError(f"bf16 on {card}", "a GPU that has bf16 in hardware", fix)
    if name == "fp16" and device.type == "cpu":
        fix = "use dtype='bf16' for half of the memory, or 'auto' for speed"
        raise UsageError("fp16 on the processor", "a GPU", fix)
    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[name]


def check_compiler(device: torch.device) -> None:
    """UsageError if torch.compile has no compiler for a device."""
    fix = "install it, or leave compiled=True out"
    if device.type == "cuda" and find_spec("triton") is None:
        raise UsageError("torch.compile without triton", "the package triton", fix)
    names = (os.environ.get("CXX", ""), "g++", "clang++", "cl")
    if not any(name and shutil.which(name) for name in names):
        raise UsageError("torch.compile without a C++ compiler", "g++ or clang++", fix)


def mixed(device: torch.device, precision: Precision = "auto") -> torch.autocast:
    """An autocast to bfloat16, or none; "auto" uses it on hardware with bfloat16."""
    kind = "cpu" if device.type == "mps" else device.type
    fast = _bf16_pays(device) if precision == "auto" else precision == "bf16"
    return torch.autocast(kind, torch.bfloat16, fast)


@contextmanager
def inference(device: torch.device) -> Generator[None]:
    """Disables gradients; uses bfloat16 on hardware that has it."""
    with torch.inference_mode(), mixed(device):
        yield
