"""Which candidates are looked at closely, and what each weighs before the cap. Pure: numbers in, numbers out."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

from adapters.curation.recipe import CurationRecipe
from adapters.curation.reward import Norm
from adapters.curation.survey import UNLOVED, Candidates, Survey
from adapters.curation.weights import soft_cutoff

BELOW_FLOOR = "weighs less than the floor"
SAMPLED_OUT = "left out of the sample"


@dataclass(frozen=True, slots=True)
class Choice:
    """A message to learn. `plain`: how many reacted; `reward`: what that is worth; `weight`: after the cutoff."""

    message_id: int
    at: int
    plain: int
    reward: float
    weight: float


@dataclass(frozen=True)
class Chosen:
    """`choices` by message id; how many were dropped and why; what the rewards of all candidates were."""

    choices: dict[int, Choice]
    candidates: int
    dropped: dict[str, int]
    rewards: tuple[float, ...]


def choose(found: Survey, recipe: CurationRecipe) -> Chosen:
    """Weigh every candidate, leave out what is below the floor, and take a sample where there are too many."""
    equal = recipe.unscored == "equal" and not found.scored
    choices, unloved, light = [], 0, 0
    for choice in _weighed(found, recipe, equal=equal):
        if not choice.weight:
            unloved += 1
        elif choice.weight < recipe.floor:
            light += 1
        else:
            choices.append(choice)
    rewards = tuple(choice.reward for choice in choices)
    left = sorted(choices, key=_lot, reverse=True)[: recipe.max_examples]
    dropped = {UNLOVED: unloved, BELOW_FLOOR: light, SAMPLED_OUT: len(choices) - len(left)}
    return Chosen({choice.message_id: choice for choice in left}, len(choices), dropped, rewards)


def _weighed(found: Survey, recipe: CurationRecipe, *, equal: bool) -> Iterator[Choice]:
    """Every candidate; an unloved one has the weight 0."""
    columns: Candidates = found.candidates
    norm = Norm(found.cells, len(found.number_of))
    factors = [norm.factor(cell) if recipe.normalise else 1.0 for cell in found.cells]
    known: dict[tuple[int, int], tuple[float, float]] = {}
    places = [place for place, _ in found.cell_of]
    rows = zip(columns.ids, columns.at, columns.cell, columns.plain, columns.shown, strict=True)
    for number, at, cell, claimed, shown in rows:
        if not claimed:
            free = equal or (shown and places[cell] not in found.scored)
            yield Choice(number, at, 0, 0.0, 1.0 if free else 0.0)
            continue
        plain = norm.bounded(claimed)
        if (cell, plain) not in known:
            reward = round(plain * factors[cell], 6)
            known[cell, plain] = reward, round(soft_cutoff(reward, cutoff=recipe.cutoff, sharpness=recipe.sharpness), 6)
        yield Choice(number, at, plain, *known[cell, plain])


def _lot(choice: Choice) -> tuple[float, int]:
    """Of a weighted sample without replacement (Efraimidis and Spirakis 2006): the largest are drawn. Always the same for a message."""
    number = int.from_bytes(blake2b(str(choice.message_id).encode(), digest_size=6).digest(), "big")
    return math.log((number + 1) / 2**48) / choice.weight, choice.message_id
