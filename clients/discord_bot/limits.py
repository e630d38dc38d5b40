"""How often one person, and one channel, may ask. Pure: a clock is given.

Token buckets: so many questions at once, filled up again evenly. Who asks more is told once and then not heard until a question of theirs
fits again, so that a refusal never becomes more messages than an answer.
"""

from dataclasses import dataclass, field
from enum import Enum


class Verdict(Enum):
    ANSWER = "answer"
    SAY_SLOWER = "say slower"
    """Refused, and to be told so: at most once a window for each person and channel."""
    IGNORE = "ignore"


@dataclass(frozen=True)
class Rate:
    """`burst` questions at once, `burst` in `window_s` seconds in the long run."""

    burst: int
    window_s: float


PER_PERSON = Rate(6, 60.0)
PER_CHANNEL = Rate(20, 60.0)


@dataclass
class _Bucket:
    left: float
    filled: float
    told: float = field(default=float("-inf"))


class Limits:
    """Times in seconds of any one monotonic clock. Keeps only those who asked within their window."""

    def __init__(self, per_person: Rate = PER_PERSON, per_channel: Rate = PER_CHANNEL) -> None:
        self._people = _Buckets(per_person)
        self._channels = _Buckets(per_channel)

    def asks(self, person_id: int, channel_id: int, now: float) -> Verdict:
        """Whether this question is answered; if so it has been counted. One that is refused costs nobody anything."""
        full = [buckets for buckets, who in ((self._people, person_id), (self._channels, channel_id)) if not buckets.has_room(who, now)]
        if not full:
            self._people.take(person_id)
            self._channels.take(channel_id)
            return Verdict.ANSWER
        whose = person_id if full[0] is self._people else channel_id
        return Verdict.SAY_SLOWER if full[0].may_tell(whose, now) else Verdict.IGNORE


class _Buckets:
    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._buckets: dict[int, _Bucket] = {}
        self._swept = 0.0

    def has_room(self, who: int, now: float) -> bool:
        self._sweep(now)
        bucket = self._buckets.setdefault(who, _Bucket(float(self._rate.burst), now))
        bucket.left = min(float(self._rate.burst), bucket.left + (now - bucket.filled) * self._rate.burst / self._rate.window_s)
        bucket.filled = now
        return bucket.left >= 1 - 1e-9

    def take(self, who: int) -> None:
        self._buckets[who].left -= 1

    def may_tell(self, who: int, now: float) -> bool:
        bucket = self._buckets[who]
        if now - bucket.told < self._rate.window_s:
            return False
        bucket.told = now
        return True

    def _sweep(self, now: float) -> None:
        """A bucket that nobody used for a window is full, and as good as none."""
        if now - self._swept >= self._rate.window_s:
            self._swept = now
            self._buckets = {who: bucket for who, bucket in self._buckets.items() if now - bucket.filled < self._rate.window_s}
