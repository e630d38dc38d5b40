"""The worker's own decisions, with an engine that does what it is told."""

import asyncio
from typing import Any

from deploy.runpod.worker import Worker
from server.fleet.engine import Cause, Failure
from server.fleet.fake import ScriptedEngine
from server.fleet.fleet import Fleet
from server.fleet.lifecycle import Policy

MODELS = {"input": {"openai_route": "/v1/models"}}
REFUSED = Failure(Cause.SETTINGS, "TROUPE_BASE=/srv/secret holds no model: set it to a directory.")


async def outputs(worker: Worker, job: dict[str, Any]) -> list[Any]:
    return [output async for output in worker.handle(job)]


def worker_of(fleet: Fleet, *, start_timeout: float = 60.0) -> Worker:
    return Worker(fleet, concurrency=4, start_timeout=start_timeout, stall_timeout=5.0)


async def test_the_engine_starts_before_the_first_job() -> None:
    """As soon as the platform's loop asks for anything at all."""
    engine = ScriptedEngine(held=True)
    fleet = Fleet(engine, Policy(always=True))
    assert worker_of(fleet).concurrency(1) == 4
    async with asyncio.timeout(20):
        await fleet.wait_for_change()
    assert (engine.opened, fleet.wakes) == (True, 0)
    await fleet.close()


async def test_a_job_whose_engine_cannot_start_is_told_so() -> None:
    """In words for any caller: the operator's are in the worker's log."""
    fleet = Fleet(ScriptedEngine(starts=[REFUSED]), Policy(always=True))
    (output,) = await outputs(worker_of(fleet), MODELS)
    assert (output["status"], output["body"]["error"]["code"]) == (503, "engine_unavailable")
    assert "settings" in output["body"]["error"]["message"]
    assert "secret" not in str(output)
    await fleet.close()


async def test_a_job_waits_for_its_engine_only_so_long() -> None:
    """It is told before the platform gives it up."""
    fleet = Fleet(ScriptedEngine(held=True), Policy(always=True))
    (output,) = await outputs(worker_of(fleet, start_timeout=0.05), MODELS)
    assert output["status"] == 503
    await fleet.close()


async def test_what_is_no_job_needs_no_engine() -> None:
    """A wrong job is refused while the engine still starts."""
    fleet = Fleet(ScriptedEngine(held=True), Policy(always=True))
    (output,) = await outputs(worker_of(fleet), {"input": "hello"})
    assert output["status"] == 400
