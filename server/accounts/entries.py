"""What the ledger takes and gives: a request that wants to begin, what was set aside for it, and what became of it.

Integers throughout: tokens, milliseconds, and money in millionths of the operator's currency. Times are Unix milliseconds, days and
months are UTC, written `2026-11-21` and `2026-11`.
"""

from dataclasses import dataclass
from enum import StrEnum

from server.accounts.limits import Limits, Standing


class Outcome(StrEnum):
    COMPLETE = "complete"
    ABORTED = "aborted"
    """The caller went away, or the engine did, after tokens had been made: those are charged."""
    FAILED = "failed"
    """It costs nothing if no token was made."""
    LOST = "lost"
    """Its gateway died: charged is what was noted of it until then."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is known before the engine is touched. `id` is the gateway's own (`req_…`), never the caller's."""

    id: str
    key_id: str
    community: str
    adapter: str
    """`zizou@7` or `base`."""
    prompt_tokens: int
    max_tokens: int
    """The most it may generate, all its choices together."""
    engine_ms: int = 0
    """The most engine time it may be charged for at once. Only matters where an engine-second has a price."""
    degraded: bool = False
    """Answered past a spent budget: it is written down, costs nothing, and only the rates and the concurrency are looked at."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """The limits that apply to one request. Both are held."""

    community: Limits
    key: Limits


@dataclass(slots=True)
class Reservation:
    """A row exists for this request, with what is set aside for it. To be settled exactly once, whatever happens."""

    request: Request
    day: str
    """The UTC day, and by its first seven characters the month, whose budgets it counts against."""
    tokens: int
    """Set aside of the budget of tokens per day; nothing if it is degraded, and of `money` likewise."""
    money: int
    community_token_ns: int
    """What its tokens took of the community's and the key's tokens per minute, to give back what was not used: see limits.py."""
    key_token_ns: int
    standing: Standing
    """How much is left, for `x-ratelimit-*`."""
    streamed: int = 0
    """Completion tokens so far, as noted."""
    noted: int = 0
    """The same, as far as it is on disk."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of a request. Tokens as the engine counted them."""

    outcome: Outcome
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """How many of the prompt's tokens were in the prefix cache already."""
    completion_tokens: int = 0
    ttft_ms: int | None = None
    queue_ms: int = 0
    wake_ms: int = 0
    life: str | None = None
    """Which life of which engine answered it (engine_lives.py), from when to when it was with that engine."""
    engine_from_ms: int = 0
    engine_until_ms: int = 0


@dataclass(frozen=True, slots=True)
class Charge:
    """A settlement with its price: what the writers write."""

    reservation: Reservation
    settlement: Settlement
    tokens: int
    """Against the budget of tokens per day."""
    engine_ms: int
    """Until the engine's life is shared out (engine_lives.py) the time that it was with the engine, as if it had been alone."""
    token_cost: int
    engine_cost: int
    ended_ms: int

    @property
    def money(self) -> int:
        return self.token_cost + self.engine_cost

    @property
    def given_back(self) -> tuple[int, int]:
        """What the community's and the key's tokens per minute get back, for tokens that were wanted and not used."""
        reservation, settled = self.reservation, self.settlement
        wanted = reservation.request.prompt_tokens + reservation.request.max_tokens
        unused = max(0, wanted - settled.prompt_tokens - settled.completion_tokens)
        if not unused:
            return 0, 0
        return reservation.community_token_ns * unused // wanted, reservation.key_token_ns * unused // wanted
