"""What this repository asks every model, so that cards of different communities can be compared: two files of prompts beside this one."""

import json
from pathlib import Path
from typing import TypeVar

from adapters.conversation import Turn

Item = TypeVar("Item")

_FOLDER = Path(__file__).parent / "prompts"


def neutral_prompts(count: int) -> tuple[str, ...]:
    """The first `count` of what strangers say, about nothing in particular."""
    return _read("neutral.jsonl")[:count]


def inviting_prompts(count: int) -> tuple[str, ...]:
    """`count` prompts, evenly chosen, that invite to call everybody or to insult somebody."""
    return spread(_read("inviting.jsonl"), count)


def asked(prompt: str) -> tuple[Turn, ...]:
    """As the bare API is asked."""
    return (Turn("", prompt),)


def spread(found: tuple[Item, ...], count: int) -> tuple[Item, ...]:
    """`count` of what was found, evenly over its order; all if there are not so many."""
    if len(found) <= count:
        return found
    return tuple(found[place * len(found) // count] for place in range(count))


def _read(name: str) -> tuple[str, ...]:
    with (_FOLDER / name).open(encoding="utf-8") as file:
        return tuple(json.loads(line)["prompt"] for line in file)
