"""Whether there is enough to learn, and what a person should know before training on it. Pure; the sentences are written here."""

from collections.abc import Iterable, Mapping, Sequence

from adapters.curation.dataset import Example
from adapters.curation.errors import NothingToLearn
from adapters.curation.recipe import CurationRecipe
from adapters.curation.survey import Survey
from adapters.curation.weights import Cap

_LOUD = 0.5
_FEW = 30
"""Held-out examples below which an evaluation says little."""


def check_scores(found: Survey, recipe: CurationRecipe) -> None:
    """Raises NothingToLearn where nothing says what people liked."""
    if not found.messages:
        raise NothingToLearn("There are no messages: import an export first.")
    if found.scored or recipe.unscored == "equal" or any(found.candidates.shown):
        return
    if not any(cell.messages for cell in found.cells):
        raise NothingToLearn(f"None of the {found.messages} messages may be learnt from: {_reasons(found.dropped)}.")
    raise NothingToLearn(
        f"None of the {found.messages} messages has a reaction, a score or a quote, so nothing says which of them people liked: "
        "export again with reactions, or learn from all of them alike with the setting unscored=equal."
    )


def check_enough(train: Sequence[Example], recipe: CurationRecipe, found: Survey, dropped: Mapping[str, int]) -> None:
    """Raises NothingToLearn where too few examples are left."""
    if len(train) >= recipe.min_examples:
        return
    left = f"Only {len(train)} examples are left" if train else "No example is left"
    raise NothingToLearn(
        f"{left} of {found.messages} messages, and {recipe.min_examples} are wanted ({_reasons(dropped)}): import more, "
        "lower the cutoff, or lower min_examples."
    )


def warnings(train: Sequence[Example], held_out: Sequence[Example], cap: Cap, recipe: CurationRecipe, found: Survey) -> list[str]:
    """Sentences for the card. `train` are the examples before the cap."""
    return [
        *_about_authors(train, cap, recipe),
        *_about_held_out(held_out, recipe),
        *(["No message has a reaction, a score or a quote: all count alike."] if not found.scored else []),
    ]


def _about_authors(train: Sequence[Example], cap: Cap, recipe: CurationRecipe) -> Iterable[str]:
    totals: dict[str, float] = {}
    for each in train:
        totals[each.author] = totals.get(each.author, 0.0) + each.weight
    if len(totals) == 1:
        yield f"Everything is by one person ({next(iter(totals))}): the model learns to be this person, which only they can agree to."
        return
    loudest, most = max(totals.items(), key=lambda item: (item[1], item[0]))
    share = most / sum(totals.values())
    if share > _LOUD:
        yield f"{loudest} wrote {share:.0%} of what people liked; with the cap it counts as {min(share, cap.limit):.0%}."
    if not cap.held:
        yield (
            f"{len(totals)} authors are too few for nobody to have more than {recipe.author_share:.0%} of the weight: "
            f"the limit is {cap.limit:.0%}."
        )


def _about_held_out(held_out: Sequence[Example], recipe: CurationRecipe) -> Iterable[str]:
    if recipe.held_out and len(held_out) < _FEW:
        yield f"Only {len(held_out)} examples are held out: an evaluation on them says little."
    lonely = sum(len(each.others) < recipe.others for each in held_out)
    if lonely > len(held_out) / 2:
        yield f"{lonely} of {len(held_out)} held-out examples have fewer than {recipe.others} other messages to be ranked against."


def _reasons(dropped: Mapping[str, int]) -> str:
    """The most frequent ones, such as "nobody reacted: 120, too short: 3"."""
    first = sorted(((count, reason) for reason, count in dropped.items() if count), key=lambda each: (-each[0], each[1]))[:4]
    return ", ".join(f"{reason}: {count}" for count, reason in first) or "nothing was left out"
