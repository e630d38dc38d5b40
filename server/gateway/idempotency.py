"""A request that is sent twice is answered once: what an `Idempotency-Key` is for.

A caller who does not know whether its request arrived sends it again under the same key. While the first one runs, the second waits for
it; afterwards it gets the same bytes, and nobody is charged again. What failed is forgotten, so that sending it again is another try.

In memory, for a day and within a bound: when that is reached, whoever holds the most loses the oldest of his own. Knows owners, keys,
digests and answers; nothing of HTTP, of prompts or of money.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from server.gateway.errors import Conflict, InvalidRequest

HEADER = "idempotency-key"
REPLAYED = ((b"content-type", b"application/json"), (b"idempotent-replayed", b"true"))
"""What an answer that is given again comes with."""
MAX_KEY_LENGTH = 255
KEPT_SECONDS = 24 * 3600.0
MAX_BYTES = 64 << 20
"""Of all answers together."""
MAX_ANSWER_BYTES = 1 << 20
MAX_WAITING = 16
"""Who may wait for one and the same request."""

Patiently = Callable[[Coroutine[Any, Any, object]], Awaitable[object]]
"""Waits for something, or raises if there is nobody any more for whom to wait."""

_ENTRY_BYTES = 512
"""What an entry takes beside its answer, about."""
_SWEEP_SECONDS = 60.0


def read_key(headers: list[tuple[bytes, bytes]]) -> str | None:
    """The key of a request with these headers (lower-case names, as in ASGI). Raises InvalidRequest."""
    given = [value for name, value in headers if name == HEADER.encode()]
    if not given:
        return None
    key = given[0].decode("latin-1")
    if len(given) > 1 or not 0 < len(key) <= MAX_KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise InvalidRequest(f"{HEADER} must be given once, as 1 to {MAX_KEY_LENGTH} printable ASCII characters.", param=HEADER)
    return key


@dataclass(frozen=True)
class Answer:
    """And who gave it: when it is given again, another version may be live."""

    body: bytes
    adapter: str | None = None
    degraded: bool = False


@dataclass(eq=False)
class _Entry:
    digest: bytes
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0
    answered: bool = False
    answer: Answer | None = None
    until: float = 0.0

    def size(self) -> int:
        return _ENTRY_BYTES + (len(self.answer.body) if self.answer else 0)


class Turn:
    """One request under its key, whose work is to be done unless `answer` is there."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer
        self._done = False
        self._kept: Answer | None = None

    def keep(self, answer: Answer | None) -> None:
        """The work is done. None: the answer was a stream, which is not kept; sent again, it is refused and not made a second time."""
        self._done = True
        self._kept = answer if answer is not None and len(answer.body) <= MAX_ANSWER_BYTES else None

    @property
    def result(self) -> tuple[bool, Answer | None]:
        return self._done, self._kept


class Answered:
    """The requests of all owners. To be used in one event loop."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, max_bytes: int = MAX_BYTES) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._entries: dict[str, OrderedDict[str, _Entry]] = {}
        self._sizes: dict[str, int] = {}
        self._swept = clock()

    @property
    def held_bytes(self) -> int:
        return sum(self._sizes.values())

    @asynccontextmanager
    async def turn(
        self, owner: str, key: str, digest: bytes, *, stream: bool, patiently: Patiently = asyncio.ensure_future
    ) -> AsyncIterator[Turn]:
        """`owner`: whose keys do not mix with anybody else's. `digest`: of all that makes it the same request.

        Raises Conflict if it is not the same request, or if its answer cannot be given again; and what `patiently` raises.
        """
        while (entry := self._find(owner, key)) is not None:
            if entry.digest != digest:
                raise Conflict(f"This {HEADER} was used for another request: take a new one.", param=HEADER)
            if entry.answered and entry.answer is not None:
                yield Turn(entry.answer)
                return
            if entry.answered or stream:
                raise Conflict(f"The answer to this {HEADER} was or is being sent, and is not kept: take a new one.", param=HEADER)
            if entry.waiting >= MAX_WAITING:
                raise Conflict(f"Too many requests wait for the answer to this {HEADER}.", param=HEADER)
            entry.waiting += 1
            try:
                await patiently(entry.ended.wait())
            finally:
                entry.waiting -= 1
        entry = self._entries.setdefault(owner, OrderedDict())[key] = _Entry(digest)
        turn = Turn()
        try:
            yield turn
        finally:
            self._end(owner, key, entry, *turn.result)

    def _find(self, owner: str, key: str) -> _Entry | None:
        self._sweep()
        held = self._entries.get(owner)
        entry = held.get(key) if held else None
        if entry is not None and entry.answered and entry.until <= self._clock():
            self._drop(owner, key)
            return None
        return entry

    def _end(self, owner: str, key: str, entry: _Entry, done: bool, answer: Answer | None) -> None:
        entry.ended.set()
        held = self._entries[owner]
        if not done:
            del held[key]
            if not held:
                del self._entries[owner]
            return
        entry.answered, entry.answer, entry.until = True, answer, self._clock() + KEPT_SECONDS
        held.move_to_end(key)
        self._sizes[owner] = self._sizes.get(owner, 0) + entry.size()
        while self.held_bytes > self._max_bytes:
            most = max(self._sizes, key=lambda each: self._sizes[each])
            self._drop(most, next(name for name, each in self._entries[most].items() if each.answered))

    def _drop(self, owner: str, key: str) -> None:
        held = self._entries[owner]
        self._sizes[owner] -= held.pop(key).size()
        if not self._sizes[owner]:
            del self._sizes[owner]
        if not held:
            del self._entries[owner]

    def _sweep(self) -> None:
        """Nobody's answers stay longer than they are kept, whether he comes again or not."""
        now = self._clock()
        if now < self._swept + _SWEEP_SECONDS:
            return
        self._swept = now
        old = [(owner, key) for owner, held in self._entries.items() for key, each in held.items() if each.answered and each.until <= now]
        for owner, key in old:
            self._drop(owner, key)
