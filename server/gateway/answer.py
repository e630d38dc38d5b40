"""One request, from an engine to its caller: waited for together, asked once more where that cannot be seen, and ended with a word.

Knows no model and no parameter: what is asked is in the `Call`.
"""

import asyncio
from collections.abc import Coroutine

from server.fleet.fleet import Fleet
from server.gateway.errors import EngineLost, GatewayError, Stopping
from server.gateway.leases import Leased
from server.gateway.record import Record
from server.gateway.relay import Call, relay
from server.gateway.reply import EVENT_STREAM, Receive, Reply
from server.gateway.upstream import Upstream

TAIL_SECONDS = 1.0
"""How long an engine may take to end its response after the end of the answer; then its connection is closed."""
WAKING = b": waking\n\n"
"""A comment of an event stream: clients read over it, and ours say that somebody wakes up."""


async def answer(call: Call, fleet: Fleet, upstream: Upstream, reply: Reply, record: Record, *, deadline: float) -> None:
    """Raises GatewayError while nothing has been sent, and CallerStalled. `deadline`: seconds that it may wait for engines in all."""
    clock = asyncio.get_running_loop().time
    until = clock() + deadline

    async def attempt() -> None:
        async with Leased(fleet, deadline=max(0.0, until - clock()), record=record) as lease:
            if reply.started:
                await reply.comment(b": awake after %.1f s\n\n" % (record.waited or lease.waited))
            await relay(call, lease, upstream, reply, record)

    try:
        try:
            await attempt()
        except EngineLost:
            if reply.answered:
                raise
            await attempt()
    except GatewayError as error:
        if not reply.started:
            raise
        if not reply.ended:
            record.error = error.code
            await reply.fail(error)


async def while_connected(
    work: Coroutine[None, None, None], receive: Receive, reply: Reply, record: Record, *, keepalive: float | None
) -> None:
    """Run `work` until it ends or the caller goes away, whichever is first; then nothing of it runs any more.

    `keepalive`: so many seconds after each other, a caller who waits for an engine gets a comment; None for one who gets no event stream.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnect(receive))
    try:
        while not (await asyncio.wait((working, leaving), timeout=keepalive, return_when=asyncio.FIRST_COMPLETED))[0]:
            if reply.answered:
                keepalive = None
            elif record.waiting:
                record.woke = True
                await reply.comment(WAKING, EVENT_STREAM)
        if reply.ended:  # which ASGI reports as a disconnect, too
            await asyncio.wait((working,), timeout=TAIL_SECONDS)
        if working.done():
            working.result()
        elif not reply.ended:
            record.error = "caller_gone"
    except asyncio.CancelledError:  # the server stops: what is left of the time goes to saying so, and this task ends as it should
        await _cancel(working)
        if not reply.ended:
            record.error = Stopping.code
            await reply.fail(Stopping())
    finally:
        await _cancel(working, leaving)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cancel(*tasks: "asyncio.Future[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
