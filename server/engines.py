"""Which engine the settings ask for, and the fleet around it."""

import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import SecretStr

from adapters.registry import Base, default_store
from server.engine.argv import served_batch, served_slots
from server.engine.machine import find_machine
from server.engine.settings import EngineSettings
from server.fleet.engine import Engine
from server.fleet.fleet import Fleet
from server.fleet.lifecycle import Policy
from server.fleet.local import LocalEngine
from server.fleet.remote import RemoteEngine
from server.fleet.sleeping import SleepingEngine
from server.fleet.watchdog import Watchdog
from server.gateway.admission.policy import Bounds
from server.gateway.settings import GatewaySettings, Mode

FEW_SLOTS = 4
"""Of an engine that nothing is known of: with more than it has, adapters would be kept waiting inside it."""
COMMAND = (sys.executable, "-m", "server.engine")


def build_engine(settings: EngineSettings, gateway: GatewaySettings, base: Base, run: Path, command: Sequence[str] = COMMAND) -> Engine:
    """`run`: a folder for its socket, with a short path. `command`: what is run as engine, or with `--standby` as its host."""
    if gateway.engine_url:
        return RemoteEngine(gateway.engine_url, api_key=settings.api_key.get_secret_value())
    key, standby = secrets.token_hex(24), gateway.mode is Mode.STANDBY
    told = settings.model_copy(update={
        "base": base.path, "home": gateway.home, "store_url": gateway.store_url or default_store(gateway.home),
        "socket": run / "engine.sock", "api_key": SecretStr(key), "lifeline": True, "sleep_mode": gateway.mode is Mode.SLEEP,
        "tool_parser": gateway.engine_tool_parser,
    })  # fmt: skip
    engine = LocalEngine(
        (*command, "--standby") if standby else command,
        socket=run / "engine.sock",
        log=gateway.home / "logs" / "engine.log",
        api_key=key,
        environment=told.environment(),
        standby=standby,
    )
    return SleepingEngine(engine) if gateway.mode is Mode.SLEEP else engine


def build_fleet(engine: Engine, gateway: GatewaySettings) -> Fleet:
    """An engine that is somebody else's is always wanted, and not asked for tokens: when it sleeps, and when it hangs, is theirs to see."""
    if gateway.engine_url:
        return Fleet(engine, Policy(always=True, backoff=(1.0,), give_up_after=1, max_waiting=gateway.max_waiting))
    policy = Policy(
        always=gateway.mode is Mode.ALWAYS,
        wake_at_start=gateway.wake_at_start,
        idle_timeout=gateway.idle_timeout,
        max_waiting=gateway.max_waiting,
        drain_timeout=gateway.drain_timeout,
    )
    return Fleet(engine, policy, watchdog=Watchdog(hang_timeout=gateway.hang_timeout))


def bounds(settings: EngineSettings, gateway: GatewaySettings) -> Bounds:
    """How much there may be at the engine at once. Of somebody else's that is what TROUPE_ENGINE_MAX_LORAS and TROUPE_ENGINE_MAX_NUM_SEQS
    say of it: without them few slots are taken to be there, and how large its batch is, is found out. May ask for a GPU: blocking."""
    if gateway.engine_url:
        slots, batch = settings.max_loras or FEW_SLOTS, settings.max_num_seqs
    else:
        machine = find_machine()
        slots, batch = served_slots(settings, machine), served_batch(settings, machine)
    longest = gateway.longest_swap
    return Bounds(slots, batch, waiting=gateway.max_waiting, waiting_each=gateway.max_waiting_each, longest_swap=longest)


def habit(gateway: GatewaySettings) -> str:
    """What the mode means, in one line for the operator."""
    if gateway.engine_url:
        return f"The engine at {gateway.engine_url} is somebody else's: it never sleeps here."
    after = f"after {gateway.idle_timeout:g} s without requests"
    return {
        Mode.STANDBY: f"The engine sleeps {after} and is back within seconds.",
        Mode.COLD: f"The engine ends {after}, nothing of it stays, and the next request starts it anew.",
        Mode.SLEEP: f"The engine gives its GPU memory back {after} and wakes from host memory.",
        Mode.ALWAYS: "The engine never sleeps.",
    }[gateway.mode]
