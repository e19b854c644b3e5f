from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from unfade.config import load_toml
from unfade.data.windows import check_views
from unfade.train.cfw import CfwRecipe
from unfade.train.controlnet import ControlnetRecipe
from unfade.train.options import (
    ColourRecipe,
    EnlargerRecipe,
    ScratchRecipe,
    Stage1Recipe,
    TextureRecipe,
    ToneRecipe,
)
from unfade.train.prior import PriorRecipe
from unfade.train.sampler import check_batch
from unfade.train.vae import VaeRecipe

FOLDER = Path(__file__).parents[2] / "recipes" / "compact"
SD21 = FOLDER.with_name("sd21")
RECIPES = {
    "scratch": ScratchRecipe, "scratch_first": ScratchRecipe,
    "scratch_second": ScratchRecipe, "scratch_third": ScratchRecipe,
    "scratch_fourth": ScratchRecipe,
    "stage1": Stage1Recipe, "stage1_gains": Stage1Recipe, "stage1_second": Stage1Recipe,
    "stage1_third": Stage1Recipe, "stage1_fourth": Stage1Recipe, "stage1_fifth": Stage1Recipe,
    "stage1_sixth": Stage1Recipe, "stage1_seventh": Stage1Recipe, "stage1_eighth": Stage1Recipe,
    "tone": ToneRecipe, "enlarger": EnlargerRecipe, "enlarger_first": EnlargerRecipe,
    "enlarger_second": EnlargerRecipe, "texture": TextureRecipe,
    "colour": ColourRecipe, "colour_first": ColourRecipe, "colour_second": ColourRecipe,
    "vae": VaeRecipe, "vae_decoder": VaeRecipe,
    "prior": PriorRecipe, "prior_first": PriorRecipe,
    "controlnet": ControlnetRecipe, "controlnet_first": ControlnetRecipe,
    "controlnet_second": ControlnetRecipe,
    "ablation": ControlnetRecipe, "paper": ControlnetRecipe,
    "cfw_first": CfwRecipe, "cfw": CfwRecipe,
}  # fmt: skip


def test_every_recipe_is_known() -> None:
    assert {path.stem for path in FOLDER.glob("*.toml")} == set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_can_be_read(name: str) -> None:
    recipe = load_toml(FOLDER / f"{name}.toml", RECIPES[name])
    assert recipe.loop.steps > 0
    if hasattr(recipe, "views"):
        check_views(recipe.views, 8)
    if hasattr(recipe, "pairs") and hasattr(recipe.pairs, "check"):
        recipe.pairs.check()


def test_recipes_of_stable_diffusion_fit_it_and_part_among_eight_cards() -> None:
    kinds = {
        "old_photo": ControlnetRecipe,
        "colorize": ControlnetRecipe,
        "cfw": CfwRecipe,
        "super_resolution": ControlnetRecipe,
    }
    trial = load_toml(SD21 / "trial.toml", ControlnetRecipe)
    check_batch(trial.loop, 1)
    assert trial.pairs == load_toml(SD21 / "old_photo.toml", ControlnetRecipe).pairs
    assert {path.stem for path in SD21.glob("*.toml")} == {*kinds, "trial"}
    for name, kind in kinds.items():
        recipe = load_toml(SD21 / f"{name}.toml", kind)
        recipe.pairs.check()
        check_views(recipe.views, 64)
        check_batch(recipe.loop, 1)
        check_batch(replace(recipe.loop, accumulate=1), 8)
        assert not recipe.pairs.phrases and recipe.views.size == 512
        assert recipe.loop.checkpointing == (kind is ControlnetRecipe)
        if isinstance(recipe, ControlnetRecipe):
            assert (len(recipe.widths), recipe.loop.rate) == (4, 1e-5)
            assert recipe.loop.moments == "bf16"
        else:
            assert len(recipe.hidden) == 3
