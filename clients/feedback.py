"""What a bot tells the gateway of its answers, and what it is told: plain values and their JSON. Pure.

Tell of every answer once when it is out, also if nobody reacts, or rates would know only those that somebody liked; and again whenever its
reactions changed. What is told is a state: the same twice is once, and a state without texts takes them back.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

MOST_ITEMS = 100
"""Of one request; of its people, too."""


@dataclass(frozen=True)
class SaidTurn:
    """A message that the model saw. `author`: the person's id, where it is known; `name`: as the model saw it."""

    name: str
    text: str
    is_self: bool = False
    """What the model itself had said."""
    author: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"author": self.author, "name": self.name, "text": self.text, "is_self": self.is_self}


@dataclass(frozen=True)
class Feedback:
    """The present state of one answer. Times with their zone."""

    message_id: str
    """Of what was sent; another take in the same message needs a name of its own, such as `123.2`. 1 to 64 visible ASCII characters."""
    adapter: str
    """`x-troupe-adapter` of the answer: `zizou@7`, or `base`."""
    context_hash: str
    """64 hex digits."""
    sent_at: datetime
    reactions: Mapping[str, int] = field(default_factory=dict)
    """Emoji → how many people, bots and those who opted out not among them."""
    people: int = 0
    """Distinct people of all reactions."""
    reacted_at: datetime | None = None
    """Of the last change."""
    context: Sequence[SaidTurn] | None = None
    """Texts only where the community lets models learn from them, and nobody in them opted out."""
    reply: str | None = None
    authors: Collection[str] | None = None
    """Ids of everybody in the texts, also who is only mentioned."""

    def to_json(self) -> dict[str, Any]:
        turns = None if self.context is None else [turn.to_json() for turn in self.context]
        return {
            "message_id": self.message_id,
            "adapter": self.adapter,
            "context_hash": self.context_hash,
            "reactions": dict(self.reactions),
            "people": self.people,
            "sent_at": self.sent_at.isoformat(),
            "reacted_at": None if self.reacted_at is None else self.reacted_at.isoformat(),
            "context": turns,
            "reply": self.reply,
            "authors": None if self.authors is None else sorted(self.authors),
        }


@dataclass(frozen=True)
class Plan:
    """Which versions are to answer for a community: `zizou@7`. `share`: percent of the answers that the canary is to have."""

    live: str | None = None
    canary: str | None = None
    share: float = 0.0
    decided_by_reactions: bool = False

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Plan":
        """Raises KeyError, TypeError or ValueError for anything else."""
        live, canary = content["live"], content["canary"]
        for name in (live, canary):
            if not isinstance(name, str | None):
                raise TypeError(name)
        return cls(live, canary, float(content["share"]), bool(content["decided_by_reactions"]))
