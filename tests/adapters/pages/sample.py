"""The cards that the tests draw: as the factory writes them, of a community that does not exist; and the pages that draw them."""

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from adapters.pages import comparison_page, data_card_page, report_card_page

CARDS = Path(__file__).parent / "cards"
Page = Callable[[Mapping[str, Any]], str]
Place = tuple[str | int, ...]
PAGES: Mapping[str, Page] = {"data_card": data_card_page, "report_card": report_card_page, "comparison": comparison_page}


def sample(name: str) -> dict[str, Any]:
    """A fresh copy: tests may change it."""
    card: dict[str, Any] = json.loads((CARDS / f"{name}.json").read_text("utf-8"))
    return card


def changed(card: Mapping[str, Any], place: Place, value: Any) -> dict[str, Any]:
    """A copy with another value at one place."""
    copy = deepcopy(dict(card))
    inside: Any = copy
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = value
    return copy


def places(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every place in a card, the inner ones too, with what is there."""
    if place:
        yield place, value
    if isinstance(value, dict):
        for key, each in value.items():
            yield from places(each, (*place, key))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from places(each, (*place, number))


def replaced(value: Any, change: Callable[[str], str]) -> Any:
    """Every text changed, the keys of tallies too."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [replaced(each, change) for each in value]
    if isinstance(value, dict):
        return {change(key) if _is_tally(value) else key: replaced(each, change) for key, each in value.items()}
    return value


def _is_tally(value: Mapping[str, Any]) -> bool:
    return bool(value) and all(isinstance(each, int) and not isinstance(each, bool) for each in value.values()) and "train" not in value
