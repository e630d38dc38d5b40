"""How a chat becomes the messages that the model sees.

One renderer for training, evaluation and the Discord bot: an adapter speaks well only when it is asked in the very shape it was
trained in. `RENDERER` names that shape; it travels in the adapter's manifest, and a client with another one must not guess.
Pure and light: knows nothing of Discord, of tokenizers or of files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

RENDERER = "turns-1"
"""Changes whenever the same turns would render to other messages."""

CONTEXT_TURNS = 6
"""How many of the last turns are rendered: what a person would still have on the screen."""


@dataclass(frozen=True)
class Turn:
    """One message of a conversation, oldest first. `author` may be empty when there is only one other speaker."""

    author: str
    text: str
    is_self: bool = False
    """True for what the model itself said, or is to say."""


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


def _line(turn: Turn) -> str:
    text = " ".join(turn.text.split())
    return text if turn.is_self or not turn.author else f"{turn.author}: {text}"
