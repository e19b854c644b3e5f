from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from unfade.data.pairs import PairOptions
from unfade.data.sources import CleanPhoto
from unfade.degrade.stencils import Stencil
from unfade.errors import UsageError
from unfade.models.efficientnet import imagenet_weights
from unfade.models.scratch import ScratchConfig
from unfade.train.options import ScratchRecipe
from unfade.train.scratch import ScratchTask, mask_loss

MakeTask = Callable[..., Any]


def masks() -> torch.Tensor:
    torch.manual_seed(0)
    return (torch.rand(2, 2, 32, 32) > 0.9).float()


def test_mask_loss_is_least_when_the_mask_is_found_and_small_when_there_is_none() -> None:
    mask = masks()
    right = mask_loss(20 * (2 * mask - 1), mask)
    unsure = mask_loss(torch.zeros_like(mask), mask)
    wrong = mask_loss(-20 * (2 * mask - 1), mask)
    assert 0 <= right < 0.01 < unsure < wrong
    empty = torch.zeros(2, 2, 32, 32)
    assert mask_loss(empty - 20, empty) < 1e-3
    logits = torch.zeros_like(mask, requires_grad=True)
    mask_loss(logits, mask).backward()
    assert logits.grad is not None
    assert (logits.grad[mask > 0] < 0).all() and (logits.grad[mask == 0] > 0).all()


def test_mask_loss_weighs_a_miss_above_a_false_alarm() -> None:
    mask = torch.zeros(1, 2, 16, 16)
    mask[:, 0, :8] = 1
    missed, false = torch.full_like(mask, -4.0), torch.full_like(mask, 4.0)
    false[:, 1] = missed[:, 1]
    assert mask_loss(missed, mask) > mask_loss(false, mask)


def test_mask_loss_weighs_a_miss_by_the_error_that_the_damage_makes() -> None:
    mask = torch.zeros(1, 2, 16, 16)
    mask[:, 0, :4] = mask[:, 0, 8:12] = 1
    more = torch.zeros(1, 1, 16, 16)
    more[:, :, :4] = 3
    faint, bright, alarm = (-4.0 + 8 * mask for _ in range(3))
    faint[:, 0, 8:12] = -4
    bright[:, 0, :4] = -4
    alarm[:, 0, 12:] = 4
    plain = [float(mask_loss(x, mask)) for x in (faint, bright, alarm)]
    harmed = [float(mask_loss(x, mask, more)) for x in (faint, bright, alarm)]
    assert plain[0] == pytest.approx(plain[1])
    assert harmed[1] > 2 * harmed[0] and harmed[1] > 1.5 * plain[1]
    where = mask_loss(-4.0 + 8 * mask, mask, torch.ones_like(more))
    assert where < 0.2 < harmed[2]


def test_sample_holds_a_photo_and_two_masks_that_do_not_overlap(make_task: MakeTask) -> None:
    task = make_task("scratch")
    for number in range(20):
        sample = task.sample("train", number)
        assert sample["lq"].shape == (3, 32, 32) and sample["mask"].shape == (2, 32, 32)
        assert sample["lq"].dtype == sample["mask"].dtype == torch.float32
        assert set(sample["mask"].unique().tolist()) <= {0.0, 1.0}
        assert sample["mask"].sum(0).max() <= 1
        assert sample["error"].shape == (1, 32, 32) and 0 <= sample["error"].min() <= 1
        assert torch.equal(sample["lq"], task.sample("train", number)["lq"])


def test_loss_reports_the_f1_score(make_task: MakeTask) -> None:
    task = make_task("scratch")
    mask = masks()
    batch = {"lq": torch.rand(2, 3, 32, 32), "mask": mask, "error": torch.rand(2, 1, 32, 32)}

    class Oracle(torch.nn.Module):
        def forward(self, lq: torch.Tensor) -> torch.Tensor:
            return 8 * (2 * mask - 1)

    assert task.loss(Oracle(), batch)[1]["f1"] == 1.0


def test_build_starts_from_imagenet_when_the_recipe_says_so(photos: list[CleanPhoto]) -> None:
    model = ScratchConfig(2, 4, [4, 4], [1, 1])
    stems: list[torch.Tensor] = []
    for imagenet in (True, False):
        recipe = ScratchRecipe(pairs=PairOptions(size=32), model=model, imagenet=imagenet)
        net = ScratchTask(recipe, photos).build()
        stems.append(net.get_parameter("encoder.stem.conv.weight"))
    known = imagenet_weights()["_conv_stem.weight"]
    assert torch.equal(stems[0], known) and not torch.equal(stems[1], known)


def test_samples_show_shapes_of_real_damage(
    make_task: MakeTask, photos: list[CleanPhoto], stencils: list[Stencil]
) -> None:
    recipe = make_task("scratch").recipe
    plain, real = ScratchTask(recipe, photos), ScratchTask(recipe, photos, (), stencils)
    pairs = [(plain.sample("train", n), real.sample("train", n)) for n in range(30)]
    assert any(not torch.equal(a["lq"], b["lq"]) for a, b in pairs)
    assert any(torch.equal(a["lq"], b["lq"]) for a, b in pairs)  # those without damage


def test_task_refuses_crops_that_do_not_fit(photos: list[CleanPhoto]) -> None:
    with pytest.raises(UsageError, match="crops of 40 pixels"):
        ScratchTask(ScratchRecipe(pairs=PairOptions(size=40)), photos)
