"""The data card: what a dataset is made of and what was left out, as plain JSON. No text of anybody and no id is in it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from adapters.conversation import RENDERER
from adapters.curation.dataset import Dataset, Example
from adapters.curation.own_words import MODEL
from adapters.curation.recipe import CurationRecipe
from adapters.curation.survey import Survey
from adapters.curation.weights import Cap

SCHEMA = 1
_TOP = 20
_BINS = 20


@dataclass(frozen=True)
class Policy:
    """What the people and the cleaner stand for, in words for the card."""

    consent: str = "opt-out"
    toxicity: str = "off"


@dataclass(frozen=True)
class Made:
    """Everything that a card is drawn from. `examples`: of both sides, weights capped; `rewards`: of all candidates."""

    community: str
    provenance: Sequence[Mapping[str, Any]]
    recipe: CurationRecipe
    policy: Policy
    found: Survey
    channels: Mapping[str, str]
    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    cap: Cap
    candidates: int
    rewards: Sequence[float]
    dropped: Mapping[str, int]
    duplicates: int
    removed: Mapping[str, int]
    refused: int
    warnings: Sequence[str]
    answers: int = 0
    """Of the model, which were brought back."""
    own_versions: Mapping[str, int] = field(default_factory=dict)
    """Whose answers those are that are learnt, before duplicates and what may not be learnt fell out."""


def data_card(made: Made, made_at: datetime) -> dict[str, Any]:
    """The card of a dataset, see the class `Made`."""
    every = (*made.train, *made.held_out)
    recipe = made.recipe
    return {
        "schema": SCHEMA,
        "community": made.community,
        "content_hash": Dataset(made.train, made.held_out, {}).content_hash,
        "made_at": made_at.isoformat(timespec="seconds"),
        "renderer": RENDERER,
        "provenance": [dict(each) for each in made.provenance],
        "recipe": recipe.to_json(),
        "counts": _counts(made),
        "held_out_from": made.held_out[0].at.isoformat() if made.held_out else None,
        "dropped": {reason: count for reason, count in sorted(made.dropped.items(), key=lambda each: (-each[1], each[0])) if count},
        "curve": {"cutoff": recipe.cutoff, "sharpness": recipe.sharpness, "floor": recipe.floor},
        "rewards": histogram(made.rewards, _reward_edges(made.rewards)),
        "weights": histogram([each.weight for each in every], [step / _BINS for step in range(_BINS + 1)]),
        "authors": _authors(made),
        "channels": _channels(made, every),
        "months": _months(made.found.months, every),
        "lengths": {
            "target": _lengths([len(each.target) for each in every]),
            "context": _lengths([sum(len(turn.text) for turn in each.turns) for each in every]),
        },
        "removed": dict(sorted(made.removed.items())),
        "toxicity": {"level": made.policy.toxicity, "refused": made.refused},
        "consent": {
            "mode": made.policy.consent,
            "left_out_authors": len(made.found.left_out_authors),
            "left_out_messages": made.dropped.get("author did not agree", 0),
        },
        "duplicates": made.duplicates,
        **(_own_words(made) if made.answers else {"warnings": list(made.warnings)}),
    }


def histogram(values: Iterable[float], edges: Sequence[float]) -> dict[str, list[float]]:
    """How many values lie between neighbouring edges; the last bin has its upper edge in it, and all that is larger."""
    counts = [0] * (len(edges) - 1)
    for value in values:
        place = sum(value >= edge for edge in edges[1:-1])
        counts[place] += 1
    return {"edges": list(edges), "counts": list(counts)}


def _own_words(made: Made) -> dict[str, Any]:
    """What is learnt of the model's own answers, and the warnings with one of it."""
    own = [each.weight for each in made.train if each.author == MODEL]
    share = sum(own) / (sum(each.weight for each in made.train) or 1.0)
    said = (
        f"{len(own)} examples are the model's own answers, with {share:.1%} of the weight (at most {made.recipe.own_share:.0%}): mind what "
        "it says again and again."
    )
    words = {"answers": made.answers, "examples": len(own), "share": round(share, 4), "limit": made.recipe.own_share}
    versions = dict(sorted(made.own_versions.items()))
    return {"own_words": {**words, "versions": versions}, "warnings": [*made.warnings, *([said] if own else [])]}


def _counts(made: Made) -> dict[str, Any]:
    return {
        "messages": made.found.messages,
        "candidates": made.candidates,
        "train": len(made.train),
        "held_out": len(made.held_out),
        "authors": len({each.author for each in (*made.train, *made.held_out)}),
        "channels": len(made.channels),
        "conversations": {
            "train": len({each.conversation for each in made.train}),
            "held_out": len({each.conversation for each in made.held_out}),
        },
    }


def _authors(made: Made) -> list[dict[str, Any]]:
    examples = Counter(each.author for each in made.train)
    weights: dict[str, float] = {}
    for each in made.train:
        weights[each.author] = weights.get(each.author, 0.0) + each.weight
    total = sum(weights.values()) or 1.0
    first = sorted(weights, key=lambda author: (-weights[author], -examples[author], author))[:_TOP]
    return [
        {
            "name": author,
            "examples": examples[author],
            "share": round(weights[author] / total, 4),
            "capped": made.cap.factors.get(author, 1.0) < 1,
        }
        for author in first
    ]


def _channels(made: Made, every: Iterable[Example]) -> list[dict[str, Any]]:
    examples = Counter(each.channel for each in every)
    counts = made.found.places
    largest = sorted(made.channels.items(), key=lambda each: (-counts[each[0]], each[0]))[:_TOP]
    return [{"name": name, "messages": counts[place], "examples": examples[name]} for place, name in largest]


def _months(messages: Mapping[str, int], every: Iterable[Example]) -> list[dict[str, Any]]:
    examples = Counter(f"{each.at.year:04}-{each.at.month:02}" for each in every)
    return [{"month": month, "messages": count, "examples": examples[month]} for month, count in sorted(messages.items())]


def _lengths(values: Sequence[int]) -> dict[str, list[float]]:
    edges: list[float] = [0, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120]
    return histogram(values, edges)


def _reward_edges(rewards: Sequence[float]) -> list[float]:
    """Equal steps up to where all but the hundredth part lies."""
    ordered = sorted(rewards)
    most = ordered[int(0.99 * (len(ordered) - 1))] if ordered else 1.0
    return [round(step * max(most, 1.0) / _BINS, 3) for step in range(_BINS + 1)]
