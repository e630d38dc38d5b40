"""`troupe up` and `troupe status`: thin readers of arguments."""

import asyncio
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import click
import uvloop
from pydantic import ValidationError

from adapters.cli.access import admin_key as kept_admin_key
from adapters.cli.command import sentences
from adapters.registry import RegistryError
from adapters.settings import read_settings
from server.accounts.errors import AccountsError
from server.engine.settings import EngineSettings
from server.gateway.settings import GatewaySettings
from server.prepare import StartError
from server.up import serve


@click.command()
@click.option("--demo", is_flag=True, help="Serve the demo even if TROUPE_BASE is set.")
def up(demo: bool) -> None:
    """Serve: the gateway and its engine. Builds a demo first if no base is set.

    Steered by the environment: TROUPE_HOME, TROUPE_HOST, TROUPE_PORT, TROUPE_API_KEY, TROUPE_EVALUATE_KEY and TROUPE_ADMIN_KEY (made in
    TROUPE_HOME/keys if they are not set), TROUPE_BASE (a directory or a hub name), TROUPE_STORE_URL and TROUPE_DATABASE_URL for where
    adapters are kept. More keys: `troupe keys`. TROUPE_KEY_PEPPER, the same for all gateways of one database; TROUPE_KEY_TRUST.

    When the engine sleeps: TROUPE_MODE (standby, cold, sleep or always: what stays of it while nobody talks), TROUPE_IDLE_TIMEOUT,
    TROUPE_WAKE_AT_START, TROUPE_HANG_TIMEOUT; and how long is waited for it: TROUPE_DEADLINE, TROUPE_MAX_DEADLINE, TROUPE_MAX_WAITING,
    TROUPE_KEEPALIVE, TROUPE_DRAIN_TIMEOUT. Times in seconds.

    TROUPE_ENGINE_URL for an engine that runs elsewhere, and TROUPE_ENGINE_* for ours: QUANTIZATION, MAX_LORAS, MAX_CPU_LORAS,
    MAX_LORA_RANK, CONTEXT_LENGTH, TENSOR_PARALLEL, KV_GIB, MAX_NUM_SEQS, CACHE, CACHE_GIB, COMPILE_CACHE, CUDAGRAPH_SIZES,
    CUDAGRAPH_SPECIALIZE_LORA, LOAD_FORMAT, EXTRA_ARGS.
    """
    try:
        settings, engine_settings = GatewaySettings(), EngineSettings()
        uvloop.run(serve(settings, engine_settings, base=settings.base, demo=demo, say=click.echo))
    except ValidationError as exc:
        _stop("; ".join(_told(exc, error["loc"], error["msg"]) for error in exc.errors(include_input=False)))
    except (StartError, RegistryError, AccountsError) as exc:
        _stop(str(exc))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The gateway's answer as it is.")
@click.option("--url", envvar="TROUPE_URL", default="http://127.0.0.1:8000", show_default=True)
@click.option("--admin-key", envvar="TROUPE_ADMIN_KEY", default="", help="TROUPE_ADMIN_KEY; this machine's own if it is not set.")
def status(as_json: bool, url: str, admin_key: str) -> None:
    """Show what the gateway serves and how its engine is."""
    with sentences():
        key = admin_key or kept_admin_key(read_settings(), url)
    request = urllib.request.Request(f"{url}/admin/v1/status", headers={"Authorization": f"Bearer {key}"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  the operator's own URL
            content = json.load(answer)
    except urllib.error.HTTPError as exc:
        _stop(f"{url} answers {exc.code}: set TROUPE_ADMIN_KEY to this installation's admin key (TROUPE_HOME/keys/admin).")
    except OSError as exc:
        _stop(f"No Troupe gateway answers at {url} ({exc}): start one with `make up`, or set TROUPE_URL.")
    if as_json:
        click.echo(json.dumps(content))
        return
    engine = content["engine"]
    click.echo(f"engine  {engine['state']}" + (f": {engine['failure']}" if engine["failure"] else ""))
    click.echo(f"mode    {_life(engine)}")
    click.echo(f"base    {content['base']}")
    click.echo(f"models  {', '.join(content['models'])}")


def _life(engine: Mapping[str, Any]) -> str:
    """How an engine has slept and woken, and what it does now."""
    told, times = [engine["mode"]], engine["wakes"]
    if times:
        how_often = "once," if times == 1 else f"{times} times, last"
        told.append(f"woken {how_often} in {engine['last_wake_seconds']:.1f} s")
    if engine["failed_wakes"]:
        told.append(f"{engine['failed_wakes']} wakes failed")
    told.append(f"{engine['in_flight']} requests in flight, {engine['waiting']} waiting")
    if engine["idle_seconds"] is not None:
        told.append(f"idle for {engine['idle_seconds']:.0f} s")
    return "; ".join(told)


def _told(exc: ValidationError, where: tuple[int | str, ...], message: str) -> str:
    """A complaint about a setting, by the name of its variable."""
    prefix = "TROUPE_ENGINE_" if exc.title == EngineSettings.__name__ else "TROUPE_"
    message = message.removeprefix("Value error, ")
    return f"{prefix}{str(where[0]).upper().removeprefix('TROUPE_')}: {message}" if where else message


def _stop(sentence: str) -> None:
    click.echo(f"troupe: {sentence}", err=True)
    sys.exit(1)
