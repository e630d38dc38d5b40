"""Processes of a running installation are killed one after another, at random moments, while people talk to it."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import aiohttp

from tests.end_to_end.family import alive, engine_of, gateway_of, generations, host_of
from tests.end_to_end.outcomes import Ending, Outcome, outcome_of
from tests.end_to_end.sleeper import Sleeper, question
from tests.end_to_end.stack import Stack


class Victim(StrEnum):
    GATEWAY = "gateway"
    STANDBY = "standby"
    API_SERVER = "api server"
    ENGINE_CORE = "engine core"
    WORKER = "worker"


ENGINE = (Victim.API_SERVER, Victim.ENGINE_CORE, Victim.WORKER)
"""In the order in which one starts the other."""


@dataclass
class Outage:
    """From the kill of a gateway to the next one's greeting. `time.monotonic()`."""

    began: float
    ended: float = float("inf")


@dataclass
class Story:
    """What happened."""

    outcomes: list[Outcome] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    killed: list[Victim] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)
    """Seconds from each kill to an answer to somebody who came after it."""
    orphans: list[int] = field(default_factory=list)

    def unexplained(self) -> list[Outcome]:
        """Ends that nobody told, other than by a gateway that was itself killed meanwhile."""
        return [each for each in self.outcomes if each.ending is Ending.SILENT or (not each.is_clear and not self._was_out(each))]

    def _was_out(self, outcome: Outcome) -> bool:
        ended = outcome.began + outcome.seconds
        return outcome.ending is Ending.CUT and any(outage.began <= ended and outcome.began <= outage.ended for outage in self.outages)


class Faults:
    """`patience`: seconds within which an installation has to recover by itself."""

    def __init__(self, running: Sleeper, *, patience: float, body: Callable[[int], Mapping[str, Any]] = question) -> None:
        self._running = running
        self._patience = patience
        self._body = body
        self._asked = 0
        self._stopping = False
        self.story = Story()

    async def run(self, kills: int, draw: random.Random, *, callers: int, pause: float) -> Story:
        """`pause`: seconds between a recovery and the next kill, at most."""
        connector, timeout = aiohttp.TCPConnector(limit=0, force_close=True), aiohttp.ClientTimeout(total=self._patience + 60)
        async with aiohttp.ClientSession(headers=self._running.stack.headers, connector=connector, timeout=timeout) as http:
            crowd = [asyncio.create_task(self._talk(http, random.Random(number))) for number in range(callers)]
            try:
                for _ in range(kills):
                    await asyncio.sleep(draw.uniform(0.0, pause))
                    await self._kill_one(http, draw)
            finally:
                self._stopping = True
                await asyncio.wait(crowd)
            for each in crowd:
                each.result()
        return self.story

    async def _talk(self, http: aiohttp.ClientSession, draw: random.Random) -> None:
        while not self._stopping:
            outcome = await self._ask(http)
            self.story.outcomes.append(outcome)
            await asyncio.sleep(0.2 if outcome.ending is Ending.CUT else draw.expovariate(4.0))

    async def _ask(self, http: aiohttp.ClientSession) -> Outcome:
        self._asked += 1
        return await outcome_of(http, f"{self._running.stack.v1}/chat/completions", self._body(self._asked))

    async def _kill_one(self, http: aiohttp.ClientSession, draw: random.Random) -> None:
        victim = draw.choice(list(Victim))
        pid = await self._find(victim)
        family = [pid, *await asyncio.to_thread(generations, pid)]
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        self.story.killed.append(victim)
        if victim is Victim.GATEWAY:
            outage = Outage(killed)
            self.story.outages.append(outage)
            self.story.orphans += await asyncio.to_thread(left_over, family)
            await asyncio.to_thread(self._running.restart)
            outage.ended = time.monotonic()
        await self._recovered(http, killed, victim)
        if victim is not Victim.GATEWAY:
            self.story.orphans += await asyncio.to_thread(left_over, family)

    async def _find(self, victim: Victim) -> int:
        """The victim's process id, once there is such a process; people talk, so there will be one."""
        deadline = time.monotonic() + self._patience
        while (pid := await asyncio.to_thread(find, victim, self._running.stack)) is None:
            assert time.monotonic() < deadline, f"there is no {victim} to kill: the engine is {self._running.engine()}"
            await asyncio.sleep(0.01)
        return pid

    async def _recovered(self, http: aiohttp.ClientSession, killed: float, victim: Victim) -> None:
        deadline = killed + self._patience
        while (outcome := await self._ask(http)).ending is not Ending.ANSWERED:
            assert time.monotonic() < deadline, f"no answer {self._patience} s after the {victim} was killed, but {outcome}"
            await asyncio.sleep(0.1)
        self.story.recoveries.append(time.monotonic() - killed)


def find(victim: Victim, stack: Stack) -> int | None:
    """The victim's process id; None while there is no such process."""
    if victim is Victim.GATEWAY:
        return gateway_of(stack)
    if victim is Victim.STANDBY:
        return host_of(stack)
    engine, place = engine_of(stack), ENGINE.index(victim)
    return engine[place] if len(engine) > place else None


def left_over(family: list[int]) -> list[int]:
    """Those of a killed process's family that still run after a while in which they could notice. Blocks."""
    deadline = time.monotonic() + 20.0
    while (left := alive(family)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left
