"""A dataset without some of its people. Pure: examples and a card in, others out."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from adapters.curation.dataset import Dataset, Example

WHY = "Somebody asked to be forgotten."


def involves(example: Example, names: Collection[str]) -> bool:
    """Whether any of these pseudonyms wrote, read, or is spoken of in it."""
    people = {*example.people, example.author, *(turn.author for turn in example.turns)}
    if not people.isdisjoint(names):
        return True
    texts = (example.target, *(turn.text for turn in example.turns), *example.others)
    return any(name in text for name in names for text in texts)


def without(dataset: Dataset, names: Collection[str], now: datetime) -> Dataset | None:
    """What is left, under its new hash; None if nothing is left to learn. The card says what it was derived from, and why."""
    train, held_out = (tuple(_others(side, names)) for side in (dataset.train, dataset.held_out))
    if not train:
        return None
    left = Dataset(train, held_out, {})
    removed = len(dataset.train) + len(dataset.held_out) - len(train) - len(held_out)
    counts = {**dataset.card.get("counts", {}), "train": len(train), "held_out": len(held_out)}
    sentence = f"{removed} examples were removed because somebody asked to be forgotten; figures and plots are those from before."
    card: dict[str, Any] = {
        **dataset.card,
        "content_hash": left.content_hash,
        "made_at": now.isoformat(),
        "derived_from": [*dataset.card.get("derived_from", []), {"hash": dataset.content_hash, "why": WHY, "removed": removed}],
        "counts": counts,
        "authors": [each for each in dataset.card.get("authors", []) if each.get("name") not in names],
        "warnings": [*dataset.card.get("warnings", []), sentence],
    }
    return Dataset(train, held_out, card)


def _others(side: Iterable[Example], names: Collection[str]) -> Iterable[Example]:
    return (example for example in side if not involves(example, names))
