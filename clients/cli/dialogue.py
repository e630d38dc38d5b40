"""What was said in a chat so far, and how much of it is sent along. Pure: knows no terminal and no gateway."""

from collections import deque
from dataclasses import dataclass, field

KEPT_TURNS = 20
"""A turn is a question and its answer. Older ones are forgotten, so that a long evening stays within the context."""


@dataclass
class Dialogue:
    """A conversation with one model."""

    model: str
    system: str | None = None
    turns: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=KEPT_TURNS))

    def messages(self, question: str) -> list[dict[str, str]]:
        """What to send so that the model answers `question`."""
        said = [("system", self.system)] if self.system else []
        for asked, answered in self.turns:
            said += [("user", asked), ("assistant", answered)]
        return [{"role": role, "content": text} for role, text in [*said, ("user", question)]]

    def add(self, question: str, answer: str) -> None:
        """Remember a turn. One without an answer is forgotten: the model never saw it through."""
        if answer:
            self.turns.append((question, answer))
