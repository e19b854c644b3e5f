from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from unfade.data.colour import ColourOptions
from unfade.data.sources import CleanPhoto, LabelMap
from unfade.errors import UsageError
from unfade.models.colouriser import Colouriser, bin_centres, soft_bins
from unfade.train.colour import (
    ColourTask,
    chroma_distance,
    colour_shares,
    colourfulness,
    renamed_sample,
)
from unfade.train.options import ColourRecipe

MakeTask = Callable[..., Any]


@pytest.fixture
def person(photos: list[CleanPhoto]) -> CleanPhoto:
    levels = np.zeros((40, 50), np.uint8)
    levels[5:35, 10:40] = 14
    labels = LabelMap(cv2.imencode(".png", levels)[1].tobytes(), {0: "null", 14: "dress"})
    return CleanPhoto("ccp-0001", photos[0].code, ("a person with red dress",), labels)


class Fixed(nn.Module):
    """Answers with the true chroma of every sample of a task, as sure as can be."""

    def __init__(self, chroma: torch.Tensor) -> None:
        super().__init__()
        self.centres = torch.tensor(bin_centres())
        self.chroma = chroma

    def forward(self, *_: torch.Tensor) -> torch.Tensor:
        return (soft_bins(self.chroma, self.centres) + 1e-9).log()


def test_samples_are_what_the_network_takes(make_task: MakeTask) -> None:
    task = make_task("colour")
    for number in range(4):
        sample = task.sample("train", number)
        assert {k: tuple(v.shape) for k, v in sample.items()} == {
            "light": (1, 32, 32),
            "region_colours": (3, 32, 32),
            "tokens": (6,),
            "chroma": (2, 8, 8),
        }
        again = make_task("colour").sample("train", number)
        assert all(torch.equal(sample[k], again[k]) for k in sample)
    batch = {k: v[None] for k, v in sample.items()}
    assert task.build().eval()(batch["light"], batch["region_colours"], batch["tokens"]).shape == (
        1,
        260,
        8,
        8,
    )
    assert not torch.equal(task.sample("validation", 0)["light"], task.sample("train", 0)["light"])


def test_loss_is_least_for_the_true_chroma(make_task: MakeTask) -> None:
    task = make_task("colour")
    batch = {k: v[None] for k, v in task.sample("train", 0).items()}
    true, figures = task.loss(Fixed(batch["chroma"]), batch)
    off, worse = task.loss(Fixed(batch["chroma"] + 15), batch)
    assert true < off
    assert figures["chroma_error"] < 1 < worse["chroma_error"]
    assert worse["chroma_error"] == pytest.approx(15 * 2**0.5, abs=1.5)
    gray = float(batch["chroma"].norm(dim=1).mean())
    assert figures["gray_error"] == pytest.approx(gray, rel=1e-5)


def test_rebalancing_makes_rare_colours_count(make_task: MakeTask) -> None:
    task = make_task("colour")
    net = task.build().eval()
    batch = {k: v[None] for k, v in task.sample("train", 0).items()}
    task.recipe = replace(task.recipe, rebalance=0.0)
    plain = float(task.loss(net, batch)[0])
    shares = torch.full((260,), 1e-6)
    shares[(torch.tensor(bin_centres()) == 0).all(1)] = 1.0  # all but gray is rare
    with torch.no_grad():
        net.log_prior.copy_((shares / shares.sum()).log())
    task.recipe = replace(task.recipe, rebalance=1.0)
    assert float(task.loss(net, batch)[0]) > 3 * plain


def test_network_starts_from_the_frequency_of_colours(photos: list[CleanPhoto]) -> None:
    shares = colour_shares(photos)
    assert shares.shape == (260,) and float(shares.sum()) == pytest.approx(1)
    gray = np.full((20, 20, 3), 128, np.uint8)
    code = cv2.imencode(".png", gray)[1].tobytes()
    only = colour_shares([CleanPhoto("g", code)])
    assert float(only[(torch.tensor(bin_centres()) == 0).all(1)].sum()) > 0.5


def test_held_out_photos_are_never_sampled(photos: list[CleanPhoto]) -> None:
    named = [replace(p, key=f"ccp-{i:04}") for i, p in enumerate(photos)]  # 0001 by its hash
    task = ColourTask(
        ColourRecipe(samples=ColourOptions(size=32), model=replace_words(), imagenet=False), named
    )
    assert [p.key for p in task.held_out] == ["ccp-0001"]
    assert "ccp-0001" not in [p.key for p in task.photos]


def replace_words() -> Any:
    from unfade.models.colouriser import ColouriserConfig

    return ColouriserConfig(
        widths=[8, 8, 16], heads=2, text_width=8, text_layers=1, length=6, words=["red"]
    )


def test_validate_writes_a_sample_grid_and_figures(
    make_task: MakeTask, person: CleanPhoto, tmp_path: Path
) -> None:
    task = make_task("colour")
    task.held_out = [person, *task.held_out]
    net = task.build().eval()
    figures = task.validate(net, tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None and sheet.shape[1] == 8 * 32  # two photos in a row, four pictures each
    assert sheet.shape[0] == 32 * (len(task.held_out) // 2)
    assert np.ptp(sheet[:32, :32].astype(int), axis=2).max() <= 2  # the first one is gray
    assert np.ptp(sheet[:32, 96:128].astype(int), axis=2).max() > 10
    assert set(figures) == {
        "gray_error",
        "chroma_error",
        "told_error",
        "colourful",
        "told_colourful",
        "renamed",
    }
    assert 0 <= figures["renamed"] <= 1 and figures["gray_error"] > 3
    assert figures == task.validate(net, tmp_path / "again.png")


def test_renamed_samples_have_a_new_hue_in_their_garment(person: CleanPhoto) -> None:
    made = [renamed_sample(person, 32, np.random.default_rng(seed)) for seed in range(30)]
    found = [sample for sample in made if sample is not None]
    assert 10 < len(found) < 30  # colours without a hue are left out
    for sample in found:
        assert "dress" in sample.prompt
        mean = sample.lab[..., 1:][sample.region > 0.5].mean(0)
        assert np.hypot(*mean) >= 8


def test_colourfulness_and_distance_have_their_formula() -> None:
    chroma = torch.zeros(2, 1, 4)
    chroma[0, 0] = torch.tensor([10.0, -10.0, 10.0, -10.0])
    chroma[1] = 20.0
    assert colourfulness(chroma) == pytest.approx(10 + 0.37 * 20)
    assert colourfulness(torch.zeros(2, 3, 3)) == 0
    assert chroma_distance(chroma, torch.zeros(2, 1, 4)) == pytest.approx(500**0.5)


def test_recipe_refuses_what_makes_no_sense(photos: list[CleanPhoto]) -> None:
    with pytest.raises(UsageError, match="rebalance = 2, expected 0 to 1"):
        ColourRecipe(rebalance=2)
    with pytest.raises(UsageError, match="crops of 40 pixels"):
        ColourTask(ColourRecipe(samples=ColourOptions(size=40)), photos)


def test_encoder_starts_from_imagenet_where_asked(make_task: MakeTask) -> None:
    task = make_task("colour")
    task.recipe = replace(task.recipe, imagenet=True)
    net = task.build()
    assert isinstance(net, Colouriser)
    plain = make_task("colour").build()
    name = "encoder.stages.2.0.layers.0.conv.weight"
    assert not torch.equal(net.state_dict()[name], plain.state_dict()[name])
