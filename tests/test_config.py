from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unfade.config import from_dict, load_toml, renamed_field, save_toml, to_dict, to_toml
from unfade.errors import UsageError


@dataclass(frozen=True)
class Optimiser:
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.99)


@dataclass(frozen=True)
class Recipe:
    name: str
    steps: int = 100
    fused: bool = False
    data: Path = Path("data")
    mode: Literal["fast", "good"] = "good"
    mask: Literal["auto"] | Path = "auto"
    limit: int | None = None
    sizes: list[int] = field(default_factory=lambda: [64])
    chances: tuple[float, ...] = ()
    weights: dict[str, float] = field(default_factory=dict[str, float])
    optimiser: Optimiser = field(default_factory=Optimiser)
    second: Optimiser | None = None


def read(tmp_path: Path, text: str) -> Recipe:
    path = tmp_path / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return load_toml(path, Recipe)


def test_values_are_read_when_all_are_given(tmp_path: Path) -> None:
    text = """
    name = "a"
    steps = 5
    fused = true
    data = "x/y"
    mode = "fast"
    mask = "m.png"
    limit = 3
    sizes = [1, 2]
    chances = [0.5, 1]
    [weights]
    l1 = 1
    "grad x" = 0.5
    [optimiser]
    learning_rate = 2e-4
    [second]
    betas = [0.5, 0.9]
    """
    assert read(tmp_path, text) == Recipe(
        name="a",
        steps=5,
        fused=True,
        data=Path("x/y"),
        mode="fast",
        mask=Path("m.png"),
        limit=3,
        sizes=[1, 2],
        chances=(0.5, 1.0),
        weights={"l1": 1.0, "grad x": 0.5},
        optimiser=Optimiser(2e-4),
        second=Optimiser(betas=(0.5, 0.9)),
    )


def test_defaults_hold_when_keys_are_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, 'name = "a"') == Recipe("a")
    recipe = read(tmp_path, 'name = "a"\n[optimiser]\nlearning_rate = 1')
    assert type(recipe.optimiser.learning_rate) is float


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('name = "a"\nstep = 3', ["'step'", "did you mean 'steps'"]),
        (
            'name = "a"\n[optimiser]\nlerning_rate = 3',
            ["'optimiser.lerning_rate'", "learning_rate"],
        ),
        ('name = "a"\nzzzz = 3', ["'zzzz'", "remove it"]),
        ("steps = 3", ["no 'name'", "text"]),
        ('name = "a"\nsteps = 3.0', ["steps = 3.0", "a whole number"]),
        ('name = "a"\nsteps = true', ["steps = True", "a whole number"]),
        ('name = "a"\nfused = 1', ["fused = 1", "true or false"]),
        ('name = "a"\nmode = "god"', ["mode = 'god'", "did you mean 'good'"]),
        ('name = "a"\nsizes = [1, "b"]', ["sizes[1] = 'b'", "a whole number"]),
        ('name = "a"\nlimit = "b"', ["limit = 'b'", "a whole number"]),
        ('name = "a"\noptimiser = 3', ["optimiser = 3", "a table"]),
        ('name = "a"\n[second]\nbetas = [0.5]', ["second.betas", "a list of 2"]),
        ('name = "a"\n[second]\nbeta = [0.5]', ["second.beta", "did you mean 'betas'"]),
        ('name = "a"\n[optimiser]\nlearning_rate = nan', ["learning_rate = nan", "a number"]),
        ("name = ", ["no TOML"]),
    ],
)
def test_message_says_where_and_how_when_a_value_is_wrong(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    assert "recipe.toml" in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml"):
        load_toml(tmp_path / "none.toml", Recipe)


def test_none_is_left_out_of_the_text() -> None:
    assert "limit" not in to_dict(Recipe("a"))
    assert "limit" not in to_toml(Recipe("a"))


numbers = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]))
optimisers = st.builds(Optimiser, numbers, st.tuples(numbers, numbers))
recipes = st.builds(
    Recipe,
    name=texts,
    steps=st.integers(-(2**63), 2**63 - 1),
    fused=st.booleans(),
    mode=st.sampled_from(["fast", "good"]),
    limit=st.none() | st.integers(0, 9),
    sizes=st.lists(st.integers(0, 9)),
    chances=st.lists(numbers).map(tuple),
    weights=st.dictionaries(texts, numbers),
    optimiser=optimisers,
    second=st.none() | optimisers,
)


@given(recipes)
def test_toml_round_trip_is_the_identity(recipe: Recipe) -> None:
    tomllib: Any = pytest.importorskip("tomllib", exc_type=ImportError)
    assert from_dict(tomllib.loads(to_toml(recipe)), Recipe) == recipe


def test_saved_file_is_read_back(tmp_path: Path) -> None:
    recipe = Recipe('ä "quoted" \\ \x7f', weights={"a.b": 1.0})
    save_toml(tmp_path / "r.toml", recipe)
    assert load_toml(tmp_path / "r.toml", Recipe) == recipe


@dataclass(frozen=True)
class Renamed:
    new: float = renamed_field("old", 0.5)


def test_older_name_of_a_field_is_read_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert from_dict({"new": 1}, Renamed) == Renamed(1.0) and not caplog.records
    assert from_dict({"old": 2}, Renamed) == Renamed(2.0)
    assert [r.getMessage() for r in caplog.records] == ["old is now called new"]
    assert to_dict(Renamed()) == {"new": 0.5}
    with pytest.raises(UsageError, match="unknown key 'old'"):
        from_dict({"old": 2, "new": 1}, Renamed)
