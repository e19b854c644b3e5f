"""Stable Diffusion 2.1's networks at full size, with random weights: seconds and memory by stage.

    python benchmarks/full_size.py restore [--device cpu] [--steps 1 4 20] [--side 512]
    python benchmarks/full_size.py train [--device cpu] [--batch 1] [--repeats 2]

Random weights cost what trained ones cost. On a processor the peak is that of resident memory; on
a GPU it is the allocator's, and samples a second and the share of the card's peak (--peak, in
TFLOP/s) are printed too. The share counts the products of convolutions and linear layers alone.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click
import cv2
import numpy as np
import torch
from skimage.data import astronaut
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from unfade.data.restoration import RestorationOptions
from unfade.data.sources import CleanPhoto
from unfade.data.windows import ViewOptions
from unfade.diffusion.condition import ConditionKind, decode, embed, encode, make_condition
from unfade.diffusion.predict import predict
from unfade.models import sd21
from unfade.models.compact import build_controlnet
from unfade.models.folder import Base
from unfade.models.inference import keep_blocks, mixed, placed
from unfade.pipeline.diffusion import RestorationPipeline
from unfade.pipeline.settings import DiffusionSettings
from unfade.train.controlnet import ControlnetRecipe, ControlnetTask
from unfade.train.optim import build_optimizer
from unfade.train.options import LoopOptions
from unfade.train.prompts import learn_tokenizer

T = TypeVar("T")
M = TypeVar("M", bound=nn.Module)


def photos() -> list[CleanPhoto]:
    """Two crops of scikit-image's astronaut."""
    picture = cv2.resize(astronaut(), (640, 640), interpolation=cv2.INTER_CUBIC)[..., ::-1]
    codes = [cv2.imencode(".png", part)[1].tobytes() for part in (picture, picture[:, ::-1])]
    return [CleanPhoto(str(i), code, ("a woman in orange",)) for i, code in enumerate(codes)]


def ready(network: M, dtype: torch.dtype, device: torch.device) -> M:
    """A frozen network in this precision, where it runs best."""
    whole = cast(Any, network).to(dtype).eval().requires_grad_(False)
    return placed(cast(M, whole), device)


def build(dtype: torch.dtype, device: torch.device) -> Base:
    """The base model; the tokenizer is a small one of the same length."""
    torch.manual_seed(0)
    return Base(
        ready(sd21.build_vae(), dtype, device), ready(sd21.build_unet(), dtype, device),
        ready(sd21.build_text_encoder(), dtype, device),
        learn_tokenizer(photos(), length=77, least=1), sd21.build_scheduler(),
    )  # fmt: skip


def peak_gib(device: torch.device) -> float:
    """The largest memory so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def timed(name: str, device: torch.device, work: Callable[[], T], repeats: int = 1) -> T:
    """Does it once to warm up where it is to be repeated, and prints the seconds of the fastest."""
    found, best = None, float("inf")
    for turn in range(repeats + (repeats > 1)):
        began = time.perf_counter()
        found = work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        if turn or repeats == 1:
            best = min(best, time.perf_counter() - began)
    click.echo(f"| {name} | {best:.2f} | {peak_gib(device):.2f} |")
    assert found is not None
    return found


def head() -> None:
    click.echo("| stage | seconds | peak, GiB |\n| --- | --- | --- |")


@click.group(help=__doc__)
def main() -> None:
    keep_blocks()


@main.command()
@click.option("--device", default="cpu")
@click.option("--side", default=512)
@click.option("--batch", default=1)
@click.option("--steps", multiple=True, type=int, default=(1,))
@click.option("--repeats", default=2)
@click.option("--peak", type=float, help="Of the card, TFLOP/s in bf16.")
def restore(
    device: str, side: int, batch: int, steps: tuple[int, ...], repeats: int, peak: float | None
) -> None:
    """A restoration in bf16, by stage and as a whole."""
    place = torch.device(device)
    base = timed_build(place, torch.bfloat16)
    built = build_controlnet(base.unet, space="pixel", mask=False, widths=[16, 32, 96, 256])
    controlnet = ready(built, torch.bfloat16, place)
    picture = cv2.resize(astronaut(), (side, side)).astype(np.float32) / 255
    image = torch.from_numpy(picture.transpose(2, 0, 1).copy())[None].repeat(batch, 1, 1, 1)
    condition = make_condition(ConditionKind("pixel", False), image, None)
    shown = condition.to(place, torch.bfloat16)
    with torch.inference_mode():
        text = timed("text", place, lambda: embed(base.tokenizer, base.text_encoder, [""]))
        text = text.expand(batch, -1, -1)
        z0 = timed("encode", place, lambda: encode(base.vae, shown), repeats)
        t = torch.full((batch,), 999, device=place)

        def step() -> Tensor:
            return predict(base.unet, controlnet, z0, t, text.to(torch.bfloat16), shown)

        timed("ControlNet and UNet, a step", place, step, repeats)
        timed("decode", place, lambda: decode(base.vae, z0), repeats)
    pipe = RestorationPipeline.from_base(base, controlnet)
    for count in steps:
        settings = DiffusionSettings(steps=count, tile=max(512, side))
        with FlopCounterMode(display=False) as counter:
            pipe(image, settings=settings)
        began = time.perf_counter()
        timed(
            f"whole, {count} steps, {batch} photos",
            place,
            lambda s=settings: pipe(image, settings=s),
        )
        seconds = time.perf_counter() - began
        rate = counter.get_total_flops() / seconds / 1e12
        share = f", {100 * rate / peak:.0f} % of the card's peak" if peak else ""
        click.echo(f"{batch / seconds:.3f} images/s, {rate:.2f} TFLOP/s{share}\n")


def timed_build(device: torch.device, dtype: torch.dtype) -> Base:
    """The base model, with the head of the table."""
    base = build(dtype, device)
    head()
    click.echo(f"| networks in memory | | {peak_gib(device):.2f} |")
    return base


@main.command()
@click.option("--device", default="cpu")
@click.option("--side", default=512)
@click.option("--batch", default=1)
@click.option("--repeats", default=2)
@click.option("--peak", type=float, help="Of the card, TFLOP/s in bf16.")
def train(device: str, side: int, batch: int, repeats: int, peak: float | None) -> None:
    """Training steps of the ControlNet in bf16, without IIDE and with every sample swapped."""
    place = torch.device(device)
    base = timed_build(place, torch.bfloat16 if place.type == "cpu" else torch.float32)
    with tempfile.TemporaryDirectory() as cache:
        recipe = ControlnetRecipe(
            loop=LoopOptions(batch=batch, checkpointing=True),
            views=ViewOptions(sides=[side], size=side), pairs=RestorationOptions(first_stage=False),
            mask=False, widths=[16, 32, 96, 256],
        )  # fmt: skip
        task = ControlnetTask(recipe, photos(), base, Path(cache))
        model = placed(task.build().train(), place).float()
        optimizer = build_optimizer(model, recipe.loop)
        samples = [task.sample(i) for i in range(batch)]
        stacked = {k: torch.stack([s[k] for s in samples]).to(place) for k in samples[0]}
        for name, swap in (("a step, p_iide = 1", False), ("a step, p_iide = 0", True)):
            given = stacked | {"swap": torch.full((batch,), swap, device=place)}

            def step(given: dict[str, Tensor] = given) -> bool:
                optimizer.zero_grad(set_to_none=True)
                with mixed(place, "bf16"):
                    loss = task.loss(model, given)[0]
                loss.backward()
                optimizer.step()
                return True

            with FlopCounterMode(display=False) as counter:
                step()
            began = time.perf_counter()
            timed(name, place, step, repeats)
            seconds = (time.perf_counter() - began) / (repeats + (repeats > 1))
            rate = counter.get_total_flops() / seconds / 1e12
            share = f", {100 * rate / peak:.0f} % of the card's peak" if peak else ""
            click.echo(f"{batch / seconds:.3f} samples/s, {rate:.2f} TFLOP/s{share}\n")


if __name__ == "__main__":
    main()
