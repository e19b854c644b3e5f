from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from unfade.data.enlarging import SmallOptions
from unfade.data.sources import CleanPhoto
from unfade.errors import UsageError
from unfade.models.checkpoint import load_model, save_model
from unfade.models.enlarger import Enlarger, EnlargerConfig
from unfade.train.loop import train
from unfade.train.losses import feature_distance, texture_distance
from unfade.train.options import LoopOptions, TextureRecipe
from unfade.train.texture import TextureTask

RECIPE = TextureRecipe(
    loop=LoopOptions(
        steps=3, batch=2, rate=1e-3, warmup=1, workers=0, save_every=100, validate_every=3, ema=0.1,
        precision="fp32",
    ),
    pairs=SmallOptions(size=64),
    model=EnlargerConfig([8, 8], [1, 1], hidden=8, texture=1),
)  # fmt: skip


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """An enlarger without texture."""
    torch.manual_seed(1)
    save_model(tmp_path / "e.safetensors", Enlarger(replace(RECIPE.model, texture=0)))
    return tmp_path / "e.safetensors"


def test_texture_is_trained_and_the_rest_of_the_enlarger_stays(
    photos: list[CleanPhoto], start: Path, tmp_path: Path
) -> None:
    task = TextureTask(RECIPE, photos)
    model = train(task, RECIPE.loop, tmp_path / "run", start=task.load(start))
    task.export(model, tmp_path / "out")
    trained = load_model(tmp_path / "out" / "enlarger.safetensors", Enlarger)
    plain = load_model(start, Enlarger)
    x = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(trained(x), plain(x))
        half, full = (trained(x, fidelity) - plain(x) for fidelity in (0.5, 0.0))
    assert float(full.abs().max()) > 1e-5
    torch.testing.assert_close(half, 0.5 * full, atol=1e-6, rtol=1e-3)
    again = task.load(tmp_path / "out")  # a training may start from texture, too
    with torch.no_grad():
        torch.testing.assert_close(again.get_submodule("enlarger")(x, 0.0), trained(x, 0.0))


def test_each_side_learns_from_its_own_loss(photos: list[CleanPhoto], start: Path) -> None:
    recipe = replace(RECIPE, pixels=0.0, features=0.0, textures=0.0, adversarial=0.0)
    task = TextureTask(recipe, photos)
    model = task.load(start)
    samples = [task.sample("train", i) for i in range(2)]
    loss, figures = task.loss(model, {k: torch.stack([s[k] for s in samples]) for k in samples[0]})
    loss.backward()
    assert float(loss.detach()) == pytest.approx(figures["hinge"])
    gradients = {name: p.grad for name, p in model.named_parameters()}
    texture = [g for name, g in gradients.items() if name.startswith("enlarger.texture.")]
    assert all(g is None or not g.any() for g in texture)
    assert any(g is not None and g.any() for n, g in gradients.items() if "discriminator" in n)


def test_feature_distance_is_zero_for_the_same_and_grows() -> None:
    torch.manual_seed(0)
    true = [torch.rand(2, 4, 8, 8), torch.rand(2, 6, 4, 4)]
    near, far = ([f + s * torch.randn_like(f) for f in true] for s in (0.1, 0.5))
    assert float(feature_distance(true, true)) == 0
    assert 0 < float(feature_distance(near, true)) < float(feature_distance(far, true))


def test_texture_distance_sees_grain_and_not_where_it_lies() -> None:
    torch.manual_seed(0)
    true, same, flat = (
        torch.randn(4, 3, 32, 32),
        torch.randn(4, 3, 32, 32),
        torch.zeros(4, 3, 32, 32),
    )
    distances = [float(texture_distance([x], [true])) for x in (true, same, 0.5 * true, flat)]
    assert distances[0] == 0 and distances == sorted(distances)
    assert float(feature_distance([same], [true])) > float(feature_distance([flat], [true]))


def test_a_recipe_without_texture_is_refused(photos: list[CleanPhoto]) -> None:
    with pytest.raises(UsageError, match="texture = 0"):
        TextureTask(replace(RECIPE, model=EnlargerConfig([8, 8], [1, 1])), photos)
