"""`troupe up`: prepare, start the gateway and its engine, say how to talk to them, and end both together.

One process holds the gateway; the engine is a process group of its own below it. Nothing of either is left when this returns.
"""

import asyncio
import contextlib
import gc
import logging
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path
from socket import socket

from adapters.registry import open_registry
from server.accounts import KeyStore
from server.engine.argv import ArgumentError, served_context
from server.engine.settings import EngineSettings
from server.engines import COMMAND, bounds, build_engine, build_fleet, habit
from server.fleet import leftovers
from server.fleet.fleet import Fleet
from server.gateway.admission.gate import Gate
from server.gateway.app import create_app
from server.gateway.protocol import server_config
from server.gateway.server import Server
from server.gateway.settings import GatewaySettings
from server.keys import opened_books, own_keys
from server.log import JsonLines
from server.news import follow
from server.prepare import Stage, StartError, empty_folder, listening_socket, open_home, prepare_base, prepare_demo

Say = Callable[[str], None]

COLLECT = (10_000, 20, 50)
"""When to look for garbage that holds itself. Of requests hardly any does, and each look goes over all that are under way."""


async def serve(
    settings: GatewaySettings, engine_settings: EngineSettings, *, base: str, demo: bool, say: Say, engine: Sequence[str] = COMMAND
) -> None:
    """Run until a signal ends it. `base` is a directory or a hub name; empty, or `demo`, for the demo. `engine`: the command that is one.

    Raises StartError, RegistryError or AccountsError.
    """
    if task := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # until the server takes the signals over
    with open_home(settings.home), listening_socket(settings.host, settings.port) as listener:
        await asyncio.to_thread(leftovers.sweep, settings.home)
        database_url = settings.database_url.get_secret_value()
        registry = await open_registry(settings.home, store_url=settings.store_url, database_url=database_url)
        run = _run_folder(settings.home)
        try:
            if demo or not base:
                stage = await prepare_demo(settings.home, registry, engine_settings.quantization, max_rank=engine_settings.max_lora_rank)
            else:
                stage = await prepare_base(registry, base, engine_settings.quantization)
            for note in stage.notes:
                say(note)
            _log(settings)
            update = {"port": listener.getsockname()[1], "context_length": _context(engine_settings, stage)}
            settings = settings.model_copy(update=update)
            async with opened_books(settings) as (books, keys):
                chat_key = await _own_keys(settings, keys, say)
                fleet = build_fleet(build_engine(engine_settings, settings, stage.base, run, engine), settings)
                gate = Gate(await asyncio.to_thread(bounds, engine_settings, settings))
                app = create_app(
                    settings,
                    fleet=fleet,
                    registry=registry,
                    keys=keys,
                    books=books,
                    base=stage.base,
                    gate=gate,
                    max_rank=engine_settings.max_lora_rank,
                    scratch=empty_folder(settings.home / "uploads"),
                )
                server = Server(server_config(app, settings), gate=gate, fleet=fleet, drain_timeout=settings.drain_timeout)
                await _run(server, fleet, listener, settings, stage, chat_key, say)
        finally:
            await registry.close()
            shutil.rmtree(run, ignore_errors=True)
            leftovers.forget(settings.home)


async def _run(server: Server, fleet: Fleet, listener: socket, settings: GatewaySettings, stage: Stage, chat_key: str, say: Say) -> None:
    # Whatever was made so far lives to the end: without it in its way, a collection does not stop anybody's stream.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    failure = None
    if settings.wake_at_start and not settings.engine_url:
        say("Starting the engine …")
        failure = await _first_wake(fleet, serving)
    if failure:
        server.end()
    elif not serving.done() and not fleet.stopping:
        say(greeting(settings, stage.communities, chat_key))
    telling = asyncio.create_task(follow(fleet, say))
    try:
        await serving
    finally:
        telling.cancel()
    if failure:
        raise StartError(failure)
    say("Stopped: the gateway and its engine are gone." if not settings.engine_url else "Stopped.")


async def _first_wake(fleet: Fleet, serving: "asyncio.Task[None]") -> str | None:
    """Wait for the engine; its first failure ends the wait, as whoever started this is still looking."""
    while not (serving.done() or fleet.stopping or fleet.wakes):
        if fleet.failed_wakes:
            return fleet.failure.sentence if fleet.failure else "The engine failed."
        changed = asyncio.create_task(fleet.wait_for_change())
        await asyncio.wait({serving, changed}, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
        changed.cancel()
    return None


def _run_folder(home: Path) -> Path:
    """A folder for what lives as long as this run, with a short path: a socket's has 108 bytes, and vLLM names its own with 45.

    Should this run be killed, the next one in this home finds it, and what was named after it.
    """
    usual = tempfile.gettempdir()
    run = Path(tempfile.mkdtemp(prefix=leftovers.RUN_PREFIX, dir=usual if len(usual.encode()) < 39 else "/tmp"))  # noqa: S108
    try:
        leftovers.remember(home, run)
    except OSError as exc:
        run.rmdir()
        raise StartError(f"{home} cannot be written ({exc.strerror}): mend its permissions or make room.") from exc
    return run


def _log(settings: GatewaySettings) -> None:
    """One line of JSON a request: beside the engine's log where the engine is ours, else to standard error, where containers are read."""
    if settings.engine_url:
        handler: logging.Handler = logging.StreamHandler()
    else:
        folder = settings.home / "logs"
        try:
            folder.mkdir(exist_ok=True)
            handler = RotatingFileHandler(folder / "gateway.log", maxBytes=16 << 20, backupCount=2)
        except OSError as exc:
            raise StartError(f"The log in {folder} cannot be written ({exc.strerror}): mend its permissions or make room.") from exc
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def _context(settings: EngineSettings, stage: Stage) -> int:
    try:
        return served_context(settings, stage.base)
    except ArgumentError as exc:
        raise StartError(str(exc)) from exc


async def _own_keys(settings: GatewaySettings, keys: KeyStore, say: Say) -> str:
    """The chat key, to be shown. An admin key is shown here and now by the start that made it, whatever becomes of that."""
    folder, shown = settings.home / "keys", await own_keys(settings, keys)
    if settings.database_url.get_secret_value() and not settings.key_pepper.get_secret_value():
        say(f"Keys are hashed with {folder / 'pepper'}: other gateways on this database need the same as TROUPE_KEY_PEPPER.")
    if shown.admin:
        say(f"The admin key, shown this once (commands on this machine find it in {folder / 'admin'}):\n  {shown.admin}")
    return shown.chat


def greeting(settings: GatewaySettings, communities: tuple[str, ...], chat_key: str) -> str:
    """What to paste next: the address, a key and one call each with curl, the openai SDK and our own terminal client."""
    host = f"[{settings.host}]" if ":" in settings.host else {"0.0.0.0": "127.0.0.1"}.get(settings.host, settings.host)  # noqa: S104
    url, model = f"http://{host}:{settings.port}", communities[-1] if communities else "base"
    key, told = chat_key or "YOUR_KEY", chat_key or f"make one: {_command()} keys create NAME --all"
    return f"""
Troupe is ready.
  URL    {url}/v1
  key    {told}
  models {", ".join(("base", *communities))}

curl:
  curl {url}/v1/chat/completions -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\
    -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "who wins tonight?"}}]}}'

openai SDK:
  from openai import OpenAI
  client = OpenAI(base_url="{url}/v1", api_key="{key}")
  messages = [{{"role": "user", "content": "who wins tonight?"}}]
  print(client.chat.completions.create(model="{model}", messages=messages).choices[0].message.content)

terminal:
  TROUPE_URL={url} TROUPE_API_KEY={key} {_command()} chat {model}

{habit(settings)}
Ctrl-C stops everything.
"""


def _command() -> str:
    """How this installation's `troupe` is called from here."""
    beside = Path(sys.executable).with_name("troupe")
    with contextlib.suppress(ValueError):
        return str(beside.relative_to(Path.cwd()))
    return str(beside)
