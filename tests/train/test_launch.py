from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from unfade.data.sources import CleanPhoto
from unfade.errors import UsageError
from unfade.models.folder import Base, save_base
from unfade.train import launch
from unfade.train.diffusion_tasks import frozen_dtype
from unfade.train.launch import (
    accelerator,
    check_precision,
    configure_threads_and_memory,
    enough_memory,
)
from unfade.train.options import LoopOptions
from unfade.train.run import train_task

RECIPE = """
widths = [4, 8, 8]
[loop]
steps = {steps}
batch = 4
rate = 2e-3
warmup = 0
schedule = "constant"
workers = 0
precision = "fp32"
[views]
sides = [32, 40]
size = 16
[pairs]
first_stage = false
phrases = false
"""


def test_accelerator_is_one_process_and_says_what_to_install_when_it_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group = accelerator()
    assert group.num_processes == 1 and group.is_main_process
    assert accelerator().device == group.device
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(UsageError, match=r"pip install '\.\[train\]'"):
        accelerator()


def test_two_processes_learn_as_one_and_one_goes_on_where_they_stopped(
    photos: list[CleanPhoto], base: Base, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    for photo in photos:
        (tmp_path / "data" / f"{photo.key}.png").write_bytes(photo.code)
        (tmp_path / "data" / f"{photo.key}.txt").write_text("\n".join(photo.captions))
    save_base(tmp_path / "base", base)
    for steps in (2, 4):
        (tmp_path / f"{steps}.toml").write_text(RECIPE.format(steps=steps))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = (
        "-m accelerate.commands.launch --cpu --num_processes 2 --num_machines 1 --mixed_precision "
    )
    start += f"no --dynamo_backend no --num_cpu_threads_per_process 1 --main_process_port {port}"
    words = "-m unfade train controlnet --data data --base base --run two --recipe 2.toml"
    code = [sys.executable, *start.split(), *words.split()]
    done = subprocess.run(code, cwd=tmp_path, capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 0, done.stderr[-3000:]
    assert str(done.stdout).splitlines()[-1] == str(Path("two", "controlnet"))
    data, root = tmp_path / "data", str(tmp_path / "base")
    for run in ("one", "two"):
        train_task("controlnet", data, tmp_path / run, tmp_path / "4.toml", base=root)
    one, other = (load_file(tmp_path / n / "state.safetensors") for n in ("one", "two"))
    for key in one:  # sums are taken in another order
        torch.testing.assert_close(one[key], other[key], rtol=1e-3, atol=1e-5)


class Card:
    """What is asked of torch.cuda about a card without bf16."""

    @staticmethod
    def is_bf16_supported(including_emulation: bool = True) -> bool:
        return including_emulation

    @staticmethod
    def get_device_name(device: torch.device) -> str:
        return "Tesla T4"


def test_a_card_without_bf16_is_told_when_the_recipe_asks_for_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(launch.torch, "cuda", Card)
    card = torch.device("cuda:0")
    with pytest.raises(UsageError, match=r'bf16 on Tesla T4.*precision = "fp32"'):
        check_precision(card, "bf16")
    check_precision(card, "auto")
    assert "Tesla T4 has no bf16 in hardware: training in fp32" in caplog.text
    assert frozen_dtype(card, "auto") == torch.float32


def test_large_blocks_of_memory_are_handed_back_where_it_is_saved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: list[int] = []
    monkeypatch.setattr(launch, "reuse_freed_memory", kept.append)
    configure_threads_and_memory(LoopOptions())
    configure_threads_and_memory(LoopOptions(checkpointing=True))
    weights = 4 * 1280 * 1280 * 9  # bytes of the largest convolutions of a ControlNet
    assert kept[1] < weights < kept[0]


def test_frozen_networks_have_the_type_of_the_products() -> None:
    cpu = torch.device("cpu")
    assert frozen_dtype(cpu, "bf16") == torch.bfloat16
    assert frozen_dtype(cpu, "fp32") == frozen_dtype(cpu, "auto") == torch.float32


def test_too_little_memory_is_told_with_what_to_change() -> None:
    told, device = r"too little free memory on cpu.*double accumulate", torch.device("cpu")
    with pytest.raises(UsageError, match=told), enough_memory(device):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")


def test_networks_in_parts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import accelerate

    class Parted:
        def __init__(self, **options: object) -> None:
            self.distributed_type = accelerate.DistributedType.FSDP

    monkeypatch.setattr(accelerate, "Accelerator", Parted)
    with pytest.raises(UsageError, match="a launch with FSDP"):
        accelerator()
