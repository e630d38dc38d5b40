"""What the server's commands say, run in this process."""

import asyncio

from click.testing import CliRunner

from server.cli import up
from server.engine.settings import EngineSettings
from server.status import status
from tests.server.gateway.stage import ADMIN_KEY, Stage

OURS = frozenset({"base", "home", "store_url", "socket", "host", "port", "api_key", "shm", "lifeline", "sleep_mode"})
"""Settings of an engine that `troupe up` sets itself, or shares with the gateway."""


async def said(stage: Stage, *arguments: str) -> str:
    command = ["--url", f"http://127.0.0.1:{stage.port}", "--admin-key", ADMIN_KEY, *arguments]
    ran = await asyncio.to_thread(CliRunner().invoke, status, command)
    assert ran.exit_code == 0, ran.output
    return ran.output


async def test_status_says_how_the_engine_sleeps_and_wakes(fresh: Stage) -> None:
    """In words, without waking it; and why it is not there."""
    await fresh.time.advance(12)
    lines = (await said(fresh)).splitlines()
    assert lines[0] == "engine  ready"
    assert lines[1] == "mode    standby; woken once, in 0.0 s; 0 requests in flight, 0 waiting; idle for 12 s"
    await fresh.sleep()
    assert (await said(fresh)).startswith("engine  asleep\n")
    fresh.fleet.wake()
    await fresh.time.settle()
    await fresh.break_down()
    lines = (await said(fresh)).splitlines()
    assert "secret" in lines[0]
    assert "woken 2 times, last in 0.0 s; 1 wakes failed" in lines[1]
    assert '"failed_wakes": 1' in await said(fresh, "--json")


def test_help_names_every_setting_of_an_engine() -> None:
    """Except those that are not for an operator."""
    text = CliRunner().invoke(up, ["--help"]).output
    assert [name for name in EngineSettings.model_fields.keys() - OURS if name.upper() not in text] == []
