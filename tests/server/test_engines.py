"""Which engine and which fleet the settings make."""

from pathlib import Path
from typing import Any

import pytest

from adapters.registry import Base, read_base
from server.engine.settings import EngineSettings
from server.engines import build_engine, build_fleet, habit
from server.fleet.fake import ScriptedEngine
from server.fleet.local import LocalEngine
from server.fleet.remote import RemoteEngine
from server.fleet.sleeping import SleepingEngine
from server.gateway.settings import GatewaySettings, Mode
from tests.adapters.registry.tiny import write_base


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return read_base(write_base(tmp_path / "base"), "none")


def settings(home: Path, **changes: Any) -> GatewaySettings:
    return GatewaySettings(home=home, **changes)


@pytest.mark.parametrize(("mode", "kind"), [(mode, SleepingEngine if mode is Mode.SLEEP else LocalEngine) for mode in Mode])
def test_each_mode_has_its_engine(tmp_path: Path, base: Base, mode: Mode, kind: type) -> None:
    """On a socket in the folder of this run."""
    engine = build_engine(EngineSettings(), settings(tmp_path, mode=mode), base, tmp_path)
    assert type(engine) is kind
    assert engine.endpoint.socket == tmp_path / "engine.sock"
    assert len(engine.endpoint.api_key) == 48


@pytest.mark.parametrize("mode", list(Mode))
async def test_an_engine_that_is_somebody_else_s_has_no_mode(tmp_path: Path, base: Base, mode: Mode) -> None:
    """It is asked where it is, and counts as always wanted."""
    told = settings(tmp_path, mode=mode, engine_url="http://engine.example:8001/", wake_at_start=False)
    engine = build_engine(EngineSettings(), told, base, tmp_path)
    assert isinstance(engine, RemoteEngine)
    assert "never sleeps here" in habit(told)
    scripted = ScriptedEngine()
    fleet = build_fleet(scripted, told)
    await fleet.open()
    await fleet.wait_for_change()
    await fleet.close()
    assert scripted.started == 1


def test_each_mode_says_what_it_means(tmp_path: Path) -> None:
    """In one line, with the time that is set."""
    said = {mode: habit(settings(tmp_path, mode=mode, idle_timeout=90)) for mode in Mode}
    assert len(set(said.values())) == len(Mode)
    assert all("90 s" in line for mode, line in said.items() if mode is not Mode.ALWAYS)
    assert said[Mode.STANDBY] == "The engine sleeps after 90 s without requests and is back within seconds."


def test_a_mode_that_is_none_is_refused(tmp_path: Path) -> None:
    """By the name of the setting."""
    with pytest.raises(ValueError, match="mode"):
        settings(tmp_path, mode="awake")


def test_a_deadline_over_the_largest_is_refused(tmp_path: Path) -> None:
    """With a sentence that says what to set."""
    with pytest.raises(ValueError, match="TROUPE_MAX_DEADLINE"):
        settings(tmp_path, deadline=700)
