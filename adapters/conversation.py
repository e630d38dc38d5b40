"""How a chat becomes the messages that the model sees.

One renderer for training, evaluation, the Discord bot and the terminal's chat: an adapter speaks well only when it is asked in the very
shape it was trained in, after the messages that would be chosen then. `RENDERER` names that shape; it travels in the adapter's manifest,
and a client with another one must not guess. Pure and light: knows nothing of Discord, of tokenizers or of files.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Protocol, TypeVar

RENDERER = "turns-1"
"""Changes whenever the same turns would render to other messages."""

CONTEXT_TURNS = 6
"""How many of the last turns are rendered: what a person would still have on the screen."""

CONTEXT_CHARACTERS = 3_000
"""Of all messages before the question together. One that does not fit is left out, so that a wall of text in the channel does not
fill the model's context for everybody."""


class Said(Protocol):
    """A message of a channel; the later one has the larger id."""

    @property
    def id(self) -> int: ...
    @property
    def text(self) -> str: ...


AnySaid = TypeVar("AnySaid", bound=Said)


@dataclass(frozen=True)
class Turn:
    """One message of a conversation, oldest first. `author` may be empty when there is only one other speaker."""

    author: str
    text: str
    is_self: bool = False
    """True for what the model itself said, or is to say."""


def before(replied_to: Iterable[AnySaid], recent: Iterable[AnySaid], room: int) -> list[AnySaid]:
    """What stands before a question, oldest first, at most `room` messages: the chain of replies that leads to it (`replied_to`, the
    nearest first), filled up with the channel's last messages (`recent`, in any order)."""
    chosen: dict[int, AnySaid] = {}
    left = CONTEXT_CHARACTERS
    for said in chain(replied_to, sorted(recent, key=_id, reverse=True)):
        if len(chosen) < room and said.id not in chosen and len(said.text) <= left:
            chosen[said.id] = said
            left -= len(said.text)
    return sorted(chosen.values(), key=_id)


def to_chat(turns: Sequence[Turn], *, limit: int = CONTEXT_TURNS) -> list[dict[str, str]]:
    """Render the last `limit` turns as OpenAI chat messages.

    Neighbouring turns of the same side become one message, a line each. Others' lines are "author: text", or only the text where
    the author is not named. The list starts with a user message, as chat templates expect.
    """
    recent = list(turns[-limit:])
    while recent and recent[0].is_self:
        recent.pop(0)
    return [
        {"role": "assistant" if own else "user", "content": "\n".join(_line(turn) for turn in side)}
        for own, side in groupby(recent, key=lambda turn: turn.is_self)
    ]


def _id(said: Said) -> int:
    return said.id


def _line(turn: Turn) -> str:
    text = " ".join(turn.text.split())
    return text if turn.is_self or not turn.author else f"{turn.author}: {text}"
