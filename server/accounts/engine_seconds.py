"""Who bears how much of an engine's life. Pure, and exact: the parts of a stretch add up to it, to the millisecond and the millionth.

While requests run beside each other, each bears a part of that time by its tokens per second. What nobody used, the cold start, the
pauses and the idle tail, follows the same proportions: so a stretch is simply split as its busy time was. Whoever had no request in it
bears nothing of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

_SCALE = 1 << 40
"""Virtual time is counted in whole parts of this: fine enough that no request's part of a millisecond is rounded to nothing."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Of one life, in Unix milliseconds."""

    from_ms: int
    until_ms: int

    @property
    def ms(self) -> int:
        return self.until_ms - self.from_ms

    def cost(self, woke_ms: int, per_second: int) -> int:
        """Of an engine that woke at `woke_ms`, in millionths; `per_second` in billionths. The stretches of a life add up to what the whole
        of it costs."""
        return (self.until_ms - woke_ms) * per_second // 1_000_000 - (self.from_ms - woke_ms) * per_second // 1_000_000


@dataclass(frozen=True, slots=True)
class Use:
    """One request with the engine. Where it began before a stretch or ended after it, only what lies in the stretch counts."""

    from_ms: int
    until_ms: int
    tokens: int


def weights(stretch: Stretch, uses: Sequence[Use]) -> list[int]:
    """How the busy time of a stretch is split; zero for a use that lies outside of it. O(n log n), however many run at a time.

    Virtual time passes the slower the more runs: each use has had its rate times the virtual time that passed meanwhile.
    """
    spans = [_within(stretch, use) for use in uses]
    events = sorted((at, sign, index) for index, span in enumerate(spans) if span is not None for at, sign in ((span[0], 1), (span[1], -1)))
    virtual = rate = 0
    before = stretch.from_ms
    result = [0] * len(uses)
    for at, sign, index in events:
        if rate:
            virtual += (at - before) * _SCALE // rate
        before = at
        mine = _rate(uses[index])
        rate += sign * mine
        result[index] -= sign * mine * virtual
    return result


def split(total: int, by: Sequence[int]) -> list[int]:
    """Whole numbers in proportion to `by` that add up to `total`, the largest remainders rounded up. `by` may not be all zero."""
    whole = sum(by)
    parts = [total * each // whole for each in by]
    remainders = sorted(range(len(by)), key=lambda index: -(total * by[index] % whole))
    for index in remainders[: total - sum(parts)]:
        parts[index] += 1
    return parts


def _rate(use: Use) -> int:
    """Tokens a second, in thousandths; never nothing, since a seat was taken."""
    return max(1, use.tokens * 1_000_000 // max(1, use.until_ms - use.from_ms))


def _within(stretch: Stretch, use: Use) -> tuple[int, int] | None:
    """None if it lies outside. One that was over within the millisecond has had that millisecond."""
    begin, end = max(stretch.from_ms, use.from_ms), min(stretch.until_ms, max(use.until_ms, use.from_ms + 1))
    return (begin, end) if begin < end else None
