from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from unfade.data.colour import ColourOptions
from unfade.data.pairs import PairOptions
from unfade.data.restoration import RestorationOptions
from unfade.data.sources import CleanPhoto
from unfade.data.windows import ViewOptions
from unfade.degrade.stencils import Stencil
from unfade.models.colouriser import ColouriserConfig
from unfade.models.compact import TextConfig, UnetConfig
from unfade.models.scratch import ScratchConfig, ScratchDetector
from unfade.models.stage1 import Stage1Config
from unfade.models.tone import ToneConfig
from unfade.train.colour import ColourTask
from unfade.train.options import ColourRecipe, LoopOptions, ScratchRecipe, Stage1Recipe, ToneRecipe
from unfade.train.scratch import ScratchTask
from unfade.train.stage1 import Stage1Task
from unfade.train.tone import ToneTask

if TYPE_CHECKING:
    from unfade.models.folder import Base

LOOP = LoopOptions(
    steps=6, batch=2, rate=2e-3, warmup=2, workers=0, save_every=100, validate_every=100
)
PAIRS = PairOptions(size=32)
PAIRED = RestorationOptions(first_stage=False)
VIEWS = ViewOptions(sides=[32, 40], size=16)
UNET = UnetConfig([8, 16], [1, 2], latent_channels=4, text_width=8, groups=4)
COLOURISER = ColouriserConfig(widths=[8, 8, 16], heads=2, text_width=8, text_layers=1, length=6)
TEXT = TextConfig(width=8, layers=1, heads=2, length=8)


@pytest.fixture(scope="session")
def photos() -> list[CleanPhoto]:
    """Six smooth random pictures of 40 x 50 pixels."""
    out: list[CleanPhoto] = []
    for i in range(6):
        rng = np.random.default_rng(i)
        coarse = rng.integers(20, 230, (4, 5, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (50, 40), interpolation=cv2.INTER_CUBIC)
        code = cv2.imencode(".png", image)[1].tobytes()
        out.append(CleanPhoto(str(i), code, ("a red ball on grass", "a dog")[: i % 3]))
    return out


@pytest.fixture(scope="session")
def stencils() -> list[Stencil]:
    """One shape of real damage of two kinds: a cross and a disc."""
    cross, disc = np.zeros((40, 60), np.uint8), np.zeros((50, 50), np.uint8)
    cross[18:22], cross[:, 28:32] = 255, 255
    cv2.circle(disc, (25, 25), 20, (255,), -1)
    encoded = [cv2.imencode(".png", shape)[1].tobytes() for shape in (cross, disc)]
    return [Stencil("hair", encoded[0]), Stencil("spots", encoded[1])]


@pytest.fixture
def detector() -> ScratchDetector:
    """Takes red for damage and blue for a lost border, pixels by two and two.

    The logit of a value v is 60 (v - 0.5) - 10, and -10 below 0.5.
    """
    config = ScratchConfig(2, 4, [4, 4], [1, 1], threshold=0.6)
    net = ScratchDetector(config).eval().requires_grad_(False)
    for parameter in net.parameters():
        parameter.zero_()
    encoded = net.encoder.widths[0]
    for i, colour in enumerate((0, 2)):
        net.get_parameter("detail.0.weight")[i, 4 * colour : 4 * colour + 4, 1, 1] = 0.25
        net.get_parameter("fuse.0.weight")[i, encoded + i] = 1
        net.leave.weight[4 * i : 4 * i + 4, i, 1, 1] = 60
    net.get_parameter("leave.bias").fill_(-10)
    return net


@pytest.fixture(scope="session")
def base(photos: list[CleanPhoto]) -> Base:
    """A tiny random base model: latents of 4 channels, a quarter of the photo's size."""
    import torch

    from unfade.models import compact
    from unfade.models.folder import Base
    from unfade.train.prompts import learn_tokenizer

    torch.manual_seed(0)
    tokenizer = learn_tokenizer(photos, length=8, least=1)
    found = Base(
        compact.build_vae(compact.VaeConfig(1, [4, 8, 8], latent_channels=4, groups=4)),
        compact.build_unet(UNET),
        compact.build_text_encoder(TEXT, len(tokenizer)),
        tokenizer,
        compact.build_scheduler(),
    )
    for network in (found.vae, found.unet, found.text_encoder):
        network.eval().requires_grad_(False)
    return found


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Latents that all tests share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def make_controlnet(base: Base) -> Callable[..., Any]:
    """A ControlNet of the tiny base model, its zero convolutions untrained or not."""
    import torch

    from unfade.models.compact import build_controlnet

    def make(space: Any = "pixel", *, mask: bool = True, trained: bool = True) -> Any:
        torch.manual_seed(1)
        net = build_controlnet(base.unet, space=space, mask=mask, widths=(4, 8, 8))
        for parameter in net.parameters():
            if trained and not parameter.any():
                torch.nn.init.normal_(parameter, std=0.3)
        return net

    return make


@pytest.fixture
def make_diffusion_task(
    photos: list[CleanPhoto], base: Base, cache: Path, make_controlnet: Callable[..., Any]
) -> Callable[..., Any]:
    """A task of the diffusion model by name; arguments replace fields of its recipe."""
    from unfade.models import compact
    from unfade.train.cfw import CfwRecipe, CfwTask
    from unfade.train.controlnet import ControlnetRecipe, ControlnetTask
    from unfade.train.prior import PriorRecipe, PriorTask
    from unfade.train.vae import VaeRecipe, VaeTask

    def make(name: str, **changes: Any) -> Any:
        if name == "vae":
            config = compact.VaeConfig(1, [4, 8, 8], latent_channels=4, groups=4)
            return VaeTask(replace(VaeRecipe(LOOP, config, 32), **changes), photos)
        if name == "prior":
            prior = replace(PriorRecipe(LOOP, VIEWS, UNET, TEXT, least=1), **changes)
            return PriorTask(prior, photos, base.vae, cache)
        if name == "controlnet":
            recipe = ControlnetRecipe(LOOP, VIEWS, PAIRED, widths=[4, 8, 8])
            return ControlnetTask(replace(recipe, **changes), photos, base, cache)
        cfw = replace(CfwRecipe(LOOP, VIEWS, PAIRED, hidden=[8, 8], steps=2), **changes)
        return CfwTask(cfw, photos, base, make_controlnet(), cache)

    return make


@pytest.fixture
def make_task(
    photos: list[CleanPhoto], make_diffusion_task: Callable[..., Any]
) -> Callable[..., Any]:
    """A task with a tiny network by name; further arguments change the loop's options."""

    def make(name: str, **loop: Any) -> Any:
        options = replace(LOOP, **loop)
        if name in ("vae", "prior", "controlnet", "cfw"):
            return make_diffusion_task(name, loop=options)
        if name == "scratch":
            config = ScratchConfig(2, 4, [8, 8], [1, 1])
            return ScratchTask(ScratchRecipe(options, PAIRS, config, imagenet=False), photos)
        if name == "stage1":
            return Stage1Task(Stage1Recipe(options, PAIRS, Stage1Config([8] * 4, [1] * 4)), photos)
        if name == "colour":
            return ColourTask(
                ColourRecipe(options, ColourOptions(size=32), COLOURISER, imagenet=False), photos
            )
        return ToneTask(ToneRecipe(options, ToneConfig([8] * 4, 16)), photos)

    return make
