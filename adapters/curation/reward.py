"""What a community gave a message, and what that is worth in its channel and month. Pure.

A message's reward is the number of people who reacted to it, at first. In a channel of five that is never many, in one of five hundred
it easily is: so it is multiplied with (what a message usually gets) / (what one of this channel and month usually gets). "Usually" is
the mean of ln(1 + reward), turned back, so that one message with a huge count does not make the others of its month worthless:

    usual = exp(mean of ln(1 + reward)) - 1,      reward' = reward * usual(everywhere) / usual(channel, month)

A channel's month with few messages says little. Its mean is drawn to what its audience lets expect, as if it had `_BELIEF` messages
more, each with the mean of all messages times the square root of (its audience / the usual audience). The audience are the distinct
people who wrote or reacted there in that month; the root, because not everybody reads everything. Between channels and months the
factor stays within 1 / `_FURTHEST` and `_FURTHEST`. Where there is only one channel and month it is 1: the reward is the plain count.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from adapters.sources.message import Message

_BELIEF = 50
_FURTHEST = 3.0
_SANE = 1_000
"""Larger counts say nothing more about what is usual."""
LEAST_BOUND = 20
"""A count is never cut below this: many read and do not write."""


def reactors(message: Message) -> frozenset[str]:
    """The ids of those who are known to have reacted, the author and bots not among them."""
    if not message.reactions:
        return frozenset()
    return frozenset[str]().union(*(reaction.users for reaction in message.reactions)) - {message.author_id}


def reward(message: Message) -> int:
    """How many people reacted, the author and bots not counted.

    Where the source names only some of those who reacted, the rest of the largest count is believed.
    """
    unnamed = max((max(0, each.count - len(each.users) - len(each.bots)) for each in message.reactions), default=0)
    return len(reactors(message)) + unnamed


@dataclass
class Cell:
    """One channel in one month: `messages` of people, the sum of ln(1 + reward), and the people (by any number) active in it."""

    messages: int = 0
    logs: float = 0.0
    people: set[int] = field(default_factory=set)

    def count(self, plain: int) -> None:
        """One more message, with this plain reward."""
        self.messages += 1
        if plain:
            self.logs += math.log1p(min(plain, _SANE))


class Norm:
    """What is usual, everywhere and in each cell. `everybody`: how many distinct people were ever active."""

    def __init__(self, cells: Sequence[Cell], everybody: int) -> None:
        self.bound = max(everybody, LEAST_BOUND)
        messages = sum(cell.messages for cell in cells)
        self._mean = math.fsum(cell.logs for cell in cells) / max(1, messages)
        roots = math.fsum(cell.messages * math.sqrt(len(cell.people)) for cell in cells)
        self._root = roots / messages if roots else 1.0

    def factor(self, cell: Cell) -> float:
        """What a reward of this cell is multiplied with."""
        if not self._mean:
            return 1.0
        expected = self._mean * math.sqrt(max(1, len(cell.people))) / self._root
        mean = (cell.logs + _BELIEF * expected) / (cell.messages + _BELIEF)
        factor = math.expm1(self._mean) / math.expm1(mean)
        return round(min(_FURTHEST, max(1 / _FURTHEST, factor)), 9)

    def bounded(self, plain: int) -> int:
        """No more than there are people: a forged count is as good as everybody's applause, and no better."""
        return min(plain, self.bound)
