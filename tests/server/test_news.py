"""The operator hears of each wake, each sleep and each failure, in one line."""

import asyncio

import pytest

from server.fleet.engine import EngineState
from server.fleet.fake import KILLED, ManualTime, ScriptedEngine
from server.fleet.fleet import Fleet
from server.fleet.lifecycle import Policy
from server.news import Glance, follow, news

ASLEEP, READY = Glance(EngineState.ASLEEP), Glance(EngineState.READY, 1, 2.71)


@pytest.mark.parametrize(
    ("before", "now", "lines"),
    [
        (ASLEEP, Glance(EngineState.WAKING), []),
        (ASLEEP, READY, ["The engine is awake after 2.7 s."]),
        (READY, Glance(EngineState.DRAINING, 1, 2.71), []),
        (READY, Glance(EngineState.ASLEEP, 1, 2.71, None, 301.4), ["The engine is asleep after 301 s without requests."]),
        (ASLEEP, Glance(EngineState.ASLEEP, 1, 2.71), ["The engine is awake after 2.7 s."]),
        (READY, Glance(EngineState.FAILED, 1, 2.71, "It died."), ["The engine is not there: It died."]),
        (Glance(EngineState.FAILED, failure="It died."), Glance(EngineState.FAILED, failure="It died."), []),
        (Glance(EngineState.FAILED, failure="It died."), Glance(EngineState.FAILED, failure="No."), ["The engine is not there: No."]),
    ],
)
def test_what_happened_between_two_looks(before: Glance, now: Glance, lines: list[str]) -> None:
    """Once each, also where something in between was missed."""
    assert news(before, now) == lines


async def test_a_day_in_the_life_of_an_engine() -> None:
    """It sleeps, wakes, dies, and comes back."""
    time, engine, said = ManualTime(), ScriptedEngine(), list[str]()
    fleet = Fleet(engine, Policy(idle_timeout=60), clock=time, pause=time.pause)
    await fleet.open()
    telling = asyncio.create_task(follow(fleet, said.append))
    await time.advance(61)
    fleet.wake()
    await time.settle()
    await engine.die(KILLED)
    await time.advance(2)
    telling.cancel()
    await fleet.close()
    awake = "The engine is awake after 0.0 s."
    assert said == [awake, "The engine is asleep after 60 s without requests.", awake, f"The engine is not there: {KILLED.sentence}", awake]
