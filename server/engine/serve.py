"""vLLM's own API server, imported once.

vLLM starts an engine core and its workers as further processes, and asks yet another one what the base's architecture can do. Spawned,
each imports everything again (20 s on two cores); forked from here, none does. Nothing of CUDA is initialised in this process before
the forks; vLLM itself goes back to spawning if it is.

To be imported when the environment is what vLLM shall read, see `plan.py`.
"""

import asyncio
import contextlib
import io
import os
import socket
import sys
from typing import Any

import uvloop
import vllm.entrypoints.launchers.launcher as launcher
import vllm.v1.engine.async_llm
import vllm.v1.engine.core
import vllm.v1.executor.multiproc_executor  # noqa: F401
from vllm.engine.arg_utils import EngineArgs
from vllm.entrypoints.launchers.api_server.entry import run_server
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.model_executor.models import ModelRegistry
from vllm.platforms import current_platform
from vllm.plugins import load_general_plugins
from vllm.utils.argparse_utils import FlexibleArgumentParser

from server.engine import preload
from server.engine.standby import why_not_fork

REFUSED = 2

WATCHDOG = 0.2
"""Seconds between two looks of the API server at its engine core. vLLM takes 5, and for as long it would answer that it is broken."""


def prepare(argv: list[str], architecture: str, *, standby: bool) -> Any:
    """Everything that a start needs and that does not depend on when it is: plugins, arguments, code. Returns the arguments.

    Nothing touches an accelerator. Exits with one sentence if vLLM does not accept the arguments.
    """
    load_general_plugins()
    arguments = parse(argv)
    _import_rest(architecture, standby=standby)
    _fork_workers()
    launcher.watchdog_loop = _watch
    launcher.create_server_unix_socket = _private_socket
    return arguments


def _import_rest(architecture: str, *, standby: bool) -> None:
    known = ModelRegistry.models.get(architecture)
    model = [known.module_name] if hasattr(known, "module_name") else []
    if current_platform.is_cpu():
        names = [*model, *preload.SERVING, *preload.WORKING, *preload.ON_CPU]
    elif standby:
        names = preload.harmless([*model, *preload.SERVING, *preload.WORKING], why_not_fork)
    else:
        return  # a GPU would be worth a look before each import, and here that costs more than it saves
    preload.import_all(names)
    if known is not None and set(model) <= set(names):
        # A class that is already here needs no other interpreter to be asked what it can do.
        ModelRegistry.register_model(architecture, known.load_model_cls())


def serve(arguments: Any) -> None:
    """Until a signal ends it."""
    uvloop.run(run_server(arguments))


def parse(argv: list[str]) -> Any:
    """The arguments as the pinned vLLM's own parser understands them. Exits with one sentence on those that it does not."""
    usage = io.StringIO()
    try:
        with contextlib.redirect_stderr(usage):
            arguments = make_arg_parser(FlexibleArgumentParser(exit_on_error=False)).parse_args(argv)
        validate_parsed_serve_args(arguments)
    except (Exception, SystemExit) as exc:  # noqa: BLE001  argparse exits, and vLLM's checks raise whatever they like: all mean "refused"
        said = usage.getvalue().rpartition("error: ")[2].strip() if isinstance(exc, SystemExit) else str(exc)
        sys.stderr.write(f"troupe-engine: vLLM does not accept its arguments ({said}): check TROUPE_ENGINE_EXTRA_ARGS.\n")
        sys.exit(REFUSED)
    return arguments


def _fork_workers() -> None:
    """Fork engine core and workers. The CPU platform asks for spawn while the configuration is checked; set it back after that."""
    os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "fork"
    create = EngineArgs.create_engine_config

    def create_then_fork(self: EngineArgs, *args: Any, **kwargs: Any) -> Any:
        config = create(self, *args, **kwargs)
        os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "fork"
        return config

    EngineArgs.create_engine_config = create_then_fork


def _private_socket(path: str) -> socket.socket:
    """In place of vLLM's own, whose socket anybody on the machine may open who gets into its folder."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    os.chmod(path, 0o600)  # before it listens
    return listener


async def _watch(server: Any, engine: Any) -> None:
    """In place of vLLM's own loop: end the server soon after its engine core or a worker has died."""
    while True:
        await asyncio.sleep(WATCHDOG)
        launcher.terminate_if_errored(server, engine)
