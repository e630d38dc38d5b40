import json
import math
from typing import Any

import pytest

from adapters.curation.errors import BadRecipe
from adapters.curation.recipe import CurationRecipe


def test_a_recipe_survives_as_json() -> None:
    """Every setting is in it, and comes back."""
    recipe = CurationRecipe(cutoff=3.5, private=True, unscored="equal")
    content = json.loads(json.dumps(recipe.to_json(), allow_nan=False))
    assert set(content) == set(CurationRecipe.__dataclass_fields__)
    assert CurationRecipe.from_json(content) == recipe


@pytest.mark.parametrize(
    "setting",
    [
        {"cutoff": 0},
        {"cutoff": -1.0},
        {"cutoff": math.nan},
        {"sharpness": math.inf},
        {"floor": 1},
        {"author_share": 0},
        {"author_share": 1.5},
        {"held_out": 1},
        {"context_turns": 0},
        {"context_turns": 7},
        {"context_turns": 2.5},
        {"gap_minutes": 0},
        {"others": -1},
        {"min_examples": True},
        {"min_examples": 0},
        {"near_duplicate": 2},
        {"longest": "many"},
        {"shortest": 50, "longest": 40},
        {"min_examples": 50, "max_examples": 40},
        {"private": 1},
        {"normalise": "yes"},
        {"unscored": "maybe"},
        {"cut_off": 2},
    ],
    ids=str,
)
def test_nonsense_is_refused_with_a_sentence(setting: dict[str, Any]) -> None:
    """It names the setting and says what to give."""
    with pytest.raises(BadRecipe, match=r"(?s)\A[^\n]+ give [^\n]+\.\Z") as caught:
        CurationRecipe.from_json(setting)
    assert next(iter(setting)) in str(caught.value)


def test_one_reaction_is_never_below_the_default_floor() -> None:
    """Dry humour keeps a small weight, even in the loudest channel."""
    recipe = CurationRecipe()
    assert recipe.floor < 1 / (1 + (recipe.cutoff / (1 / 3)) ** recipe.sharpness)
