"""When a canary has shown enough: it becomes live, or goes, or time is up. Pure: counts and a clock go in, a decision comes out.

Knows nothing of registries or of who carries it out. A policy is off unless somebody set it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from server.feedback.answer import DAY_MS
from server.feedback.evidence import evidence
from server.feedback.score import Rate

MIN_CONFIDENCE, MAX_CONFIDENCE = 0.8, 0.999
MAX_MINIMUM, MAX_THRESHOLD, MAX_DAYS = 10_000, 100, 180


@dataclass(frozen=True, slots=True)
class Policy:
    """Refuses nonsense when it is made: ValueError with a sentence."""

    confidence: float = 0.95
    """How sure it has to be: one canary in 20 that is no better becomes live, and one in 20 that is no worse is taken away, however
    often it is looked at."""
    minimum: int = 50
    """Answers of each version whose day is over, before anything is decided but that time is up."""
    threshold: int = 2
    """How many people have to like an answer to make it a banger: as many as weigh one half where a dataset is made."""
    days: int = 30
    """After these the canary is taken away, undecided."""

    def __post_init__(self) -> None:
        if not MIN_CONFIDENCE <= self.confidence <= MAX_CONFIDENCE:
            raise ValueError(f"confidence is {MIN_CONFIDENCE} to {MAX_CONFIDENCE}")
        for name, most in (("minimum", MAX_MINIMUM), ("threshold", MAX_THRESHOLD), ("days", MAX_DAYS)):
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} is 1 to {most}")

    @property
    def needed(self) -> float:
        """The evidence that decides."""
        return 1 / (1 - self.confidence)


class Outcome(StrEnum):
    PROMOTE = "promoted"
    TAKE_AWAY = "taken away"
    GIVE_UP = "given up"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a comparison stands. `better`, `worse`: the evidence that the canary is; 1 says nothing, see `Policy.needed`."""

    live: Rate
    canary: Rate
    better: float
    worse: float


@dataclass(frozen=True, slots=True)
class Decision:
    outcome: Outcome
    why: str
    """A few words for the record, at most 80 characters."""


def standing(shown: Sequence[tuple[bool, bool]]) -> Standing:
    """`shown`: whether it is the canary's, and whether it is a banger, in the order in which they were sent."""
    rates = [Rate(sum(of is who for of, _ in shown), sum(hit for of, hit in shown if of is who)) for who in (False, True)]
    return Standing(rates[0], rates[1], evidence(shown), evidence((not of, hit) for of, hit in shown))


def decide(policy: Policy, now: Standing, *, began_ms: int, now_ms: int) -> Decision | None:
    """What to do with a canary that is compared since `began_ms`; None: go on."""
    counts = f"{now.canary.bangers} bangers of {now.canary.counted}, live {now.live.bangers} of {now.live.counted}"
    if min(now.live.counted, now.canary.counted) >= policy.minimum:
        if now.better >= policy.needed:
            return Decision(Outcome.PROMOTE, f"better: {counts}")
        if now.worse >= policy.needed:
            return Decision(Outcome.TAKE_AWAY, f"worse: {counts}")
    if now_ms - began_ms >= policy.days * DAY_MS:
        return Decision(Outcome.GIVE_UP, f"undecided in {policy.days} days: {counts}")
    return None
