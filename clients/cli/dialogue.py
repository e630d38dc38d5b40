"""What was said in a chat so far, and how much of it is sent along. Pure: knows no terminal and no gateway.

Where speakers are named, a conversation is rendered as the adapters' training and the Discord bot render theirs. Where nobody is, it is
sent as it was typed, line ends included, since any model of OpenAI's protocol may be on the other side.
"""

from dataclasses import dataclass, field
from itertools import groupby

from adapters.conversation import CONTEXT_TURNS, Turn, before, to_chat

KEPT_LINES = 40
"""Of a chat without names; older ones are not sent, so that a long evening stays within the context."""


@dataclass(frozen=True)
class Line:
    """One thing that was said. `id` counts up."""

    id: int
    author: str
    """Who said it: the name that a person goes by, which may be empty; of an answer, the model string."""
    text: str
    is_self: bool = False
    """Whether a model said it."""


@dataclass
class Dialogue:
    """A conversation with one model, which others may join."""

    model: str
    system: str | None = None
    speaker: str = ""
    """Who types."""
    lines: list[Line] = field(default_factory=list)
    lost: Line | None = None
    """The question that got no answer, until something else is said: the model never saw it through."""

    def say(self, text: str) -> None:
        """The speaker says something."""
        self.lost = None
        self.lines.append(Line(self._next(), self.speaker, text))

    def hear(self, answer: str) -> None:
        """The model answered what was said last; with nothing, if it failed."""
        if answer:
            self.lines.append(Line(self._next(), self.model, answer, is_self=True))
        else:
            self.lost = self.lines.pop()

    def take_back_answer(self) -> bool:
        """Stand before the last answer again, or after the question that got none. False if there is nothing to answer."""
        if self.lost is not None:
            self.lines.append(self.lost)
            self.lost = None
        elif self.lines and self.lines[-1].is_self:
            self.lines.pop()
        return bool(self.lines)

    def undo(self) -> str | None:
        """Take back the last question with its answer, and return it. None if there is none."""
        if self.lost is not None:
            lost, self.lost = self.lost, None
            return lost.text
        while self.lines:
            if not (line := self.lines.pop()).is_self:
                return line.text
        return None

    def clear(self) -> None:
        self.lines.clear()
        self.lost = None

    def messages(self) -> list[dict[str, str]]:
        """What to send so that the model answers the last line, which is a person's."""
        said = self._rendered() if any(line.author for line in self.lines if not line.is_self) else self._as_typed()
        first = [{"role": "system", "content": self.system}] if self.system else []
        return [*first, *said]

    def _rendered(self) -> list[dict[str, str]]:
        *earlier, last = self.lines
        chosen = [*before([], earlier, CONTEXT_TURNS - 1), last]
        return to_chat([Turn(line.author, line.text, line.is_self) for line in chosen])

    def _as_typed(self) -> list[dict[str, str]]:
        kept = self.lines[-KEPT_LINES:]
        while kept[0].is_self:  # chat templates expect a person to begin
            kept.pop(0)
        return [
            {"role": "assistant" if own else "user", "content": "\n".join(line.text for line in side)}
            for own, side in groupby(kept, key=lambda line: line.is_self)
        ]

    def _next(self) -> int:
        return self.lines[-1].id + 1 if self.lines else 1
