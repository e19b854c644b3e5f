"""Stable Diffusion 2.1's networks at full size, with random weights: seconds and memory.

    python benchmarks/full_size.py restore [--device cpu] [--steps 1 4 20] [--batch 1] [--compiled]
    python benchmarks/full_size.py train [--device cpu] [--batch 1] [--repeats 2] [--compiled]
    python benchmarks/full_size.py count [--side 512]

Random weights cost what trained ones cost. `restore` measures a restoration of unfade without a
prompt, and the stock pipeline of diffusers (StableDiffusionControlNetPipeline; its guidance is 7.5
where nobody says otherwise, which costs a second pass) in turns, on the same networks. `train`
measures steps as the training loop takes them. `count` computes arithmetic and weights without
running anything. On a processor the peak is that of resident memory; on a GPU it is the
allocator's, and the share of the card's peak (--peak, in TFLOP/s) is printed too. The share counts
the products of convolutions and linear layers alone.
"""

from __future__ import annotations

import copy
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import click
import cv2
import numpy as np
import torch
from accelerate import init_empty_weights
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.pipelines.controlnet.pipeline_controlnet import StableDiffusionControlNetPipeline
from skimage.data import astronaut
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from unfade.data.restoration import RestorationOptions
from unfade.data.sources import CleanPhoto
from unfade.data.windows import ViewOptions
from unfade.diffusion.condition import decode, encode
from unfade.diffusion.predict import predict
from unfade.memory import release_memory
from unfade.models import sd21
from unfade.models.cfw import build_cfw
from unfade.models.compact import build_controlnet
from unfade.models.folder import Base
from unfade.models.inference import reuse_freed_memory, to_device
from unfade.models.upsampling import split_upsampling
from unfade.models.winograd import use_winograd
from unfade.pipeline.diffusion import RestorationPipeline
from unfade.pipeline.settings import DiffusionSettings
from unfade.train.controlnet import ControlnetRecipe, ControlnetTask
from unfade.train.launch import configure_threads_and_memory
from unfade.train.loop import enable_checkpointing, forward_pass
from unfade.train.optim import build_optimizer
from unfade.train.options import LoopOptions
from unfade.train.prompts import learn_tokenizer
from unfade.train.state import update_ema
from unfade.train.task import Batch

N = TypeVar("N", bound=nn.Module)
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
WIDTHS = [16, 32, 96, 256]


def photos() -> list[CleanPhoto]:
    """Two crops of scikit-image's astronaut."""
    picture = cv2.resize(astronaut(), (640, 640), interpolation=cv2.INTER_CUBIC)[..., ::-1]
    codes = [cv2.imencode(".png", part)[1].tobytes() for part in (picture, picture[:, ::-1])]
    return [CleanPhoto(str(i), code, ("a woman in orange",)) for i, code in enumerate(codes)]


def built(make: Callable[[], N], dtype: torch.dtype, device: torch.device) -> N:
    """A frozen network with random weights of this type, drawn once and fast."""
    with init_empty_weights():
        network = make()
    for module in network.modules():
        for name, empty in module.named_parameters(recurse=False):
            value = torch.empty(empty.shape, dtype=dtype, device=device)
            if empty.ndim > 1:
                value.normal_(std=empty[0].numel() ** -0.5)
            else:
                value.fill_(float(name == "weight"))
            setattr(module, name, nn.Parameter(value, requires_grad=False))
    return cast(N, network.eval())


def build(dtype: torch.dtype, device: torch.device) -> Base:
    """The base model, its autoencoder in fp32 as loading gives it.

    The tokenizer is a small one of the same length.
    """
    torch.manual_seed(0)
    return Base(
        built(sd21.build_vae, torch.float32, device), built(sd21.build_unet, dtype, device),
        built(sd21.build_text_encoder, dtype, device),
        learn_tokenizer(photos(), length=77, least=1), sd21.build_scheduler(),
    )  # fmt: skip


def peak_gib(device: torch.device) -> float:
    """The largest memory so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


@dataclass
class Clock:
    """The fastest of several runs: seconds that passed and, on a processor, seconds of its time."""

    wall_s: float = float("inf")
    cpu_s: float = float("inf")

    def run(self, work: Callable[[], object], device: torch.device) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        self.wall_s = min(self.wall_s, time.perf_counter() - wall)
        self.cpu_s = min(self.cpu_s, time.process_time() - cpu)


def in_turns(
    works: Sequence[tuple[Callable[[], object], Callable[[], object]]], device: torch.device,
    repeats: int,
) -> list[Clock]:  # fmt: skip
    """Times several pieces of work, each after its own preparation.

    The first turn warms up, but where there are no others.
    """
    clocks = [Clock() for _ in works]
    for turn in range(repeats + 1):
        for clock, (before, work) in zip(clocks, works, strict=True):
            before()
            (clock if turn or not repeats else Clock()).run(work, device)
    return clocks


def flops_of(work: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
@click.option("--device", default="cpu")
@click.option("--dtype", type=click.Choice(list(TYPES)), default="fp32")
@click.option("--side", default=512)
@click.option("--batch", default=1)
@click.option("--steps", multiple=True, type=int, default=(1,))
@click.option("--guidance", multiple=True, type=float, default=(7.5, 1.0), help="Of stock.")
@click.option("--repeats", default=2, show_default=True, help="0 measures without a warm-up.")
@click.option("--compiled", is_flag=True)
@click.option("--peak", type=float, help="Of the card, TFLOP/s in bf16.")
def restore(
    device: str, dtype: str, side: int, batch: int, steps: tuple[int, ...],
    guidance: tuple[float, ...], repeats: int, compiled: bool, peak: float | None,
) -> None:  # fmt: skip
    """A restoration without a prompt, and the stock pipeline of diffusers on the same networks."""
    reuse_freed_memory()
    place, kind = torch.device(device), TYPES[dtype]
    base = build(kind, place)
    controlnet = built(lambda: build_controlnet(base.unet, widths=WIDTHS), kind, place)
    picture = cv2.resize(astronaut(), (side, side)).astype(np.float32) / 255
    image = torch.from_numpy(picture.transpose(2, 0, 1).copy())[None].repeat(batch, 1, 1, 1)
    ours = RestorationPipeline.from_base(base, controlnet)
    stock = stock_pipeline(base, controlnet)

    def restored(count: int) -> None:
        ours(image, settings=DiffusionSettings(steps=count, tile=max(512, side)))

    on_card = place.type == "cuda"  # what is compiled is not counted
    counted = {n: flops_of(partial(restored, n)) for n in steps} if on_card else {}
    if compiled:
        ours.compile_networks()
    networks = (base.vae, base.unet, controlnet)
    changed: list[Any] = []

    def as_loaded() -> None:
        """As `pipeline.load` leaves the networks."""
        cast(Any, base.vae).to(torch.float32)
        for network in networks:
            to_device(network, place)
        if place.type == "cpu":
            for network in (base.vae, base.unet):
                changed.extend(split_upsampling(network))
                if not compiled:
                    changed.extend(use_winograd(network))

    def as_they_come() -> None:
        cast(Any, base.vae).to(kind)
        for network in networks:
            to_device(network, place, "contiguous")
        while changed:
            del changed.pop().forward

    click.echo(f"{dtype}, {batch} x {side} x {side}, {torch.get_num_threads()} threads\n")
    click.echo("| steps | | seconds | processor seconds | to stock | peak, GiB |")
    click.echo("| --- | --- | --- | --- | --- | --- |")
    for count in steps:

        def stocked(guidance: float, count: int = count) -> None:
            stock(
                [""] * batch, image=image.to(kind), num_inference_steps=count,
                guidance_scale=guidance, output_type="pt",
            )  # fmt: skip

        names = ["unfade", *(f"stock, guidance {value:g}" for value in guidance)]
        others = [(as_they_come, partial(stocked, value)) for value in guidance]
        clocks = in_turns([(as_loaded, partial(restored, count)), *others], place, repeats)
        for name, clock in zip(names, clocks, strict=True):
            ratio = clocks[0].wall_s / clock.wall_s, clocks[0].cpu_s / clock.cpu_s
            told = "" if name == "unfade" else f"{ratio[0]:.2f} ({ratio[1]:.2f})"
            click.echo(
                f"| {count} | {name} | {clock.wall_s:.2f} | {clock.cpu_s:.2f} | {told} | "
                f"{peak_gib(place):.2f} |"
            )
        if count in counted:
            tell_rate(batch, "images", counted[count], clocks[0].wall_s, peak)


def tell_rate(batch: int, what: str, flops: int, seconds: float, peak: float | None) -> None:
    """How many a second, with which rate of arithmetic and which share of the card's peak."""
    rate = flops / seconds / 1e12
    share = f", {100 * rate / peak:.0f} % of the card's peak" if peak else ""
    click.echo(f"\n{batch / seconds:.2f} {what}/s, {rate:.1f} TFLOP/s{share}\n")


def stock_pipeline(base: Base, controlnet: ControlNetModel) -> Any:
    """diffusers' own pipeline, as it comes."""
    pipe = StableDiffusionControlNetPipeline(
        vae=base.vae, text_encoder=base.text_encoder, tokenizer=cast(Any, base.tokenizer),
        unet=base.unet, controlnet=controlnet, scheduler=cast(Any, base.scheduler),
        safety_checker=cast(Any, None), feature_extractor=cast(Any, None),
        requires_safety_checker=False,
    )  # fmt: skip
    cast(Any, pipe).set_progress_bar_config(disable=True)
    return pipe


@main.command()
@click.option("--device", default="cpu")
@click.option("--side", default=512)
@click.option("--batch", default=1)
@click.option("--repeats", default=1)
@click.option("--compiled", is_flag=True)
@click.option("--moments", type=click.Choice(("fp32", "bf16")), default="bf16")
@click.option("--p-iide", multiple=True, type=click.IntRange(0, 1), default=(1, 0))
@click.option("--average/--no-average", default=True, help="Keep the average of the weights too.")
@click.option("--peak", type=float, help="Of the card, TFLOP/s in bf16.")
def train(
    device: str, side: int, batch: int, repeats: int, compiled: bool, moments: Any,
    p_iide: tuple[int, ...], average: bool, peak: float | None,
) -> None:  # fmt: skip
    """Steps of the ControlNet in bf16: p-iide 1 is plain training, with 0 every sample swaps.

    A step on an eighth of the side comes first: the moments of AdamW are there from then on.
    """
    place = torch.device(device)
    options = LoopOptions(batch=batch, checkpointing=True, precision="bf16", moments=moments)
    configure_threads_and_memory(options)
    recipe = ControlnetRecipe(
        loop=options, views=ViewOptions(sides=[side], mirrored=False, size=side),
        pairs=RestorationOptions(first_stage=False, phrases=False), mask=False, widths=WIDTHS,
    )  # fmt: skip
    base = build(torch.bfloat16, place)
    click.echo("| stage | seconds | processor seconds | peak, GiB |\n| --- | --- | --- | --- |")
    click.echo(f"| frozen networks | | | {peak_gib(place):.2f} |")
    with tempfile.TemporaryDirectory() as cache:
        task = ControlnetTask(recipe, photos()[:1], base, Path(cache))
        samples = [task.sample("train", i) for i in range(batch)]
    del base
    click.echo(f"| latent and caption of a photo | | | {peak_gib(place):.2f} |")
    model = to_device(task.build().train(), place).float()
    enable_checkpointing(model)
    ema = copy.deepcopy(model).eval().requires_grad_(False) if average else None
    optimizer = build_optimizer(model, options)
    stacked = {k: torch.stack([s[k] for s in samples]).to(place) for k in samples[0]}
    maps = {k: v[..., : v.shape[-2] // 8, : v.shape[-1] // 8] for k, v in stacked.items()
            if k in ("z0", "noise", "hq", "lq", "mask")}  # fmt: skip
    release_memory()
    click.echo(f"| before the first step | | | {peak_gib(place):.2f} |")

    def step(samples: Batch, p_iide: int) -> None:
        given = samples | {"swap": torch.full((batch,), p_iide == 0, device=place)}
        optimizer.zero_grad(set_to_none=True)
        with forward_pass(place, options):
            loss = task.loss(model, given)[0]
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), options.clip)
        optimizer.step()
        if ema is not None:
            update_ema(ema, model, 0.999, 1)

    step(stacked | maps, 1)
    click.echo(f"| a step on {side // 8} pixels | | | {peak_gib(place):.2f} |")
    works = {f"a step, p_iide = {p}": partial(step, stacked, p) for p in p_iide}
    on_card = place.type == "cuda"  # what is compiled is not counted
    counted = {name: flops_of(work) for name, work in works.items()} if on_card else {}
    if compiled:
        model.compile()
    for name, work in works.items():
        clock = Clock()
        for _ in range(repeats + compiled):
            clock.run(work, place)
        click.echo(f"| {name} | {clock.wall_s:.1f} | {clock.cpu_s:.1f} | {peak_gib(place):.2f} |")
        if on_card:
            tell_rate(batch, "samples", counted[name], clock.wall_s, peak)


@main.command()
@click.option("--side", default=512)
def count(side: int) -> None:
    """Arithmetic of one picture and weights of each network; nothing is run."""
    place = torch.device("meta")
    with place:
        base = Base(
            sd21.build_vae(), sd21.build_unet(), sd21.build_text_encoder(),
            learn_tokenizer(photos(), length=77, least=1), sd21.build_scheduler(),
        )  # fmt: skip
        controlnet = build_controlnet(base.unet, mask=True, widths=WIDTHS)
        cfw = build_cfw(base.vae, [64] * 3)
        cells = side // base.downscale
        picture, z = torch.empty(1, 3, side, side), torch.empty(1, 4, cells, cells)
        text, t = torch.empty(1, 77, 1024), torch.zeros(1, dtype=torch.int64)
        condition = torch.empty(1, 4, side, side)
    for network in (base.vae, base.unet, base.text_encoder):
        network.requires_grad_(False)
    cast(Any, base.unet).enable_gradient_checkpointing()
    enable_checkpointing(controlnet)

    def learn_once() -> None:
        predict(base.unet, controlnet, z, t, text, condition).sum().backward()

    def estimate() -> None:
        with torch.no_grad():
            predict(base.unet, controlnet, z, t, text, condition)

    rows: list[tuple[str, Callable[[], object]]] = [
        ("encode", lambda: encode(base.vae, picture)),
        ("decode", lambda: decode(base.vae, z)),
        ("UNet", lambda: predict(base.unet, None, z, t, text, None)),
        ("UNet and ControlNet", estimate),
        ("UNet and ControlNet, forward and backward, checkpointed", learn_once),
    ]
    click.echo(f"| {side} x {side} | TFLOP |\n| --- | --- |")
    with torch.enable_grad():
        for name, work in rows:
            click.echo(f"| {name} | {flops_of(work) / 1e12:.2f} |")
    click.echo("\n| network | million parameters |\n| --- | --- |")
    names = ("autoencoder", "UNet", "text encoder", "ControlNet", "CFW")
    networks = (base.vae, base.unet, base.text_encoder, controlnet, cfw)
    for name, network in zip(names, networks, strict=True):
        click.echo(f"| {name} | {sum(p.numel() for p in network.parameters()) / 1e6:.0f} |")


if __name__ == "__main__":
    main()
