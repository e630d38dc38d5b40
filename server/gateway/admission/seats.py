"""How many requests may be at the engine at once: as many as keep its batch full, and no queue inside it that nobody orders.

What is seen from outside is which requests had their first token. While answers stream, those that had none yet are either being read in
or wait inside the engine for a seat. A few of them are right: they fill a seat in the very step in which it falls free. If there are many,
the engine's batch is smaller than was thought (its memory for keys and values is short, or nobody knew its size), and there are fewer seats
from then on; if there are few while more wait here, there is one more. No clock is needed for this, and it holds for engines of any speed.
"""

from dataclasses import dataclass

SPARE = 2
"""Requests that may wait inside the engine, so that no seat is empty while a request is on its way."""
UNKNOWN = 16
MOST = 256
"""Seats to begin with, and at most, where nobody knows how many sequences the engine takes."""
BEGINNING = 0.25
"""Part of those in flight that may be without their first token besides the spare ones: short answers are often at their beginning."""
WINDOW = 16
"""Tokens for each seat between two looks."""


@dataclass(slots=True)
class Seats:
    """`full`: the sequences that the engine computes at once, its `max_num_seqs`; None where nobody knows."""

    full: int | None
    limit: int = 0
    most: int = 0
    in_flight: int = 0
    beginning: int = 0
    """Of those in flight: asked, and without a first token."""
    backlog: bool = False
    """Whether somebody waited here for a seat since the last look."""
    _tokens: int = 0
    _beginning: int = 0

    def __post_init__(self) -> None:
        self.limit = self.full + SPARE if self.full else UNKNOWN
        self.most = self.limit if self.full else MOST

    @property
    def free(self) -> bool:
        return self.in_flight < self.limit

    @property
    def batch(self) -> int:
        """The requests that the engine is taken to compute at once."""
        return max(1, self.limit - SPARE)

    def token(self) -> None:
        """One came, of a request that had some before."""
        self._tokens += 1
        self._beginning += self.beginning
        if self._tokens >= WINDOW * self.limit:
            self._adapt()

    def _adapt(self) -> None:
        mean = self._beginning / self._tokens
        right = SPARE + 2 + BEGINNING * self.limit
        if mean > right:
            self.limit = max(1, self.limit - max(1, int((mean - right) / 2)))
        elif self.backlog:
            self.limit = min(self.most, self.limit + max(1, self.limit // 8))
        self._tokens = self._beginning = 0
        self.backlog = False
