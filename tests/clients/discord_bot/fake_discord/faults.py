"""What goes wrong on request: a call's method and path in, the answer that it gets instead out; and rate limits."""

import asyncio
import re
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class Fault:
    """An answer that the next `times` matching calls get; None for ever. `method` and `path` are patterns of the whole."""

    status: int
    method: str = ".*"
    path: str = ".*"
    times: int | None = 1
    stored: bool = False
    """Whether the call had its effect all the same, as when only the answer was lost."""
    body: Json = field(default_factory=lambda: {"code": 0, "message": "It went wrong."})
    headers: dict[str, str] = field(default_factory=dict)

    def takes(self, method: str, path: str) -> bool:
        """Whether this call is one of those; if so it was counted."""
        if self.times == 0 or not re.fullmatch(self.method, method) or not re.fullmatch(self.path, path):
            return False
        self.times = None if self.times is None else self.times - 1
        return True


def too_many(retry_after: float = 0.01, *, scope: str = "user", via: bool = True, **more: Any) -> Fault:
    """A 429 as Discord sends it; without `via` as Cloudflare does, which discord.py does not try again."""
    headers = {"retry-after": f"{retry_after:g}", "x-ratelimit-scope": scope} | ({"via": "1.1 google"} if via else {})
    body = {"message": "You are being rate limited.", "retry_after": retry_after, "global": scope == "global"}
    return Fault(429, body=body, headers=headers, **more)


@dataclass
class Hold:
    """The next matching call stands still, before it has its effect or after (`stored`), until the test says how it ends."""

    method: str
    path: str
    stored: bool = False
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _lost: bool = False

    def takes(self, method: str, path: str) -> bool:
        return not self.reached.is_set() and bool(re.fullmatch(self.method, method) and re.fullmatch(self.path, path))

    def go_on(self) -> None:
        self._over.set()

    def lose(self) -> None:
        """The call never got through, or its answer did not."""
        self._lost = True
        self._over.set()

    async def stand(self) -> bool:
        """Whether the call goes on."""
        self.reached.set()
        await self._over.wait()
        return not self._lost


class Buckets:
    """Discord's own rate limits: `limit` calls in `window_s` for each route of each channel."""

    def __init__(self, limit: int, window_s: float) -> None:
        self._limit = limit
        self._window_s = window_s
        self._calls: defaultdict[str, deque[float]] = defaultdict(deque)
        self.exceeded = 0

    def call(self, bucket: str, now: float) -> tuple[dict[str, str], float]:
        """The headers of the answer, and how long the caller has to wait if it is refused; 0 if it is not."""
        calls = self._calls[bucket]
        while calls and now - calls[0] >= self._window_s:
            calls.popleft()
        left = self._window_s - (now - calls[0]) if calls else self._window_s
        refused = len(calls) >= self._limit
        if refused:
            self.exceeded += 1
        else:
            calls.append(now)
        headers = {
            "x-ratelimit-limit": str(self._limit),
            "x-ratelimit-remaining": str(self._limit - len(calls)),
            "x-ratelimit-reset-after": f"{left:.3f}",
            "x-ratelimit-bucket": re.sub(r"\d+", "", bucket),
        }
        return headers, left if refused else 0.0
