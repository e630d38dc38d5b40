"""What is known of one request while it runs: for the log line and the metrics, never for the caller."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from uuid import uuid4

from server.accounts.limits import Standing
from server.gateway.rate_headers import of_standing
from server.gateway.sse import Usage

SCOPE_KEY = "troupe.record"
CALLER_GONE = "caller_gone"
"""The error of a request whose caller went away: nobody is told."""

TOLD_S = 0.001
"""Who waits less for its turn is not told of it."""


class Waits(Enum):
    """What a request waits for."""

    TURN = "turn"
    """Others are before it at the engine."""
    ENGINE = "engine"


@dataclass
class Record:
    method: str
    path: str
    request_id: str = field(default_factory=lambda: f"req_{uuid4().hex}")
    """Ours. A caller's own id is neither used nor passed on."""
    began: float = field(default_factory=time.perf_counter)
    status: int = 0
    key_id: str | None = None
    """Whose key it came with: the part of it that may be shown."""
    model: str | None = None
    adapter: str | None = None
    """Which version answers, `zizou@7` or `base`: the caller gets it in a header, errors included."""
    community: str | None = None
    """Who pays."""
    standing: Standing | None = None
    """What is left of the limits that it was let in by."""
    degraded: bool = False
    """Whether the budget is spent, and it gets what is left over."""
    first_byte: float | None = None
    """Seconds from `began` to the first event of a stream: TTFT as the caller sees it."""
    usage: Usage | None = None
    woke: bool = False
    """Whether it came to an engine that was not ready."""
    waits: Waits | None = None
    """For what, now."""
    queued: float | None = None
    """Seconds that it waited for its turn."""
    waited: float | None = None
    """Seconds that it waited for the engine then, once it had one or was told that it gets none."""
    complete: bool = False
    """Whether the answer came to its end."""
    error: str | None = None
    words: Callable[[], dict[str, object]] | None = None
    """What was asked and answered, for the log; None unless who pays wants that there."""

    def note_wait(self, seconds: float) -> None:
        """A request whose engine is lost may wait a second time."""
        self.woke = True
        self.waited = (self.waited or 0.0) + seconds

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What every answer to this request says of it."""
        told = [(b"x-request-id", self.request_id.encode())]
        if self.adapter is not None:
            told.append((b"x-troupe-adapter", self.adapter.encode()))
        if self.degraded:
            told.append((b"x-troupe-degraded", b"true"))
        if self.standing is not None:
            told += of_standing(self.standing)
        if self.queued is not None and self.queued >= TOLD_S:
            told.append((b"x-troupe-queue-seconds", b"%.3f" % self.queued))
        if self.woke:
            told.append((b"x-troupe-wake", b"true"))
            if self.waited is not None and self.waits is None:  # else it is not over
                told.append((b"x-troupe-wake-seconds", b"%.3f" % self.waited))
        return told

    def note_first_byte(self) -> None:
        self.first_byte = time.perf_counter() - self.began

    def seconds(self) -> float:
        return time.perf_counter() - self.began

    def fields(self) -> dict[str, object]:
        """What the log says of it. No words of the caller's but a path that is not known here; no name but of models that are its own."""
        usage, complete = self.usage, self.complete or None
        return {
            "request": self.request_id,
            "method": self.method[:16],
            "path": _shown(self.path),
            "status": self.status,
            "seconds": round(self.seconds(), 4),
            "key": self.key_id,
            "community": self.community,
            "model": self.model,
            "adapter": self.adapter,
            "degraded": self.degraded or None,
            "queued": None if self.queued is None else round(self.queued, 4),
            "waited": None if self.waited is None else round(self.waited, 3),
            "ttft": None if self.first_byte is None else round(self.first_byte, 4),
            "prompt_tokens": usage and usage.prompt,
            "cached_tokens": usage and usage.cached,
            "completion_tokens": usage and usage.completion,
            "complete": complete,
            "error": self.error,
        }


_KEY = re.compile(r"tr_[0-9A-Za-z_-]{8,}")


def _shown(path: str) -> str:
    """Without a model's name, which may be another community's, and without a key that somebody put there."""
    return "/v1/models/{model}" if path.startswith("/v1/models/") else _KEY.sub("tr_…", path[:200])
