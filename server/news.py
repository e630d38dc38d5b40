"""What the operator hears of the engine: one line for each wake, each sleep and each failure."""

from collections.abc import Callable
from dataclasses import dataclass

from server.fleet.engine import EngineState
from server.fleet.fleet import Fleet


@dataclass(frozen=True)
class Glance:
    """What is known of the engine at one moment. Times in seconds."""

    state: EngineState
    wakes: int = 0
    wake_seconds: float | None = None
    failure: str | None = None
    idle_seconds: float | None = None


def glance(fleet: Fleet) -> Glance:
    failure = fleet.failure.sentence if fleet.failure else None
    return Glance(fleet.state, fleet.wakes, fleet.last_wake_seconds, failure, fleet.idle_seconds)


def news(before: Glance, now: Glance) -> list[str]:
    """What happened between two moments, however much of it was missed."""
    said = []
    if now.wakes > before.wakes:
        said.append(f"The engine is awake after {now.wake_seconds or 0:.1f} s.")
    if now.state is EngineState.FAILED and (before.state is not EngineState.FAILED or now.failure != before.failure):
        said.append(f"The engine is not there: {now.failure}")
    if now.state is EngineState.ASLEEP and before.state is not EngineState.ASLEEP:
        said.append("The engine is asleep" + ("." if now.idle_seconds is None else f" after {now.idle_seconds:.0f} s without requests."))
    return said


async def follow(fleet: Fleet, say: Callable[[str], None]) -> None:
    """Say the news until cancelled."""
    before = glance(fleet)
    while True:
        await fleet.wait_for_change()
        now = glance(fleet)
        for line in news(before, now):
            say(line)
        before = now
