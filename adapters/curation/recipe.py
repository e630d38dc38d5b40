"""Every number that a dataset is made with. It travels in the data card."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from adapters.conversation import CONTEXT_TURNS
from adapters.curation.errors import BadRecipe


@dataclass(frozen=True)
class CurationRecipe:
    """Refuses nonsense when it is made. Raises BadRecipe."""

    cutoff: float = 2.0
    """The reward at which a message weighs one half."""
    sharpness: float = 2.0
    """How steep the weight rises there."""
    floor: float = 0.02
    """What weighs less is not learnt. One reaction weighs more than this in every channel."""
    normalise: bool = True
    """Compare rewards with what is usual in their channel and month."""
    author_share: float = 0.2
    """The most of the whole weight that one author's messages may have."""
    own_share: float = 0.1
    """The most of the whole weight that the model's own answers may have, where they are brought back. 0: none are learnt."""
    held_out: float = 0.15
    """The share of the candidates, the last ones, that is kept for evaluation."""
    context_turns: int = CONTEXT_TURNS
    """Messages before the target, at most: the bot renders no more."""
    gap_minutes: float = 60.0
    """A channel that is silent for longer begins a new conversation."""
    conversation_hours: float = 6.0
    """A channel that is never silent begins one after so long."""
    thought_minutes: float = 3.0
    """Messages that one author sends within so long of each other are one thought, and learnt as one."""
    others: int = 9
    """Other messages that a held-out one is ranked against."""
    shortest: int = 1
    longest: int = 1500
    """Characters of a target, without its links and mentions at least `shortest`, with all of it at most `longest`."""
    near_duplicate: float = 0.8
    """Jaccard similarity from which two targets are the same one. 0: nothing is a duplicate."""
    min_examples: int = 50
    """Fewer to train on are not worth training on."""
    max_examples: int = 20_000
    """Of more candidates a sample is taken, in which the heavier ones are likelier to be."""
    private: bool = False
    """Learn from direct messages, groups and private threads too."""
    unscored: Literal["refuse", "equal"] = "refuse"
    """What to do where no message has a reaction: "equal" gives every message the weight 1."""

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not low <= value <= high:
                raise BadRecipe(f"{name} is {value!r}: give a number from {low} to {high}.")
            if name in _WHOLE and not isinstance(value, int):
                raise BadRecipe(f"{name} is {value!r}: give a whole number.")
        for name in ("normalise", "private"):
            if not isinstance(getattr(self, name), bool):
                raise BadRecipe(f"{name} is {getattr(self, name)!r}: give true or false.")
        if self.unscored not in ("refuse", "equal"):
            raise BadRecipe(f'unscored is {self.unscored!r}: give "refuse" or "equal".')
        if self.shortest > self.longest:
            raise BadRecipe(f"shortest is {self.shortest} and longest {self.longest}: no message is both, give a smaller shortest.")
        if self.min_examples > self.max_examples:
            raise BadRecipe(f"min_examples is {self.min_examples} and max_examples {self.max_examples}: give a smaller min_examples.")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, every setting by its name."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "CurationRecipe":
        """What `to_json` gave, or a part of it. Raises BadRecipe."""
        unknown = sorted(content.keys() - cls.__dataclass_fields__.keys())
        if unknown:
            raise BadRecipe(f"{unknown[0]!r} is no setting of curation: give some of {', '.join(cls.__dataclass_fields__)}.")
        return cls(**content)


_RANGES: dict[str, tuple[float, float]] = {
    "cutoff": (0.1, 10_000),
    "sharpness": (0.1, 50),
    "floor": (0.0, 0.99),
    "author_share": (0.01, 1.0),
    "own_share": (0.0, 0.5),
    "held_out": (0.0, 0.9),
    "context_turns": (1, CONTEXT_TURNS),
    "gap_minutes": (0.1, 7 * 24 * 60),
    "conversation_hours": (0.1, 24 * 365),
    "thought_minutes": (0.0, 60),
    "others": (0, 50),
    "shortest": (1, 4_000),
    "longest": (1, 32_000),
    "near_duplicate": (0.0, 1.0),
    "min_examples": (1, 1_000_000),
    "max_examples": (1, 1_000_000),
}
_WHOLE = frozenset({"context_turns", "others", "shortest", "longest", "min_examples", "max_examples"})
