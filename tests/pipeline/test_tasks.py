from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from unfade.colours import ColourRegion
from unfade.errors import InputError
from unfade.imaging import Photo
from unfade.models.enlarger import Enlarger, EnlargerConfig
from unfade.options import RestoreOptions
from unfade.pipeline.colour import to_lab
from unfade.pipeline.damage_estimate import Damage
from unfade.pipeline.diffusion import RestorationPipeline
from unfade.pipeline.diffusion_stage import DiffusionStage
from unfade.pipeline.first_stage import FirstStage
from unfade.pipeline.holes import weight_rows
from unfade.pipeline.prompts import warn_of_lost_words
from unfade.pipeline.request import Request
from unfade.pipeline.sampling import SamplingParameters
from unfade.pipeline.stages import Stages
from unfade.pipeline.tasks import restore
from unfade.pipeline.upscale import Upscaler
from unfade.pipeline.weights import DiffusionWeights
from unfade.timing import StageTimer, ignore

MakePhoto = Callable[..., Photo]
MakeMask = Callable[..., NDArray[np.uint8]]
Run = Callable[..., list[Photo]]
CPU = torch.device("cpu")


Go = Callable[..., list[Photo]]


@pytest.fixture
def go(first_stage: FirstStage) -> Go:
    """Restores a photo by a model, with the sampling parameters that are given."""
    weights = DiffusionWeights.find("compact")

    def work(
        pipeline: RestorationPipeline, photo: Photo, mask: Any, options: RestoreOptions,
        sampling: SamplingParameters, shares: list[float] | None = None,
        upscaler: Upscaler | None = None,
    ) -> list[Photo]:  # fmt: skip
        stages = Stages(first_stage, DiffusionStage(weights, CPU, pipeline))
        stages.upscaler = upscaler
        request = Request(photo, options, 0.5, mask, damage=Damage(), sampling=sampling)
        seen = [] if shares is None else shares
        return restore(request, stages, StageTimer(lambda _, share: seen.append(share)))

    return work


@pytest.fixture
def run(go: Go, make_pipeline: Callable[..., RestorationPipeline]) -> Run:
    """Restores a photo in two steps with a tiny model, at strength 1 and fidelity 0.5."""
    pipeline = make_pipeline()

    def work(
        photo: Photo, mask: Any = None, shares: list[float] | None = None, *, draws: int = 1,
        steps: int = 2, saturation: float = 1.0, **given: Any,
    ) -> Any:  # fmt: skip
        options = RestoreOptions(**given)
        strength = 1.0 if options.strength == "auto" else options.strength
        fidelity = 0.5 if options.fidelity == "auto" else options.fidelity
        sampling = SamplingParameters(
            strength, fidelity, fidelity, fidelity, 0.0, steps, draws, saturation
        )
        return go(pipeline, photo, mask, options, sampling, shares)

    return work


def tiny_enlarger() -> Enlarger:
    torch.manual_seed(0)
    network = Enlarger(EnlargerConfig([8, 8], [1, 1], hidden=8)).eval().requires_grad_(False)
    torch.nn.init.normal_(network.net.leave.weight, std=0.05)
    return network


def lab(photo: Photo) -> NDArray[np.float32]:
    rgb = photo.srgb(slice(None), slice(None)).transpose(2, 0, 1)
    return to_lab(torch.tensor(rgb.copy())[None])[0].numpy()


@pytest.mark.parametrize(("gray", "depth"), [(False, 16), (True, 8)])
def test_old_photo_keeps_size_depth_and_channels(
    run: Run, make_photo: MakePhoto, make_mask: MakeMask, gray: bool, depth: int
) -> None:
    photo = make_photo(gray=gray, depth=depth)
    for reach in ("damage", "all"):
        (out,) = run(photo, make_mask(), reach=reach)
        assert out.native.shape == photo.native.shape and out.native.dtype == photo.native.dtype
        assert (out.native != photo.native).mean() > 0.5


def test_model_has_a_say_in_the_damage_alone(
    run: Run, first_stage: FirstStage, make_photo: MakePhoto, make_mask: MakeMask
) -> None:
    photo, mask = make_photo(100, 70), make_mask(100, 70)
    mended = first_stage.restore(
        photo, mask, only_damage=False, tone="auto", tile=1024, threshold=0.5
    ).native
    (within,) = run(photo, mask)
    (whole,) = run(photo, mask, reach="all")
    weight = weight_rows(mask, 0.5, slice(0, 100))
    np.testing.assert_array_equal(within.native[weight == 0], mended[weight == 0])
    light = np.abs(lab(within)[0] - lab(whole)[0])[weight == 1]
    assert light.max() < 1.5
    assert (within.native != mended).any(2)[weight == 1].mean() > 0.9
    assert (whole.native != mended).any(2)[weight == 0].mean() > 0.9


def test_model_gives_no_colours_to_the_damage(
    run: Run, first_stage: FirstStage, make_photo: MakePhoto, make_mask: MakeMask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    photo, mask = make_photo(100, 70), make_mask(100, 70)
    photo.native[:] = photo.native[..., :1]  # gray in three channels
    monkeypatch.setattr(first_stage, "restore", lambda photo, mask, **how: photo)
    (whole,) = run(photo, mask, reach="all")
    (within,) = run(photo, mask)
    assert (whole.native != whole.native[..., :1]).any()
    assert (within.native == within.native[..., :1]).all()
    assert (within.native != photo.native).any()


@pytest.mark.parametrize("only_damage", [False, True])
def test_model_is_not_asked_where_there_is_no_damage(
    run: Run, first_stage: FirstStage, make_photo: MakePhoto, only_damage: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    photo, empty = make_photo(64, 48), np.zeros((64, 48), np.uint8)
    outs = run(photo, empty, variants=2, only_damage=only_damage)
    expected = photo
    if not only_damage:
        expected = first_stage.restore(
            photo, empty, only_damage=False, tone="auto", tile=1024, threshold=0.5
        )
    assert len(outs) == 1 and "reach='all'" in caplog.text
    for out in outs:
        np.testing.assert_array_equal(out.native, expected.native)


@pytest.mark.parametrize("task", ["old-photo", "colorize"])
@pytest.mark.parametrize(("gray", "depth"), [(False, 8), (True, 16)])
def test_only_damage_keeps_every_other_pixel_bit_for_bit(
    run: Run, make_photo: MakePhoto, make_mask: MakeMask, task: str, gray: bool, depth: int
) -> None:
    photo, mask = make_photo(100, 70, gray=gray, depth=depth), make_mask(100, 70)
    (out,) = run(photo, mask, task=task, only_damage=True, tile=64)
    core = weight_rows(mask, 0.5, slice(0, 100)) == 0
    assert 0.3 < core.mean() < 0.99
    before = np.broadcast_to(photo.native, out.native.shape)
    np.testing.assert_array_equal(out.native[core], before[core])
    assert (out.native != before).any(2)[mask > 0].mean() > 0.9


def test_model_is_shown_the_mended_photo_and_its_holes(
    go: Go, first_stage: FirstStage, make_pipeline: Callable[..., RestorationPipeline],
    make_photo: MakePhoto, make_mask: MakeMask,
) -> None:  # fmt: skip
    pipeline: Any = make_pipeline()
    seen: list[torch.Tensor] = []
    pipeline.controlnet.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["controlnet_cond"]), with_kwargs=True
    )
    photo, mask = make_photo(), make_mask()
    options = RestoreOptions(tone="keep", only_damage=True)
    go(pipeline, photo, mask, options, SamplingParameters(1.0, 0.0, steps=1))
    mended = first_stage.restore(
        photo, mask, only_damage=False, tone="keep", tile=1024, threshold=0.5
    )
    rgb = mended.srgb(slice(None), slice(None)).transpose(2, 0, 1)
    np.testing.assert_allclose(seen[0][0, :3].numpy(), rgb, atol=1e-6)
    holes = seen[0][0, 3].numpy() > 0
    assert holes[mask > 0].all() and holes.mean() < 0.3


def test_model_is_shown_what_the_first_stage_enlarged(
    go: Go, make_pipeline: Callable[..., RestorationPipeline], make_photo: MakePhoto
) -> None:
    pipeline: Any = make_pipeline()
    seen: list[torch.Tensor] = []
    pipeline.controlnet.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["controlnet_cond"]), with_kwargs=True
    )
    photo, upscaler = make_photo(20, 24), Upscaler(tiny_enlarger(), torch.device("cpu"))
    options = RestoreOptions(task="super-resolution")
    sampling = SamplingParameters(1.0, 0.0, steps=1)
    (out,) = go(pipeline, photo, None, options, sampling, upscaler=upscaler)
    assert (out.height, out.width) == (80, 96)
    shown = upscaler.enlarge_once(photo, 4, progress=ignore).srgb(slice(None), slice(None))
    np.testing.assert_allclose(seen[0][0, :3].numpy(), shown.transpose(2, 0, 1), atol=1e-6)


def test_colorize_makes_a_gray_photo_rgb_and_keeps_its_luminance(
    run: Run, make_photo: MakePhoto
) -> None:
    photo = make_photo(100, 90, gray=True)
    (out,) = run(photo, task="colorize", prompt="a red dress")
    assert out.native.shape == (100, 90, 3)
    before, after = lab(photo), lab(out)
    np.testing.assert_allclose(after[0], before[0], atol=0.35)  # half a level of 255
    assert np.abs(after[1:]).mean() > 1
    (other,) = run(photo, task="colorize")
    assert (other.native != out.native).any()


def test_colours_are_the_mean_of_several_draws(run: Run, make_photo: MakePhoto) -> None:
    photo = make_photo(gray=True, depth=16)
    one, two, three, four = run(photo, task="colorize", variants=4)
    first, second = run(photo, task="colorize", variants=2, draws=2)
    for mean, draws in ((first, (one, two)), (second, (three, four))):
        expected = np.mean([lab(draw)[1:] for draw in draws], 0)
        spread = np.median(np.abs(lab(draws[0])[1:] - lab(draws[1])[1:]))
        off = np.abs(lab(mean)[1:] - expected)  # much only where sRGB has no such colour
        assert spread > 1 and np.median(off) < 0.01 * spread
        np.testing.assert_allclose(lab(mean)[0], lab(photo)[0], atol=0.05)
    (alone,) = run(photo, task="colorize", draws=2)
    np.testing.assert_array_equal(alone.native, first.native)


def test_colours_are_paler_in_proportion_when_the_saturation_is_less(
    run: Run, make_photo: MakePhoto
) -> None:
    photo = make_photo(gray=True, depth=16)
    (full,) = run(photo, task="colorize", saturation=0.5)
    (pale,) = run(photo, task="colorize", saturation=0.25)
    size = np.median(np.abs(lab(full)[1:]))
    off = np.abs(lab(pale)[1:] - 0.5 * lab(full)[1:])
    assert size > 1 and np.median(off) < 0.02 * size
    np.testing.assert_allclose(lab(pale)[0], lab(photo)[0], atol=0.05)


@pytest.mark.parametrize("draws", [1, 2])
def test_variants_in_one_step_differ(run: Run, make_photo: MakePhoto, draws: int) -> None:
    made = run(make_photo(gray=True), task="colorize", variants=3, steps=1, draws=draws)
    for i, photo in enumerate(made):
        assert all((photo.native != other.native).mean() > 0.3 for other in made[:i])


def test_share_that_is_done_grows_to_all_when_there_are_draws(
    run: Run, make_photo: MakePhoto
) -> None:
    seen: list[float] = []
    run(make_photo(gray=True), None, seen, task="colorize", variants=2, draws=3)
    assert seen == sorted(seen) and seen[-1] == pytest.approx(1)


def test_colorize_sees_no_colours_and_keeps_the_luminance_of_a_toned_photo(
    run: Run, make_photo: MakePhoto
) -> None:
    photo = make_photo(depth=16)
    photo.native[..., 2] //= 2  # yellow
    (out,) = run(photo, np.zeros((64, 80), np.uint8), task="colorize")
    np.testing.assert_allclose(lab(out)[0], lab(photo)[0], atol=0.05)
    assert np.abs(lab(out)[1:] - lab(photo)[1:]).mean() > 1
    gray = make_photo(gray=True, depth=16)
    toned = gray.blank(gray=False)
    toned.native[...] = gray.native
    a, b = run(gray, task="colorize")[0], run(toned, task="colorize")[0]
    np.testing.assert_array_equal(a.native, b.native)


def test_model_is_told_the_colours_of_the_regions(run: Run, make_photo: MakePhoto) -> None:
    def coloured(prompt: str, *colours: str) -> NDArray[Any]:
        regions = tuple(ColourRegion(Path("mask.png"), colour) for colour in colours)
        given = {"task": "colorize", "prompt": prompt, "colour_regions": regions}
        return run(make_photo(gray=True), **given)[0].native

    told = coloured("a dress", "red")
    np.testing.assert_array_equal(told, coloured("a dress, red"))
    assert (told != coloured("a dress")).any()


def test_damage_is_mended_before_a_photo_is_coloured(
    run: Run, first_stage: FirstStage, make_photo: MakePhoto, make_mask: MakeMask
) -> None:
    photo, mask = make_photo(gray=True, depth=16), make_mask()
    mended = first_stage.restore(
        photo, mask, only_damage=False, tone="keep", tile=1024, threshold=0.5
    )
    (out,) = run(photo, mask, task="colorize")
    np.testing.assert_allclose(lab(out)[0], lab(mended)[0], atol=0.05)
    assert np.abs(lab(out)[0] - lab(photo)[0]).max() > 1


@pytest.mark.parametrize(
    ("scale", "size"), [(1, (40, 31)), (2.6, (104, 81)), (4, (160, 124)), (5, (200, 155))]
)
def test_super_resolution_gives_the_size_asked_for(
    run: Run, make_photo: MakePhoto, scale: float, size: tuple[int, int]
) -> None:
    (out,) = run(make_photo(40, 31), task="super-resolution", scale=scale, steps=1)
    assert out.native.shape[:2] == size


@pytest.mark.parametrize("gray", [False, True])
def test_super_resolution_takes_alpha_depth_and_metadata_along(
    run: Run, make_photo: MakePhoto, gray: bool
) -> None:
    photo = make_photo(40, 31, gray=gray, depth=16)
    photo.alpha = np.full((40, 31), 40000, np.uint16)
    photo.metadata = replace(photo.metadata, dpi=(300, 150))
    (out,) = run(photo, task="super-resolution", scale=2)
    assert out.native.shape == (80, 62, 1 if gray else 3) and out.bit_depth == 16
    assert out.alpha is not None and out.alpha.shape == (80, 62) and (out.alpha == 40000).all()
    assert out.metadata.dpi == (600, 300)


def test_super_resolution_keeps_the_broad_colours_and_refuses_what_is_too_large(
    run: Run, make_photo: MakePhoto
) -> None:
    photo = make_photo(60, 60)
    (out,) = run(photo, task="super-resolution", scale=2)
    means = photo.native.mean((0, 1)), out.native.mean((0, 1))
    np.testing.assert_allclose(means[1], means[0], atol=12)
    with pytest.raises(InputError, match="smaller scale"):
        run(make_photo(), task="super-resolution", max_pixels=64 * 80)


def test_variants_differ_and_the_first_is_the_only_one(
    run: Run, make_photo: MakePhoto, make_mask: MakeMask
) -> None:
    photo = make_photo()
    for task in ("old-photo", "colorize", "super-resolution"):
        mask = make_mask() if task == "old-photo" else None
        first, second = run(photo, mask, task=task, variants=2)
        (alone,) = run(photo, mask, task=task)
        np.testing.assert_array_equal(first.native, alone.native)
        assert (first.native != second.native).any()
        (again,) = run(photo, mask, task=task, seed=1)
        assert (again.native != alone.native).any()


@pytest.mark.parametrize("task", ["old-photo", "colorize", "super-resolution"])
def test_progress_grows_to_one(
    run: Run, make_photo: MakePhoto, make_mask: MakeMask, task: str
) -> None:
    shares: list[float] = []
    run(make_photo(), make_mask(), shares, task=task, variants=2)
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1)


def test_unknown_words_are_named_in_one_warning(
    make_pipeline: Callable[..., RestorationPipeline], caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = make_pipeline()
    with caplog.at_level(logging.WARNING):
        warn_of_lost_words(pipeline, RestoreOptions(prompt="a red dress"))
        assert not caplog.records
        options = RestoreOptions(prompt="a red hat", negative_prompt="blue Zebra")
        warn_of_lost_words(pipeline, options)
    (record,) = caplog.records
    assert record.getMessage().endswith(": hat, zebra")


def test_words_beyond_the_longest_prompt_are_named(
    make_pipeline: Callable[..., RestorationPipeline], caplog: pytest.LogCaptureFixture
) -> None:
    options = RestoreOptions(prompt="a red dress " * 2 + "a blue dress", negative_prompt="red")
    with caplog.at_level(logging.WARNING):
        warn_of_lost_words(make_pipeline(), options)
    (record,) = caplog.records
    assert record.getMessage() == (
        "a prompt of more than 8 tokens: its end is cut off: a blue dress"
    )
