"""From an engine to a caller: bytes pass as they come, the engine's name goes, and no answer ends early without saying so."""

from dataclasses import dataclass

from server.fleet.engine import Endpoint
from server.gateway.errors import EngineFailed, EngineUnavailable, GatewayError
from server.gateway.record import Record
from server.gateway.reply import EVENT_STREAM, Reply
from server.gateway.sse import EventStream, Renamer, read_usage
from server.gateway.upstream import Upstream, log

MAX_ANSWER_BYTES = 32 << 20


@dataclass(frozen=True)
class Call:
    """One request to one engine, ready to send."""

    endpoint: Endpoint
    path: str
    body: bytes
    engine_name: str
    model: str
    stream: bool
    include_usage: bool


async def relay(call: Call, upstream: Upstream, reply: Reply, record: Record) -> None:
    """Raises GatewayError while nothing has been sent, CallerStalled, and nothing else on purpose."""
    if call.stream:
        await _relay_stream(call, upstream, reply, record)
    else:
        await _relay_whole(call, upstream, reply, record)


async def _relay_whole(call: Call, upstream: Upstream, reply: Reply, record: Record) -> None:
    async with upstream.post(call.endpoint, call.path, call.body, stream=False, request_id=record.request_id) as response:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise EngineFailed("The engine sent more than an answer can hold.")
    answer = bytes(body)
    record.usage = read_usage(answer)
    renamed = Renamer(call.engine_name, call.model).rename(answer)
    await reply.whole(200, ((b"content-type", b"application/json"),), renamed)


async def _relay_stream(call: Call, upstream: Upstream, reply: Reply, record: Record) -> None:
    events = EventStream(Renamer(call.engine_name, call.model), include_usage=call.include_usage)
    try:
        async with upstream.post(call.endpoint, call.path, call.body, stream=True, request_id=record.request_id) as response:
            async for chunk in response.content.iter_any():
                data = events.feed(chunk)
                if data:
                    if not reply.started:
                        record.note_first_byte()
                        await reply.start(200, EVENT_STREAM)
                    # The end is told at once; the loop goes on only to leave the connection fit for the next request.
                    await (reply.end(data) if events.done and not reply.ended else reply.write(data))
                if events.error is not None:
                    log.warning("request=%s engine error=%r", record.request_id, events.error[:2000])
                    raise EngineFailed("The engine failed in the middle of the answer.")
        if not events.done:
            raise EngineUnavailable("The engine went away before the answer was complete.")
    except GatewayError as error:
        if not reply.started:
            raise
        if not reply.ended:
            record.error = error.code
            await reply.fail(error)
    finally:
        record.usage = events.usage
