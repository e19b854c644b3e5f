from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from unfade.imaging import Metadata, Photo
from unfade.models.blocks import UNet
from unfade.models.scratch import ScratchConfig, ScratchDetector
from unfade.models.stage1 import Stage1Config, Stage1Net
from unfade.models.tone import ToneConfig, ToneNet
from unfade.pipeline.first_stage import FirstStage

if TYPE_CHECKING:
    from unfade.models.folder import Base
    from unfade.pipeline.diffusion import RestorationPipeline


@pytest.fixture
def make_photo() -> Callable[..., Photo]:
    """A smooth, grainy, scratched photo in memory."""

    def make(
        height: int = 64, width: int = 80, *, gray: bool = False, depth: int = 8, seed: int = 0
    ) -> Photo:
        rng = np.random.default_rng(seed)
        coarse = rng.uniform(0.2, 0.7, (6, 7, 3)).astype(np.float32)
        big = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
        big = big.reshape(height, width, 3) + rng.normal(0, 0.03, (height, width, 1))
        for _ in range(max(1, height * width // 20000)):
            y, x = int(rng.integers(height)), int(rng.integers(width))
            big[y, x : x + 40] = 0.95
        if gray:
            big = big.mean(2, keepdims=True)
        top = 255 if depth == 8 else 65535
        native = np.rint(np.clip(big, 0, 1) * top).astype(np.uint8 if depth == 8 else np.uint16)
        metadata = Metadata(exif=None, icc=None, xmp=None, dpi=None, format="PNG")
        return Photo(np.ascontiguousarray(native), None, metadata)

    return make


def shake(net: torch.nn.Module) -> None:
    """Weights that make an untrained network's answer depend on its surroundings."""
    torch.manual_seed(1)
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, torch.nn.BatchNorm2d):
            if module.affine:
                torch.nn.init.uniform_(module.weight, 0.5, 1.0)
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)  # pyright: ignore


def _spread(net: Stage1Net, layer: torch.nn.Conv2d) -> float:
    """The standard deviation of what a layer answers to noise."""
    answers: list[float] = []
    hook = layer.register_forward_hook(lambda _m, _x, answer: answers.append(float(answer.std())))
    with torch.no_grad():
        net(torch.rand(1, 3, 64, 64), torch.zeros(1, 1, 64, 64))
    hook.remove()
    return answers[0]


@pytest.fixture(scope="session")
def first_stage() -> FirstStage:
    """Tiny random networks whose detector marks some of a photo and whose tone always acts."""
    torch.manual_seed(0)
    detector = ScratchDetector(ScratchConfig(2, 4, [8, 8], [1, 1], 0.5)).eval()
    stage1 = Stage1Net(Stage1Config([8] * 4, [1] * 4)).eval()
    for net in (detector, stage1):
        shake(net)
    detector.leave.weight.data *= 0.5
    for part in (stage1.net, stage1.head):
        last = part.leave if isinstance(part, UNet) else part[-1]
        assert isinstance(last, torch.nn.Conv2d)
        last.weight.data *= 0.1 / _spread(stage1, last)
    tone = ToneNet(ToneConfig([8] * 4, 16, gate=0.0, full=0.05)).eval()
    last = tone.head[-1]
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        last.bias[:3] = 0.6
        last.bias[3:6] = 0.3
        last.bias[10] = 9.0
    for net in (detector, stage1, tone):
        net.requires_grad_(False)
    return FirstStage(
        detector, stage1, tone, torch.device("cpu"), {"scratch.safetensors": "0" * 64}
    )


@pytest.fixture
def make_mask() -> Callable[..., NDArray[np.uint8]]:
    """A mask with a line and a patch, 255 = damaged."""

    def make(height: int = 64, width: int = 80) -> NDArray[np.uint8]:
        mask = np.zeros((height, width), np.uint8)
        mask[height // 2, :] = 255
        mask[: height // 8, : width // 8] = 255
        return mask

    return make


@pytest.fixture
def make_pipeline(tiny_compact: Base) -> Callable[..., RestorationPipeline]:
    """A tiny restorer, in fp32, whose ControlNet and CFW act as if they had been trained."""
    import copy

    from unfade.models.cfw import build_cfw
    from unfade.models.compact import build_controlnet
    from unfade.pipeline.diffusion import RestorationPipeline

    def make(
        base: Base | None = None, *, space: Any = "pixel", mask: bool = True, trained: bool = True,
        widths: tuple[int, ...] = (4, 8, 8),
    ) -> RestorationPipeline:  # fmt: skip
        base = copy.deepcopy(base or tiny_compact)
        torch.manual_seed(2)
        controlnet = build_controlnet(base.unet, space=space, mask=mask, widths=widths)
        cfw = build_cfw(base.vae, [4] * (len(cast(Any, base.vae).config.block_out_channels) - 1))
        for model in (controlnet, cfw):
            for parameter in model.parameters():
                if trained and not parameter.any():
                    torch.nn.init.normal_(parameter, std=0.3)
        for model in (base.vae, base.unet, base.text_encoder, controlnet, cfw):
            model.eval().requires_grad_(False)
        pipeline = RestorationPipeline.from_base(base, controlnet, cfw)
        pipeline.precision = "fp32"
        return pipeline

    return make
