from __future__ import annotations

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
    ToneRecipe,
)
from unfade.train.prior import PriorRecipe
from unfade.train.vae import VaeRecipe

FOLDER = Path(__file__).parents[2] / "recipes" / "compact"
RECIPES = {
    "scratch": ScratchRecipe, "scratch_first": ScratchRecipe,
    "scratch_second": ScratchRecipe, "scratch_third": ScratchRecipe,
    "scratch_fourth": ScratchRecipe,
    "stage1": Stage1Recipe, "stage1_gains": Stage1Recipe, "stage1_second": Stage1Recipe,
    "stage1_third": Stage1Recipe, "stage1_fourth": Stage1Recipe, "stage1_fifth": Stage1Recipe,
    "stage1_sixth": Stage1Recipe, "stage1_seventh": Stage1Recipe, "stage1_eighth": Stage1Recipe,
    "tone": ToneRecipe, "enlarger": EnlargerRecipe, "enlarger_first": EnlargerRecipe,
    "enlarger_second": EnlargerRecipe,
    "colour": ColourRecipe,
    "vae": VaeRecipe, "vae_decoder": VaeRecipe,
    "prior": PriorRecipe, "prior_first": PriorRecipe,
    "controlnet": ControlnetRecipe, "controlnet_first": ControlnetRecipe,
    "controlnet_second": ControlnetRecipe,
    "ablation": ControlnetRecipe, "without_iide": ControlnetRecipe,
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
