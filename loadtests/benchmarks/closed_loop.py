"""A closed loop of raw HTTP/1.1 connections: each asks, reads the answer to its end, and asks again.

Raw, because the client shares a core with the engine's stand-in: what it costs is missing there. It understands just enough HTTP to
find the first byte and the end of an answer.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

from loadtests.measure import percentile

LAST_CHUNK, STREAM_END = b"\r\n0\r\n\r\n", b"[DONE]"


class WrongAnswer(Exception):
    """Something other than a complete answer of status 200 came back."""


@dataclass(frozen=True)
class Answer:
    """Seconds from the request to the first byte of the body, and to the end; the longest pause between two pieces of it; its bytes."""

    first_s: float
    total_s: float
    pause_s: float
    content: bytes = field(repr=False)


class Connection(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._head_end = -1
        self._length: int | None = None
        self._first_s = self._heard_s = self._pause_s = 0.0
        self._waiter: asyncio.Future[Answer] | None = None
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def ask(self, request: bytes) -> "asyncio.Future[Answer]":
        self._received.clear()
        self._head_end, self._length = -1, None
        self._first_s = self._pause_s = 0.0
        self._waiter = self._loop.create_future()
        self._start_s = time.perf_counter()  # uvloop's own time stands still within a turn of it
        self._transport.write(request)
        return self._waiter

    def data_received(self, data: bytes) -> None:
        self._received += data
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        if self._head_end < 0 and not self._read_head(waiter):
            return
        body_bytes = len(self._received) - self._head_end
        now_s = time.perf_counter() - self._start_s
        if body_bytes and not self._first_s:
            self._first_s = now_s
        elif body_bytes:
            self._pause_s = max(self._pause_s, now_s - self._heard_s)
        self._heard_s = now_s
        if (body_bytes == self._length) if self._length is not None else self._received.endswith(LAST_CHUNK):
            waiter.set_result(Answer(self._first_s, now_s, self._pause_s, bytes(self._received[self._head_end :])))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(WrongAnswer(f"the connection ended ({exc!r}) after {bytes(self._received[:500])!r}"))

    def close(self) -> None:
        self._waiter = None
        self._transport.close()

    def _read_head(self, waiter: "asyncio.Future[Answer]") -> bool:
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._received[:end]).lower()
        if not head.startswith(b"http/1.1 200 "):
            waiter.set_exception(WrongAnswer(bytes(self._received[:2000]).decode(errors="replace")))
            return False
        self._head_end = end + 4
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        self._length = int(fields[b"content-length"]) if b"content-length" in fields else None
        return True


def request_bytes(url: str, key: str, model: str, *, max_tokens: int, stream: bool, usage: bool = False) -> bytes:
    """A chat completion of a few short messages, as bytes for a connection to `url`. `usage`: have it told at the end of a stream."""
    turns = ["who is watching the derby tonight?", "me, if the bus ever comes", "bring crisps then", "same bet as last week, loser cooks?"]
    messages = [{"role": "assistant" if index % 2 else "user", "content": text} for index, text in enumerate([*turns, "well?"])]
    options = {"stream_options": {"include_usage": True}} if usage else {}
    body = json.dumps({"model": model, "messages": messages, "max_tokens": max_tokens, "stream": stream, **options}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: {urlsplit(url).netloc}\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass(frozen=True)
class Load:
    """`in_flight` connections for `seconds`; their first requests are spread over `stagger_s`."""

    in_flight: int
    seconds: float
    stream: bool
    stagger_s: float = 0.0


async def offer(url: str, request: bytes, load: Load) -> list[Answer]:
    """The answers to all requests that were begun within the time. Raises WrongAnswer, OSError."""
    end_s = asyncio.get_running_loop().time() + load.seconds
    async with asyncio.TaskGroup() as group:
        places = [load.stagger_s * index / load.in_flight for index in range(load.in_flight)]
        workers = [group.create_task(_worker(url, request, load.stream, after_s, end_s)) for after_s in places]
    return [answer for worker in workers for answer in worker.result()]


async def _worker(url: str, request: bytes, stream: bool, after_s: float, end_s: float) -> list[Answer]:
    loop = asyncio.get_running_loop()
    parts = urlsplit(url)
    _, connection = await loop.create_connection(Connection, parts.hostname or "", parts.port or 80)
    answers = []
    try:
        await asyncio.sleep(after_s)
        while loop.time() < end_s:
            answer = await connection.ask(request)
            if stream and STREAM_END not in answer.content[-64:]:
                raise WrongAnswer(f"a stream ended without its mark: …{answer.content[-200:]!r}")
            answers.append(answer)
    finally:
        connection.close()
    return answers


def milliseconds(values: Sequence[float], share: float) -> float:
    """The `share` quantile of times in seconds, in milliseconds."""
    return 1000 * percentile(sorted(values), share)
