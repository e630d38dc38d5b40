"""From an engine to a caller: bytes pass as they come, the engine's name goes, and no answer ends early without saying so."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from server.fleet.fleet import Lease
from server.gateway.errors import AnswerNotFinite, EngineFailed, EngineLost
from server.gateway.record import Record
from server.gateway.reply import EVENT_STREAM, Reply
from server.gateway.sse import Usage, read_usage
from server.gateway.upstream import Upstream, engine_words, is_dead, log

MAX_ANSWER_BYTES = 32 << 20


class Events(Protocol):
    """Reads an engine's stream and gives back what the caller is to see of it: see `sse.EventStream`."""

    done: bool
    error: bytes | None
    usage: Usage | None

    @property
    def tokens(self) -> int: ...

    def feed(self, chunk: bytes) -> bytes: ...


class Watch(Protocol):
    """Is told of an answer while it passes."""

    def began(self) -> None:
        """Something came."""

    def streamed(self, tokens: int) -> None:
        """So many tokens in all were passed on; never twice the same number."""

    def finished(self, usage: Usage | None) -> None:
        """The engine has nothing more to do for it."""


@dataclass(frozen=True)
class Telling:
    """How the engine's answer becomes the caller's."""

    events: Callable[[], Events]
    """Of a stream; for each attempt a new one."""
    whole: Callable[[bytes], bytes]
    """Of an answer that is not streamed. Raises EngineFailed."""


@dataclass(frozen=True)
class Call:
    """One request to any engine, ready to send."""

    path: str
    body: bytes
    engine_name: str
    model: str
    stream: bool
    telling: Telling


async def relay(call: Call, lease: Lease, upstream: Upstream, reply: Reply, record: Record, watch: Watch) -> None:
    """Raises GatewayError, also when a part of the answer or all of it has been sent; CallerStalled; and nothing else on purpose.

    The lease is told what the answer says of the engine.
    """
    try:
        if call.stream:
            await _relay_stream(call, lease, upstream, reply, record, watch)
        else:
            await _relay_whole(call, lease, upstream, reply, record, watch)
    except EngineLost:
        if not reply.ended:
            lease.lost()
        raise
    except AnswerNotFinite:
        lease.distrust()
        raise


async def _relay_whole(call: Call, lease: Lease, upstream: Upstream, reply: Reply, record: Record, watch: Watch) -> None:
    quotes = record.words is not None
    async with upstream.post(lease.endpoint, call.path, call.body, stream=False, request_id=record.request_id, quotes=quotes) as response:
        watch.began()
        body = bytearray()
        async for chunk in response.content.iter_any():
            lease.progressed()
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise EngineFailed("The engine sent more than an answer can hold.")
    answer = bytes(body)
    record.usage = read_usage(answer)
    watch.finished(record.usage)
    told = call.telling.whole(answer)
    record.complete = True
    await reply.whole(200, ((b"content-type", b"application/json"),), told)


async def _relay_stream(call: Call, lease: Lease, upstream: Upstream, reply: Reply, record: Record, watch: Watch) -> None:
    events, tokens, quotes = call.telling.events(), 0, record.words is not None
    try:
        async with upstream.post(
            lease.endpoint, call.path, call.body, stream=True, request_id=record.request_id, quotes=quotes
        ) as response:
            async for chunk in response.content.iter_any():
                lease.progressed()
                data = events.feed(chunk)
                if events.tokens != tokens:
                    tokens = events.tokens
                    watch.streamed(tokens)
                if events.done and not record.complete:
                    record.complete, record.usage = True, events.usage
                    watch.finished(events.usage)
                if data:
                    if not reply.answered:
                        record.note_first_byte()
                        watch.began()
                    if not reply.started:
                        await reply.start(200, EVENT_STREAM)
                    # The end is told at once; the loop goes on only to leave the connection fit for the next request.
                    await (reply.end(data) if events.done and not reply.ended else reply.write(data))
                if events.error is not None:
                    log.warning(
                        "engine error", extra={"fields": {"request": record.request_id, **engine_words(events.error, quotes=quotes)}}
                    )
                    if is_dead(events.error):
                        raise EngineLost("The engine went away before the answer was complete.")
                    raise EngineFailed("The engine failed in the middle of the answer.")
        if not events.done:
            raise EngineLost("The engine went away before the answer was complete.")
    finally:
        record.usage = events.usage
