"""`troupe up`: a thin reader of arguments."""

import asyncio
import sys

import click
import uvloop
from pydantic import ValidationError

from adapters.registry import RegistryError
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

    Money and limits: TROUPE_CURRENCY, TROUPE_PRICE_PROMPT, TROUPE_PRICE_CACHED and TROUPE_PRICE_COMPLETION (of a million tokens),
    TROUPE_PRICE_ENGINE_SECOND, TROUPE_COMMUNITY_LIMITS, TROUPE_KEY_LIMITS (as concurrent=4,money_per_month=12.50), TROUPE_AT_CAP,
    TROUPE_RESERVED_SECONDS (of the engine, for a request that runs), and TROUPE_EVENT_SOURCE for what `troupe usage export` prints.

    When the engine sleeps: TROUPE_MODE (standby, cold, sleep or always: what stays of it while nobody talks), TROUPE_IDLE_TIMEOUT,
    TROUPE_WAKE_AT_START, TROUPE_HANG_TIMEOUT; and how long is waited for it: TROUPE_DEADLINE, TROUPE_MAX_DEADLINE, TROUPE_MAX_WAITING,
    TROUPE_KEEPALIVE, TROUPE_DRAIN_TIMEOUT. Times in seconds.

    TROUPE_LOG_PROMPTS: communities, with commas between, whose prompts and answers are written to the log; nobody's otherwise.

    Who comes next: TROUPE_MAX_WAITING_EACH (of one community), TROUPE_LONGEST_SWAP (how long an adapter waits for a slot at most).

    TROUPE_ENGINE_URL for an engine that runs elsewhere, and TROUPE_ENGINE_* for ours: QUANTIZATION, MAX_LORAS, MAX_CPU_LORAS,
    MAX_LORA_RANK, CONTEXT_LENGTH, TENSOR_PARALLEL, KV_GIB, MAX_NUM_SEQS, CACHE, CACHE_GIB, COMPILE_CACHE, CUDAGRAPH_SIZES,
    CUDAGRAPH_SPECIALIZE_LORA, LOAD_FORMAT, TOOL_PARSER, ALL_ROUTES, EXTRA_ARGS.
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


def _told(exc: ValidationError, where: tuple[int | str, ...], message: str) -> str:
    """A complaint about a setting, by the name of its variable."""
    prefix = "TROUPE_ENGINE_" if exc.title == EngineSettings.__name__ else "TROUPE_"
    message = ": ".join([*map(str, where[1:]), message.removeprefix("Value error, ")])
    return f"{prefix}{str(where[0]).upper().removeprefix('TROUPE_')}: {message}" if where else message


def _stop(sentence: str) -> None:
    click.echo(f"troupe: {sentence}", err=True)
    sys.exit(1)
