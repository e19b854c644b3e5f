from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from unfade.data.restoration import RestorationOptions, draw_task
from unfade.data.sources import CleanPhoto
from unfade.data.windows import ViewOptions
from unfade.diffusion.condition import ConditionKind, embed, encode
from unfade.errors import UsageError
from unfade.imaging import Metadata, Photo
from unfade.models.checkpoint import load_model
from unfade.models.enlarger import Enlarger
from unfade.models.folder import Base
from unfade.models.presets import ENLARGER, find_preset
from unfade.models.stage1 import Stage1Config, Stage1Net
from unfade.pipeline.image_source import LumaSource
from unfade.rng import generator
from unfade.train.restorations import Restorations
from unfade.train.task import Split

VIEWS = ViewOptions(sides=[32, 40], size=16)
OPTIONS = RestorationOptions(first_stage=False)


def pairs(base: Base, photos: list[CleanPhoto], cache: Path, **changes: float) -> Restorations:
    return Restorations(base, photos, cache, VIEWS, replace(OPTIONS, **changes), 0)


def test_sample_degrades_the_window_that_its_latent_encodes(
    base: Base, photos: list[CleanPhoto], cache: Path
) -> None:
    found = pairs(base, photos, cache)
    positions: list[tuple[Split, int]] = [*(("train", i) for i in range(6)), ("validation", 3)]
    for split, index in positions:
        sample = found.sample(split, index)
        assert sample["z0"].shape == (4, 4, 4) and sample["tokens"].shape == (8,)
        assert sample["hq"].shape == sample["lq"].shape == (3, 16, 16)
        assert sample["mask"].shape == (1, 16, 16)
        again = found.sample(split, index)
        assert all(torch.equal(sample[k], again[k]) for k in sample)
        window = found.store.window(0, index)
        assert torch.equal(sample["z0"], found.store.latent(window))


def test_prompts_come_half_the_time_and_never_for_super_resolution(
    base: Base, photos: list[CleanPhoto], cache: Path
) -> None:
    null = base.tokenizer("", padding="max_length", max_length=8, return_tensors="pt").input_ids[0]

    def share(**changes: float) -> float:
        found = pairs(base, photos, cache, **changes)
        empty = [torch.equal(found.sample("train", n)["tokens"], null) for n in range(40)]
        return 1 - sum(empty) / len(empty)

    assert 0.3 < share(old_photo=0.5, colorize=0.5, super_resolution=0.0) < 0.7
    assert share(old_photo=0.0, colorize=0.0, super_resolution=1.0) == 0


def test_prompts_are_cached_when_they_are_captions_alone(
    base: Base, photos: list[CleanPhoto], tmp_path: Path
) -> None:
    found = pairs(
        base, photos, tmp_path, phrases=False, old_photo=1.0, colorize=0.0, super_resolution=0.0
    )
    options = ("", "a red ball on grass", "a dog")
    with torch.no_grad():
        texts = embed(base.tokenizer, base.text_encoder, options)
    drawn: set[int] = set()
    for number in range(30):
        sample = found.sample("train", number)
        assert "tokens" not in sample and sample["text"].shape == (8, 8)
        near = (texts - sample["text"]).abs().amax((1, 2))
        assert near.min() < 0.01
        which = int(near.argmin())
        drawn.add(which)
        captions = photos[found.store.window(0, number).photo].captions
        assert options[which] in ("", *captions)
    assert drawn == {0, 1, 2}
    found.options = replace(found.options, prompts=0.0)
    assert all(torch.equal(found.sample("train", n)["text"], texts[0]) for n in range(12))
    batch = {"text": torch.stack([found.sample("train", n)["text"] for n in range(2)])}
    assert found.text(batch) is batch["text"]


@pytest.mark.parametrize("phrases", [True, False])
def test_a_copy_for_another_process_gives_the_same_samples(
    base: Base, photos: list[CleanPhoto], cache: Path, phrases: bool
) -> None:
    found = pairs(base, photos, cache, phrases=phrases)
    places: list[tuple[Split, int]] = [
        ("train", 0), ("train", 1), ("train", 2), ("validation", 0), ("validation", 1),
    ]  # fmt: skip
    samples = {place: found.sample(*place) for place in places}
    copy = pickle.loads(pickle.dumps(found))
    for place, sample in samples.items():
        again = copy.sample(*place)
        assert sample.keys() == again.keys()
        assert all(torch.equal(sample[k], again[k]) for k in sample)


def test_progress_counts_latents_and_then_captions(
    base: Base, photos: list[CleanPhoto], cache: Path
) -> None:
    done: list[int] = []
    for phrases in (True, False):
        options = replace(OPTIONS, phrases=phrases)
        Restorations(base, photos, cache, VIEWS, options, 0, progress=done.append)
    assert done == [6, 6, 6]


def test_first_stage_mends_aged_photos_alone(
    base: Base, photos: list[CleanPhoto], cache: Path
) -> None:
    found = pairs(base, photos, cache)
    torch.manual_seed(0)
    net = Stage1Net(Stage1Config([8] * 3, [1] * 3)).eval().requires_grad_(False)
    for parameter in net.net.leave.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    batch = {
        "lq": torch.rand(3, 3, 16, 16),
        "mask": torch.zeros(3, 1, 16, 16),
        "aged": torch.tensor([True, False, True]),
        "gray": torch.zeros(3, dtype=torch.bool),
    }
    assert found.first_stage_output(batch) is batch["lq"]  # there is no first stage
    found.first_stage = net
    out = found.first_stage_output(batch)
    assert torch.equal(out[1], batch["lq"][1])
    torch.testing.assert_close(out[0], net(batch["lq"][:1], batch["mask"][:1])[0].clamp(0, 1))
    assert (out[2] - batch["lq"][2]).abs().max() > 1e-3


def test_photos_to_colour_are_shown_as_restoring_shows_them(
    base: Base, photos: list[CleanPhoto], cache: Path
) -> None:
    found = pairs(base, photos, cache, old_photo=0.0, colorize=1.0, super_resolution=0.0)
    torch.manual_seed(0)
    net = Stage1Net(Stage1Config([8] * 3, [1] * 3)).eval().requires_grad_(False)
    for parameter in net.net.leave.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    found.first_stage = net
    samples = [found.sample("train", n) for n in range(12)]
    batch = {k: torch.stack([s[k] for s in samples]) for k in samples[0]}
    assert batch["gray"].all() and batch["aged"].any() and not batch["aged"].all()
    shown = found.first_stage_output(batch)
    for i, aged in enumerate(batch["aged"].tolist()):
        seen = batch["lq"][i : i + 1]
        if aged:
            seen = net(seen, batch["mask"][i : i + 1]).clamp(0, 1)
            assert (seen[0, 0] - seen[0, 2]).abs().max() > 0.01  # the first stage tints it
        photo = as_photo(seen[0])
        restored = LumaSource(photo).read(slice(0, 16), slice(0, 16))
        torch.testing.assert_close(shown[i : i + 1], restored, atol=1e-4, rtol=0)


def as_photo(rgb: torch.Tensor) -> Photo:
    """(3, H, W) -> 16 bits."""
    native = np.rint(rgb.permute(1, 2, 0).numpy() * 65535).astype(np.uint16)
    return Photo(native, None, Metadata(exif=None, icc=None, xmp=None, dpi=None, format="PNG"))


def test_condition_is_the_photo_or_its_latent_with_the_mask(
    base: Base, photos: list[CleanPhoto], cache: Path
) -> None:
    found = pairs(base, photos, cache)
    picture, mask = torch.rand(2, 3, 16, 16), torch.ones(2, 1, 16, 16)
    pixel = found.condition(ConditionKind("pixel", True), picture, mask)
    assert torch.equal(pixel, torch.cat([picture, mask], 1))
    latent = found.condition(ConditionKind("latent", False), picture, mask)
    with torch.no_grad():
        torch.testing.assert_close(latent, encode(base.vae, picture))


def test_small_photos_are_shown_as_the_first_stage_enlarges_them(
    base: Base, photos: list[CleanPhoto], cache: Path
) -> None:
    options = replace(
        OPTIONS, first_stage=True, old_photo=0.0, colorize=0.0, super_resolution=1.0, halved=0.5
    )
    found = Restorations(base, photos, cache, ViewOptions(sides=[64], size=64), options, 0)
    enlarger = load_model(find_preset("compact").folder / ENLARGER, Enlarger)
    sizes: set[int] = set()
    samples = [found.sample("train", number) for number in range(6)]
    shown = found.first_stage_output({k: torch.stack([s[k] for s in samples]) for k in samples[0]})
    for number in range(6):
        window = found.store.window(0, number)
        given = draw_task(found.store.pixels(window), generator(0, "restoration", number), options)
        assert given.small is not None
        small = torch.from_numpy(given.small).permute(2, 0, 1)[None]
        with torch.no_grad():
            large = enlarger(small).clamp(0, 1)
        expected = torch.nn.functional.interpolate(large, size=(64, 64), mode="area")[0]
        torch.testing.assert_close(shown[number], expected, atol=1e-5, rtol=0)
        sizes.add(small.shape[-1])
    assert sizes == {16, 32}


def test_windows_must_fit_the_first_stage_of_super_resolution(
    base: Base, photos: list[CleanPhoto], cache: Path
) -> None:
    with pytest.raises(UsageError, match="multiple of 64"):
        Restorations(base, photos, cache, VIEWS, replace(OPTIONS, first_stage=True), 0)
