"""One request, from its turn to its end: admitted, answered by an engine, asked once more where that cannot be seen, and ended with a word.

Knows no model and no parameter: what is asked is in the `Call`.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from adapters.registry import BASE
from server.fleet.engine import EngineState
from server.fleet.fleet import Fleet
from server.gateway.admission.errors import Refused
from server.gateway.admission.gate import Admission, Gate
from server.gateway.admission.policy import Ticket
from server.gateway.body import CallerGone
from server.gateway.errors import EngineLost, GatewayError, Stopping
from server.gateway.leases import Leased
from server.gateway.metering import Metered, Order
from server.gateway.record import CALLER_GONE, Record, Waits
from server.gateway.relay import Call, relay
from server.gateway.reply import EVENT_STREAM, Receive, Reply
from server.gateway.sse import Usage
from server.gateway.translations import from_gate
from server.gateway.upstream import Upstream

TAIL_SECONDS = 1.0
"""How long an engine may take to end its response after the end of the answer; then its connection is closed."""
COMMENTS = {Waits.ENGINE: b": waking\n\n", Waits.TURN: b": queued\n\n"}
"""Of an event stream: clients read over them, and ours say that somebody wakes up."""
PAST_BUDGET, PAST_BUDGET_WEIGHT = "past budget", 0.01
"""In the queue: no community has a blank in its name."""


class Passing:
    """What the ledger and admission are told of an answer while it passes."""

    def __init__(self, metered: Metered, admission: Admission) -> None:
        self._metered = metered
        self._admission = admission

    def began(self) -> None:
        self._metered.began()

    def streamed(self, tokens: int) -> None:
        self._admission.streamed(tokens - self._metered.tokens)
        self._metered.streamed(tokens)

    def finished(self, usage: Usage | None) -> None:
        self._metered.released()
        if usage is None:
            self._admission.finish()
        else:
            self._admission.finish(usage.prompt, usage.completion)


class Answers:
    """Has calls answered: in their turn, by an engine that is woken if need be."""

    def __init__(self, gate: Gate, fleet: Fleet, upstream: Upstream) -> None:
        self._gate = gate
        self._fleet = fleet
        self._upstream = upstream

    def look(self, order: Order, weight: float, deadline: float) -> None:
        """Whether there is room for it in the queue: whoever is only going to be told to come again need not be written down for it. Raises
        GatewayError."""
        most, prompt = order.max_tokens, order.prompt_tokens
        try:
            self._gate.look(Ticket(order.community, None, prompt, weight=weight, deadline=deadline, max_tokens=most))
        except Refused as refused:
            raise from_gate(refused) from refused

    async def answer(self, call: Call, metered: Metered, reply: Reply, record: Record, *, deadline: float) -> None:
        """Raises GatewayError while nothing has been sent, and CallerStalled. `deadline`: seconds that it may wait in all."""
        until = asyncio.get_running_loop().time() + deadline
        try:
            await self._admitted(call, metered, reply, record, until=until)
        except GatewayError as error:
            if not reply.started:
                raise
            if not reply.ended:
                record.error = error.code
                await reply.fail(error)

    async def _admitted(self, call: Call, metered: Metered, reply: Reply, record: Record, *, until: float) -> None:
        deadline = until - asyncio.get_running_loop().time()
        # Whoever comes to an engine that is not ready waits for it, in whichever queue.
        is_ready = self._fleet.state is EngineState.READY
        record.waits = Waits.TURN if is_ready else Waits.ENGINE
        try:
            async with self._gate.enter(ticket(call, metered, deadline)) as admission:
                record.waits = None
                if is_ready:
                    record.queued = admission.waited
                else:
                    record.note_wait(admission.waited)
                await self._ask(call, metered, admission, reply, record, until=until)
        except Refused as refused:
            raise from_gate(refused) from refused
        finally:
            record.waits = None

    async def _ask(self, call: Call, metered: Metered, admission: Admission, reply: Reply, record: Record, *, until: float) -> None:
        """Once more if the engine was lost and the caller could not see it."""
        passing, clock = Passing(metered, admission), asyncio.get_running_loop().time

        async def attempt() -> None:
            # What is given past a budget wakes no engine and keeps none awake.
            async with Leased(self._fleet, deadline=max(0.0, until - clock()), counts=not metered.degraded, record=record) as lease:
                if reply.started:
                    await reply.comment(b": awake after %.1f s\n\n" % (record.waited or lease.waited))
                admission.sent()
                metered.engaged(lease)
                await relay(call, lease, self._upstream, reply, record, passing)

        try:
            await attempt()
        except EngineLost:
            if reply.answered:
                raise
            await attempt()


def ticket(call: Call, metered: Metered, deadline: float) -> Ticket:
    """What admission is told. What is given past a budget waits behind everybody else, all such requests together."""
    adapter = None if call.engine_name == BASE else call.engine_name
    community, weight = (PAST_BUDGET, PAST_BUDGET_WEIGHT) if metered.degraded else (metered.community, metered.weight)
    return Ticket(
        community,
        adapter,
        metered.prompt_tokens,
        weight=weight,
        deadline=deadline,
        max_tokens=metered.max_tokens,
        streams=call.stream,
    )


async def while_connected(
    work: Coroutine[None, None, None], receive: Receive, reply: Reply, record: Record, *, keepalive: float | None
) -> None:
    """Run `work` until it ends or the caller goes away, whichever is first; then nothing of it runs any more.

    `keepalive`: so many seconds after each other, a caller who waits gets a comment; None for one who gets no event stream.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnect(receive))
    try:
        while not (await asyncio.wait((working, leaving), timeout=keepalive, return_when=asyncio.FIRST_COMPLETED))[0]:
            if reply.answered:
                keepalive = None
            elif record.waits is not None:
                record.woke = record.woke or record.waits is Waits.ENGINE
                await reply.comment(COMMENTS[record.waits], EVENT_STREAM)
        if reply.ended:  # which ASGI reports as a disconnect, too
            await asyncio.wait((working,), timeout=TAIL_SECONDS)
        if working.done():
            working.result()
        elif not reply.ended:
            record.error = CALLER_GONE
    except asyncio.CancelledError:  # the server stops: what is left of the time goes to saying so, and this task ends as it should
        await _cancel(working)
        if not reply.ended:
            record.error = Stopping.code
            await reply.fail(Stopping())
    finally:
        await _cancel(working, leaving)


async def unless_gone(receive: Receive, wait: Coroutine[Any, Any, object]) -> None:
    """Wait as long as the caller is there. Raises CallerGone."""
    waiting, leaving = asyncio.ensure_future(wait), asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait((waiting, leaving), return_when=asyncio.FIRST_COMPLETED)
        if leaving.done():
            raise CallerGone
    finally:
        await _cancel(waiting, leaving)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cancel(*tasks: "asyncio.Future[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
