from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from unfade.data.pairs import PairOptions, old_photo_pair
from unfade.data.sources import CleanPhoto
from unfade.errors import UsageError
from unfade.masks import inpainting_hole
from unfade.models.inference import inference
from unfade.models.scratch import ScratchDetector
from unfade.models.stage1 import push_pull
from unfade.train.options import Stage1Recipe
from unfade.train.sampler import batches
from unfade.train.stage1 import Stage1Task, detected_hole, imperfect, repair_loss

MakeTask = Callable[..., Any]


def test_repair_loss_is_least_when_the_photo_is_mended_and_symmetric() -> None:
    torch.manual_seed(0)
    target, mask = torch.rand(2, 3, 16, 16), (torch.rand(2, 1, 16, 16) > 0.8).float()
    same = repair_loss(target, target, mask)
    near = repair_loss(target + 0.05 * torch.randn_like(target), target, mask)
    far = repair_loss(target + 0.2 * torch.randn_like(target), target, mask)
    assert same < near < far
    torch.manual_seed(0)
    a, b, mask = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)
    torch.testing.assert_close(repair_loss(a, b, mask), repair_loss(b, a, mask))


def test_repair_loss_keeps_holes_from_drowning_the_rest() -> None:
    target, damage = torch.full((1, 3, 16, 16), 0.5), torch.zeros(1, 1, 16, 16)
    damage[..., :8] = 1
    grain = 0.05 * (1 - damage)
    without = repair_loss(target, target, damage) - repair_loss(target + grain, target, damage)
    hole = target + 0.4 * damage
    beside = repair_loss(hole, target, damage) - repair_loss(hole + grain, target, damage)
    assert float(without) < 0 and float(beside / without) == pytest.approx(1, rel=0.05)


def test_repair_loss_gives_a_small_error_the_say_of_a_large_one() -> None:
    target, mask = torch.full((2, 3, 16, 16), 0.5), torch.zeros(2, 1, 16, 16)
    errors = torch.tensor([0.02, 0.2])[:, None, None, None]
    base = repair_loss(target + errors, target, mask)
    gains = [
        base - repair_loss(target + errors * torch.tensor(half)[:, None, None, None], target, mask)
        for half in ([0.5, 1.0], [1.0, 0.5])
    ]
    assert 0.2 < float(gains[0] / gains[1]) < 1.0


@pytest.mark.parametrize("size", [(64, 64), (16, 16), (1, 1), (1, 40)])
def test_imperfect_masks_are_binary_and_pure(size: tuple[int, int]) -> None:
    mask = (np.random.default_rng(0).random(size) > 0.9).astype(np.float32)
    kept = mask.copy()
    for seed in range(40):
        out = imperfect(mask, np.random.default_rng(seed))
        assert out.shape == size and out.dtype == np.float32
        assert set(np.unique(out)) <= {0.0, 1.0}
        np.testing.assert_array_equal(out, imperfect(mask, np.random.default_rng(seed)))
    np.testing.assert_array_equal(mask, kept)


def test_imperfect_masks_mostly_hold_the_true_one() -> None:
    mask = np.zeros((64, 64), np.float32)
    mask[20:24, 5:60] = 1
    found = [imperfect(mask, np.random.default_rng(seed)) for seed in range(200)]
    recall = np.array([(out * mask).sum() / mask.sum() for out in found])
    assert 0.8 < recall.mean() < 0.99
    assert 0.02 < (recall == 0).mean() < 0.16
    assert (recall == 1).mean() > 0.4


def test_sample_keeps_the_tone_in_its_target(make_task: MakeTask) -> None:
    task = make_task("stage1")
    for number in range(10):
        sample = task.sample("train", number)
        assert sample["lq"].shape == sample["hq"].shape == (3, 32, 32)
        assert sample["mask"].shape == (1, 32, 32)
        means = (sample["lq"] - sample["hq"]).mean((1, 2)).abs()
        if sample["mask"].mean() < 0.02:
            assert means.max() < 0.12


def test_loss_reports_the_gain_over_the_fill(make_task: MakeTask) -> None:
    task = make_task("stage1")
    batch = {k: v[None] for k, v in task.sample("train", 1).items()}

    class Idle(torch.nn.Module):
        def forward(self, lq: torch.Tensor, mask: torch.Tensor, *, local: bool) -> torch.Tensor:
            return push_pull(lq, mask)

    figures = task.loss(Idle(), batch)[1]
    assert figures == pytest.approx({"sound_db": 0, "holes_db": 0}, abs=1e-4)


def test_found_is_the_hole_of_all_that_reaches_the_threshold(detector: ScratchDetector) -> None:
    lq = torch.full((3, 64, 64), 0.2)
    lq[0, 10:12, 10:50] = 1  # a sure scratch
    lq[0, 20:22, 10:50] = 0.69  # p = 0.80, its threshold is 0.6
    lq[0, 30:32, 10:50] = 0.67  # p = 0.55
    lq[2, 40:64, 50:64] = 1  # a lost corner
    mask = detected_hole(detector, lq)
    assert mask.shape == (64, 64) and mask.dtype == np.float32
    assert (mask[10:12, 10:50] == 1).all() and (mask[40:, 50:] == 1).all()
    assert (mask[20:22, 12:48] == 1).all()
    assert not mask[28:34, :48].any() and not mask[:8].any()
    assert (mask[9, 10:50] == 1).all() and not mask[8].any()  # a pixel wider


def test_found_takes_a_border_for_lost_from_one_half(detector: ScratchDetector) -> None:
    detector.config = replace(detector.config, threshold=0.3)
    lq = torch.full((3, 32, 32), 0.2)
    lq[2, :8] = 0.66  # p = 0.40: for damage that would do
    assert not detected_hole(detector, lq).any()
    lq[2, :8] = 0.69
    assert (detected_hole(detector, lq)[:8] == 1).all()


@pytest.fixture
def make_found(make_task: MakeTask, photos: list[CleanPhoto]) -> Callable[[float], Stage1Task]:
    """A task that draws this share of its masks from the compact preset's detector."""
    return lambda share: Stage1Task(replace(make_task("stage1").recipe, found=share), photos)


def test_all_masks_are_found_when_their_share_is_all(
    make_found: Callable[[float], Stage1Task],
) -> None:
    task = make_found(1.0)
    assert task.detector is not None
    pieces: list[float] = []
    for number in range(40):
        sample = task.sample("train", number)
        with inference(torch.device("cpu")):
            p = (task.detector(sample["lq"][None]).float().sigmoid()[0] * 255).round().numpy()
        seen = np.where(p[1] >= 128, p.max(0), p[0]).astype(np.uint8)
        mask = sample["mask"][0].numpy()
        np.testing.assert_array_equal(
            mask, inpainting_hole(seen, task.detector.config.threshold, 1)
        )
        true = old_photo_pair(task.photos, 0, number, task.recipe.pairs).mask
        np.testing.assert_array_equal(sample["damage"][0].numpy(), np.maximum(mask, true))
        pieces.append(float(mask.mean()))
    assert min(pieces) < 0.02 < max(pieces)


def test_masks_are_found_at_their_share(make_found: Callable[[float], Stage1Task]) -> None:
    task, calls = make_found(0.65), list[int]()
    assert task.detector is not None
    task.detector.register_forward_hook(lambda *_: calls.append(1))
    for number in range(100):
        before = len(calls)
        mask = task.sample("train", number)["mask"]
        assert len(calls) > before or set(mask.unique().tolist()) <= {0.0, 1.0}
    assert len(calls) == pytest.approx(65, abs=13)


def test_pairs_are_the_same_whatever_share_of_their_masks_is_found(
    make_found: Callable[[float], Stage1Task], make_task: MakeTask
) -> None:
    none, all_ = make_found(0.0), make_found(1.0)
    assert none.detector is None
    for number in range(5):
        one, other, plain = (t.sample("train", number) for t in (none, all_, make_task("stage1")))
        assert all(torch.equal(one[k], plain[k]) for k in plain)
        assert all(torch.equal(one[k], other[k]) for k in ("lq", "hq"))


def test_found_masks_are_the_same_in_any_process(make_found: Callable[[float], Stage1Task]) -> None:
    task = make_found(0.5)
    options = replace(task.recipe.loop, steps=4, batch=2)
    here, one, two = (list(batches(task, 0, replace(options, workers=n), 0, 1)) for n in (0, 1, 2))
    again = list(batches(pickle.loads(pickle.dumps(task)), 0, options, 0, 1))
    for a, b, c, d in zip(here, one, two, again, strict=True):
        assert all(torch.equal(b[k], c[k]) and torch.equal(a[k], d[k]) for k in a)
        for key in a:  # a process of several threads may round otherwise
            torch.testing.assert_close(a[key], b[key], rtol=0, atol=0.02)


def test_task_refuses_pairs_that_it_cannot_draw(photos: list[CleanPhoto]) -> None:
    with pytest.raises(UsageError, match=r"pairs\.hard = 0\.2, expected 0"):
        Stage1Task(Stage1Recipe(pairs=PairOptions(size=32, hard=0.2)), photos)
    with pytest.raises(UsageError, match="crops of 40 pixels"):
        Stage1Task(Stage1Recipe(pairs=PairOptions(size=40)), photos)
