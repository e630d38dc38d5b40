"""An answer that people saw and how they reacted to it, and what that is worth. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

DAY_MS = 86_400_000
WINDOW_MS = DAY_MS
"""How long after it was sent reactions count when versions are compared. A younger answer does not count yet, whatever it got: those that
are liked are liked soon, and would stand alone until the others' day is over."""

UNKIND = frozenset({"👎", "❌", "🥱", "😴", "🤮", "🤢", "😡", "🤬", "🖕", "🚫", "⛔"})
"""Reactions that do not say that somebody liked it. Few, as each community has a meaning of its own for most: 💀 is a laugh."""
_SKIN = dict.fromkeys([*range(0x1F3FB, 0x1F400), 0xFE0F])
"""Skin tones, and what asks for an emoji's picture: without them 👎🏽 is 👎."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A message that the model saw. `author`: the person's id, where the bot told it; `name`: as the model saw it."""

    name: str
    text: str
    is_self: bool = False
    """What the model itself had said."""
    author: str | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """What was said, where a model may learn from it. `people`: everybody who is in it, also who is only mentioned."""

    context: tuple[Turn, ...]
    reply: str
    people: frozenset[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """The state of one answer. Counts are states and not events: what is said later replaces what was said before."""

    message_id: str
    adapter: str
    """`zizou@7`, or `base`."""
    context_hash: str
    sent_ms: int
    changed_ms: int
    """Of its reactions, Unix milliseconds; `sent_ms` where there are none."""
    reactions: Mapping[str, int] = field(default_factory=dict)
    people: int = 0
    """Distinct people who reacted, bots and those who said no not among them."""
    text: Text | None = None

    @property
    def reward(self) -> int:
        return reward(self.reactions, self.people)


def reward(reactions: Mapping[str, int], people: int) -> int:
    """How many people liked it: those who reacted, without as many as there are unkind reactions.

    Who gave which is not known. Somebody who gave both kinds may so be left out, but not fewer are counted than gave any one kind reaction.
    """
    kind = [count for emoji, count in reactions.items() if emoji.translate(_SKIN) not in UNKIND]
    unkind = sum(reactions.values()) - sum(kind)
    return max(0, min(people, sum(kind), max(people - unkind, *kind, 0)))
