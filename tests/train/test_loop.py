from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from unfade.errors import WeightsError
from unfade.rng import generator
from unfade.train.loop import rate_at, train
from unfade.train.options import LoopOptions

MakeTask = Callable[..., Any]
TASKS = ("scratch", "stage1", "tone", "colour")


def run(task: Any, folder: Path, **loop: Any) -> nn.Module:
    return train(task, replace(task.recipe.loop, **loop), folder)


def assert_same_state(a: Path, b: Path) -> None:
    one, other = load_file(a / "state.safetensors"), load_file(b / "state.safetensors")
    assert one.keys() == other.keys()
    assert any(k.startswith("adam.") for k in one)
    for key in one:
        assert torch.equal(one[key], other[key]), key


class Stopped(Exception):
    pass


def stop_at(step: int) -> Callable[[int, dict[str, float]], None]:
    def progress(now: int, figures: dict[str, float]) -> None:
        if now == step:
            raise Stopped

    return progress


@pytest.mark.parametrize("name", [*TASKS, "vae", "prior", "controlnet"])
def test_train_goes_on_bit_for_bit_when_it_was_stopped(
    make_task: MakeTask, tmp_path: Path, name: str
) -> None:
    task = make_task(name, save_every=2)
    whole = run(task, tmp_path / "whole")
    with pytest.raises(Stopped):  # in step 5: the last checkpoint is that of step 4
        train(task, task.recipe.loop, tmp_path / "parts", progress=stop_at(5))
    parts = run(make_task(name, save_every=2), tmp_path / "parts")
    assert_same_state(tmp_path / "whole", tmp_path / "parts")
    for a, b in zip(whole.state_dict().values(), parts.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_train_goes_on_bit_for_bit_when_the_encoder_has_a_rate_of_its_own(
    make_task: MakeTask, tmp_path: Path
) -> None:
    task = make_task("scratch", save_every=2, encoder_rate=0.3, steps=4, moments="bf16")
    run(task, tmp_path / "whole")
    with pytest.raises(Stopped):
        train(task, task.recipe.loop, tmp_path / "parts", progress=stop_at(3))
    run(task, tmp_path / "parts")
    assert_same_state(tmp_path / "whole", tmp_path / "parts")


def test_the_encoder_stays_when_its_rate_is_zero(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task("scratch", steps=2, encoder_rate=0.0, ema=0.0)
    start = task.build()
    before = {name: value.clone() for name, value in start.named_parameters()}
    for name, value in train(task, task.recipe.loop, tmp_path, start=start).named_parameters():
        stays = torch.equal(value, before[name])
        assert stays == name.startswith("encoder.") or not name.endswith("weight"), name


def test_train_is_the_same_when_a_worker_prepares_the_data(
    make_task: MakeTask, tmp_path: Path
) -> None:
    run(make_task("stage1"), tmp_path / "none", workers=0)
    run(make_task("stage1"), tmp_path / "one", workers=1)
    assert_same_state(tmp_path / "none", tmp_path / "one")


@pytest.mark.parametrize("small", [True, False])
def test_ctrl_c_writes_a_checkpoint_of_a_small_network(
    make_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: bool
) -> None:
    if not small:
        monkeypatch.setattr("unfade.train.interruption._SMALL_BYTES", 0)
    task = make_task("tone", save_every=100)
    loss, calls = task.loss, iter(range(100))

    def pressed(model: nn.Module, batch: dict[str, torch.Tensor]) -> Any:
        if next(calls) == 2:  # in the third step
            os.kill(os.getpid(), signal.SIGINT)
        return loss(model, batch)

    monkeypatch.setattr(task, "loss", pressed)
    with pytest.raises(KeyboardInterrupt):
        run(task, tmp_path / "run")
    state = tmp_path / "run" / "state.safetensors"
    assert state.exists() == small
    if small:
        with safe_open(state, "pt") as file:
            assert file.metadata()["step"] == "3"
        run(make_task("tone"), tmp_path / "run")
        run(make_task("tone"), tmp_path / "whole")
        assert_same_state(tmp_path / "run", tmp_path / "whole")


class Line:
    """Learns a line from single points; its network may draw random numbers of its own."""

    def __init__(self, dropout: float = 0.0) -> None:
        self.dropout = dropout

    def build(self) -> nn.Module:
        return nn.Sequential(nn.Linear(3, 8), nn.Dropout(self.dropout), nn.Linear(8, 1))

    def sample(self, split: str, index: int) -> dict[str, torch.Tensor]:
        x = torch.from_numpy(generator(0, "line", index).random(3, np.float32))
        return {"x": x, "y": x.sum()[None]}

    def loss(self, model: nn.Module, batch: dict[str, torch.Tensor]) -> Any:
        loss = (model(batch["x"]) - batch["y"]).square().mean()
        return loss, {"worst": float((model(batch["x"]) - batch["y"]).detach().abs().mean())}

    def validate(self, model: nn.Module, path: Path) -> dict[str, float]:
        return {}


LINE = LoopOptions(
    steps=8,
    batch=8,
    rate=1e-2,
    warmup=2,
    workers=0,
    save_every=1,
    validate_every=100,
    precision="fp32",
)


def losses(folder: Path) -> list[float]:
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]


def test_train_goes_on_bit_for_bit_when_the_network_draws_random_numbers(tmp_path: Path) -> None:
    train(Line(0.5), LINE, tmp_path / "whole")
    with pytest.raises(Stopped):
        train(Line(0.5), LINE, tmp_path / "parts", progress=stop_at(5))
    torch.rand(7)  # whatever happened in between
    train(Line(0.5), LINE, tmp_path / "parts")
    assert_same_state(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("accumulate", [2, 8])
def test_train_is_the_same_when_gradients_accumulate(tmp_path: Path, accumulate: int) -> None:
    train(Line(), LINE, tmp_path / "one")
    train(Line(), replace(LINE, accumulate=accumulate), tmp_path / "many")
    np.testing.assert_allclose(losses(tmp_path / "one"), losses(tmp_path / "many"), rtol=1e-4)
    one, other = (load_file(tmp_path / n / "state.safetensors") for n in ("one", "many"))
    for key in one:
        torch.testing.assert_close(one[key], other[key], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("change", [{"attention": "plain"}, {"layout": "contiguous"}])
def test_attention_and_layout_change_nothing_but_the_speed(
    make_task: MakeTask, tmp_path: Path, change: dict[str, str]
) -> None:
    usual, other = (make_task("prior", precision="fp32", **more) for more in ({}, change))
    one = train(usual, usual.recipe.loop, tmp_path / "usual")
    two = train(other, other.recipe.loop, tmp_path / "other")
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_train_differs_when_the_seed_does(make_task: MakeTask, tmp_path: Path) -> None:
    run(make_task("tone"), tmp_path / "a", steps=2)
    run(make_task("tone", seed=1), tmp_path / "b", steps=2)
    with pytest.raises(AssertionError):
        assert_same_state(tmp_path / "a", tmp_path / "b")


JOB = """
import sys, time
from pathlib import Path
import cv2, numpy as np, torch
from unfade.data.pairs import PairOptions
from unfade.data.sources import CleanPhoto
from unfade.models.scratch import ScratchConfig
from unfade.train.loop import train
from unfade.train.options import LoopOptions, ScratchRecipe
from unfade.train.scratch import ScratchTask

def go(run, delay=0.0):
    torch.set_num_threads(1)
    image = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    photos = [CleanPhoto("a", cv2.imencode(".png", image)[1].tobytes())]
    loop = LoopOptions(steps=24, batch=2, warmup=3, workers=0, save_every=3, validate_every=100)
    model = ScratchConfig(2, 4, [4, 4], [1, 1])
    recipe = ScratchRecipe(loop, PairOptions(size=32), model, imagenet=False)
    train(ScratchTask(recipe, photos), loop, Path(run), progress=lambda *_: time.sleep(delay))

if __name__ == "__main__":
    go(sys.argv[1], 0.05)
"""


def step_of(folder: Path) -> int:
    with safe_open(folder / "state.safetensors", "pt") as handle:
        return int(handle.metadata()["step"])


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_train_goes_on_bit_for_bit_when_it_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "job.py"
    script.write_text(JOB)
    killed = tmp_path / "killed"
    job = subprocess.Popen([sys.executable, str(script), str(killed)])
    deadline = time.monotonic() + 120
    while not (killed / "state.safetensors").exists() and time.monotonic() < deadline:
        assert job.poll() is None
        time.sleep(0.02)
    time.sleep(0.1)
    job.send_signal(signal.SIGKILL)
    job.wait()
    assert 3 <= step_of(killed) < 24
    threads = torch.get_num_threads()
    space: dict[str, Any] = {"__name__": "job"}
    exec(compile(JOB, "job.py", "exec"), space)
    try:
        space["go"](killed)
        space["go"](tmp_path / "whole")
    finally:
        torch.set_num_threads(threads)
    assert step_of(killed) == 24
    assert_same_state(tmp_path / "whole", killed)


@pytest.mark.parametrize("name", TASKS)
def test_train_learns_a_few_samples(make_task: MakeTask, tmp_path: Path, name: str) -> None:
    task = make_task(name, steps=120, rate=4e-3, batch=4)
    samples = [task.sample("train", n) for n in range(4)]
    task.sample = lambda split, index: samples[index % 4]
    losses: list[float] = []

    def watch(model: nn.Module) -> float:
        batch = {k: torch.stack([s[k] for s in samples]) for k in samples[0]}
        return float(task.loss(model, batch)[0].detach())

    torch.manual_seed(0)
    losses.append(watch(task.build().train()))
    task.show = lambda model, path: {}
    trained = run(task, tmp_path, ema=0.8)
    losses.append(watch(trained.train()))
    assert losses[1] < 0.8 * losses[0]


def test_train_writes_a_log_and_a_sample_grid(make_task: MakeTask, tmp_path: Path) -> None:
    exported: list[nn.Module] = []
    task = make_task("stage1", steps=4, save_every=2, validate_every=2)
    result = train(task, task.recipe.loop, tmp_path, export=lambda net, step: exported.append(net))
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 2, 4, 4]
    assert all("loss" in row and row["rate"] > 0 for row in rows[::2])
    assert any(key.startswith("shown") for key in rows[1])
    assert (tmp_path / "sheet-000004.png").stat().st_size > 1000
    assert exported[-1] is result and not result.training


@pytest.mark.parametrize("name", ["scratch", "tone"])
def test_validate_writes_a_sample_grid(make_task: MakeTask, tmp_path: Path, name: str) -> None:
    task = make_task(name)
    task.validate(task.build().eval(), tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 1000


def test_train_does_nothing_more_when_all_steps_are_done(
    make_task: MakeTask, tmp_path: Path
) -> None:
    first = run(make_task("tone"), tmp_path)
    before = (tmp_path / "state.safetensors").read_bytes()
    for steps in (6, 3):
        again = run(make_task("tone"), tmp_path, steps=steps)
        for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
            assert torch.equal(a, b)
    assert (tmp_path / "state.safetensors").read_bytes() == before


def test_train_starts_from_given_weights_and_refuses_those_of_another_network(
    make_task: MakeTask, tmp_path: Path
) -> None:
    task = make_task("tone", steps=1, rate=0.0)
    torch.manual_seed(123)
    start = task.build()
    end = train(task, task.recipe.loop, tmp_path, start=start)
    for a, b in zip(start.parameters(), end.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    task = make_task("tone", steps=1)
    with pytest.raises(WeightsError, match="another shape to start from"):
        train(task, task.recipe.loop, tmp_path / "other", start=make_task("scratch").build())


def test_train_takes_a_network_that_cannot_forget_activations(
    make_task: MakeTask, tmp_path: Path
) -> None:
    run(make_task("cfw", steps=1, checkpointing=True), tmp_path)
    assert (tmp_path / "state.safetensors").exists()


def test_train_skips_a_step_whose_gradient_is_not_finite(
    make_task: MakeTask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = make_task("tone", steps=3)
    plain = task.loss

    def broken(model: nn.Module, batch: dict[str, torch.Tensor]) -> Any:
        loss, figures = plain(model, batch)
        return loss * float("nan"), figures

    task.loss = broken
    torch.manual_seed(0)
    untrained = task.build()
    result = run(task, tmp_path)
    assert "not finite" in caplog.text
    for a, b in zip(untrained.parameters(), result.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_train_refuses_the_state_of_another_network(make_task: MakeTask, tmp_path: Path) -> None:
    run(make_task("tone", steps=1), tmp_path)
    with pytest.raises(WeightsError, match="state of another training"):
        run(make_task("scratch", steps=2), tmp_path)
    (tmp_path / "state.safetensors").write_bytes(b"torn")
    with pytest.raises(WeightsError, match=r"state\.safetensors"):
        run(make_task("tone", steps=2), tmp_path)


def test_rate_rises_then_falls_to_a_hundredth() -> None:
    options = LoopOptions(steps=1000, warmup=100, rate=2e-3)
    rates = np.array([rate_at(step, options) for step in range(1001)])
    assert rates[0] == pytest.approx(2e-5) and rates[99] == pytest.approx(2e-3)
    assert rates.argmax() in (99, 100) and rates.max() == pytest.approx(2e-3)
    assert (np.diff(rates[:100]) > 0).all() and (np.diff(rates[100:]) < 0).all()
    assert rates[550] == pytest.approx(0.505 * 2e-3)
    assert rates[1000] == pytest.approx(2e-5)
    assert rate_at(5000, options) == pytest.approx(2e-5)
    assert rate_at(0, replace(options, warmup=0)) == pytest.approx(2e-3)
