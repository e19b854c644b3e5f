from __future__ import annotations

import pytest

from unfade.config import from_dict
from unfade.errors import UsageError
from unfade.train.options import LoopOptions, Stage1Recipe, ToneRecipe


@pytest.mark.parametrize(
    ("name", "value"),
    [("steps", 0), ("batch", 0), ("accumulate", 0), ("save_every", 0), ("validate_every", 0),
     ("workers", -1), ("seed", -1), ("rate", -1.0), ("encoder_rate", -0.1),
     ("ema", 1.5), ("weight_averaging", -0.1), ("clip", 0.0)],
)  # fmt: skip
def test_loop_options_refuse_what_makes_no_sense(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=rf"loop\.{name} = "):
        from_dict({"loop": {name: value}}, Stage1Recipe)


def test_loop_options_take_what_makes_sense() -> None:
    assert (
        LoopOptions(rate=0.0, warmup=0, workers=0, ema=0.0, weight_averaging=1.0).weight_averaging
        == 1
    )


def test_tone_recipe_knows_no_key_that_changes_nothing() -> None:
    with pytest.raises(UsageError, match="moderate"):
        from_dict({"moderate": 0.5}, ToneRecipe)
