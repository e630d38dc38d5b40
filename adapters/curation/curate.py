"""From the messages of a community to its dataset: weigh, choose, split, remove duplicates, clean, cap, and say all of it on a card.

Two readings, because what a message is worth is only known when all were seen. Nothing here depends on the time of day or on chance:
the same messages, recipe, people and cleaner give the same content hash.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from adapters.curation.card import Made, Policy, data_card
from adapters.curation.chosen import choose
from adapters.curation.dataset import Dataset, Example
from adapters.curation.drafts import NEAR_DUPLICATE, Draft, Drafts, Plan, draft, without_duplicates
from adapters.curation.own_words import MODEL, PLACE, OwnAnswer, WithModel, own_drafts, with_own
from adapters.curation.recipe import CurationRecipe
from adapters.curation.rivals import lend
from adapters.curation.seams import Cleaner, Messages, People, Progress
from adapters.curation.split import border
from adapters.curation.survey import may_be_seen, survey
from adapters.curation.verdict import check_enough, check_scores, warnings
from adapters.curation.weights import Cap, cap_authors
from adapters.curation.wording import Names, Wording


def _silent(stage: str, done: int, total: int) -> None:
    """Progress for nobody."""


def curate(
    messages: Messages,
    recipe: CurationRecipe,
    people: People,
    cleaner: Cleaner,
    *,
    community: str,
    provenance: Sequence[Mapping[str, Any]],
    answers: Sequence[OwnAnswer] = (),
    policy: Policy = Policy(),  # noqa: B008  # frozen
    progress: Progress = _silent,
) -> Dataset:
    """The dataset, with its card. `answers`: the model's own, with what people thought of them.

    Memory grows with the examples, not with the messages. Raises NothingToLearn.
    """
    found = survey(messages, recipe, people, progress)
    check_scores(found, recipe)
    chosen = choose(found, recipe)
    line = border([each.at for each in chosen.choices.values()], recipe.held_out, found.talks.starts)
    plan = Plan(chosen, found.talks, line, recipe, may_be_seen(recipe, people))
    own = own_drafts(answers, found, recipe, people, line)
    drafts = without_duplicates(draft(messages, plan, progress), recipe.near_duplicate, own.drafts)
    lend([each.rivals for each in sorted(drafts.held_out, key=_when) if each.rivals], recipe.others)
    channels = channel_names(found.places)
    wording = Wording(cleaner, Names(WithModel(people), found.roster, {**channels, PLACE: PLACE}), recipe.others)
    train, held_out = _worded(drafts, wording, progress)
    dropped = found.dropped + Counter(chosen.dropped) + drafts.dropped + own.dropped + wording.dropped
    by_people = [each for each in train if each.author != MODEL]
    check_enough(by_people, recipe, found, dropped)
    cap = with_own(cap_authors(_weights(by_people), recipe.author_share), train, recipe.own_share)
    capped, judged = _capped(train, cap), _capped(held_out, cap_authors(_weights(held_out), recipe.author_share))
    made = Made(
        community=community,
        provenance=provenance,
        recipe=recipe,
        policy=policy,
        found=found,
        channels=channels,
        train=capped,
        held_out=judged,
        cap=cap,
        candidates=chosen.candidates,
        rewards=chosen.rewards,
        dropped=dropped,
        duplicates=drafts.dropped[NEAR_DUPLICATE],
        removed=wording.removed,
        refused=wording.refused,
        warnings=warnings(by_people, held_out, cap, recipe, found),
        answers=len(answers),
        own_versions=own.adapters,
    )
    return Dataset(capped, judged, data_card(made, datetime.now(UTC)))


def channel_names(places: Mapping[str, int]) -> dict[str, str]:
    """A name for each channel that says nothing: "channel 1" is where most was written."""
    order = sorted(places, key=lambda place: (-places[place], place))
    return {place: f"channel {number}" for number, place in enumerate(order, start=1)}


def _worded(drafts: Drafts, wording: Wording, progress: Progress) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Both sides, in the order of time."""
    total = len(drafts.train) + len(drafts.held_out)
    done = 0
    sides = []
    for side in (drafts.train, drafts.held_out):
        examples = []
        for each in sorted(side, key=_when):
            example = wording.example(each)
            if example is not None:
                examples.append(example)
            done += 1
            progress("cleaning", done, total)
        sides.append(tuple(examples))
    return sides[0], sides[1]


def _when(each: Draft) -> tuple[int, int]:
    return each.choice.at, each.choice.message_id


def _weights(examples: Iterable[Example]) -> Iterable[tuple[str, float]]:
    return ((each.author, each.weight) for each in examples)


def _capped(examples: Iterable[Example], cap: Cap) -> tuple[Example, ...]:
    return tuple(replace(each, weight=round(each.weight * cap.factors.get(each.author, 1.0), 9)) for each in examples)
