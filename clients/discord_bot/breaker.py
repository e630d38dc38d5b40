"""When Discord is better not called. Pure: knows statuses and a clock, nothing of HTTP.

Discord locks an address out that gets 10,000 answers of 401, 403 or 429 in ten minutes ("Invalid Request Limit" in
https://docs.discord.com/developers/topics/rate-limits). The bot stops two orders of magnitude earlier: of the last ten minutes it never has
more than `LIMIT` such answers, calls under way counted as if they were to be among them.

Past `TRIPS_AT` it is careful: one call at a time, and after each refused one a minute of rest. So it finds out by itself that things are
well again, and `LIMIT` holds all the same. After a refused token it rests for the whole ten minutes between two tries.
"""

import re
from collections import deque
from dataclasses import dataclass
from http import HTTPStatus

LIMIT = 100
WINDOW_S = 600.0
REST_S = 60.0
TRIPS_AT = LIMIT - int(WINDOW_S / REST_S)
LONGEST_WAIT_S = 60.0
"""Of all that Discord asks to wait, what a call waits for; past that it fails at once, as nobody would still want it."""

_TURN_S = 0.05
"""Between two looks of a call that waits until fewer others are under way."""

_COUNTED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS})
_ID = re.compile(r"/\d+(?=/|$)")
_TOKEN_OF_ITS_OWN = re.compile(r"/(?:interactions|webhooks)/\d+/[^/]+")

NOT_LET_IN = "Discord does not accept the bot's token any more. Set TROUPE_BOT_TOKEN to a valid one and start the bot again."
TOO_MANY = (
    "Discord refused {count} calls of the last ten minutes, so the bot is quiet until fewer are refused. "
    "Look in the log for what was refused, and at the bot's permissions."
)
ASKED_TO_WAIT = "Discord asks to wait {seconds:.0f} seconds before this call."


@dataclass(frozen=True)
class Verdict:
    """What to do with a call: wait `wait_s` seconds and ask again; make it (neither); or give up because of `refusal`, a sentence."""

    wait_s: float = 0.0
    refusal: str | None = None


class Breaker:
    """Asked before every call (`begin`), told after it (`end`). Times in seconds of any one monotonic clock."""

    def __init__(self) -> None:
        self._refused: deque[float] = deque()
        self._token_refused: float | None = None
        self._under_way: set[object] = set()
        self._holds: dict[str, float] = {}
        self._was_refused = False

    def is_open(self, now: float) -> bool:
        """Whether calls are held back for what was refused."""
        return self._token_refused is not None or self.refused(now) >= TRIPS_AT

    def refused(self, now: float) -> int:
        """Answers of the last ten minutes that count."""
        while self._refused and now - self._refused[0] >= WINDOW_S:
            self._refused.popleft()
        return len(self._refused)

    def begin(self, call: object, method: str, path: str, now: float) -> Verdict:
        """Whether `call` may be made now. If so it is under way until `end`; `call` is anything hashable that `end` is told, too."""
        held = max(self._holds.get(_EVERYTHING, now), self._holds.get(bucket(method, path), now)) - now
        if held > 0:
            return Verdict(wait_s=held) if held <= LONGEST_WAIT_S else Verdict(held, ASKED_TO_WAIT.format(seconds=held))
        refused, others = self.refused(now), len(self._under_way - {call})
        if self._token_refused is not None:
            rest = self._token_refused + WINDOW_S - now
            if rest > 0 or others:
                return Verdict(max(rest, 0.0), NOT_LET_IN)
        elif refused >= TRIPS_AT:
            rest = self._refused[-1] + REST_S - now
            if rest > 0 or others:
                return Verdict(max(rest, 0.0), TOO_MANY.format(count=refused))
        elif refused + others >= TRIPS_AT:
            return Verdict(wait_s=_TURN_S)
        self._under_way.add(call)
        return Verdict()

    def end(
        self, call: object, method: str, path: str, now: float, *, status: int | None, scope: str = "", retry_after: float | None = None
    ) -> None:
        """How `call` went: its status, None if there was no answer. `scope` and `retry_after` are a 429's (`X-RateLimit-Scope`,
        `Retry-After` in seconds): `shared` is a limit that others filled and does not count, `global` holds every call back."""
        self._under_way.discard(call)
        if status is None:  # given up, and Discord may have answered all the same: as it answered the last one
            if self._was_refused:
                self._refused.append(now)
            return
        if status == HTTPStatus.TOO_MANY_REQUESTS and retry_after:
            self._holds = {key: until for key, until in self._holds.items() if until > now}
            self._holds[_EVERYTHING if scope == "global" else bucket(method, path)] = now + retry_after
        self._was_refused = status in _COUNTED and scope != "shared"
        if self._was_refused:
            self._refused.append(now)
        if status == HTTPStatus.UNAUTHORIZED and not _TOKEN_OF_ITS_OWN.search(path):  # an interaction's token ends after 15 minutes
            self._token_refused = now
        elif status < HTTPStatus.BAD_REQUEST and not _TOKEN_OF_ITS_OWN.search(path):
            self._token_refused = None


_EVERYTHING = "*"


def bucket(method: str, path: str) -> str:
    """What Discord counts together: a route, by its first id (channel, guild, webhook), whatever the others are."""
    first = _ID.search(path)
    if first is None:
        return f"{method} {path}"
    return f"{method} {path[: first.end()]}{_ID.sub('/*', path[first.end() :])}"
