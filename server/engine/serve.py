"""vLLM's own API server, imported once.

vLLM starts an engine core and its workers as further processes, and asks yet another one what the base's architecture can do. Spawned,
each imports everything again (20 s on two cores); forked from here, none does. Nothing of CUDA is initialised in this process before
the forks; vLLM itself goes back to spawning if it is.

To be imported when the environment is what vLLM shall read, see `plan.py`.
"""

import contextlib
import io
import os
import sys
from typing import Any

import uvloop
import vllm.v1.engine.async_llm
import vllm.v1.engine.core
import vllm.v1.executor.multiproc_executor  # noqa: F401
from vllm.engine.arg_utils import EngineArgs
from vllm.entrypoints.launchers.api_server.entry import run_server
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.model_executor.models import ModelRegistry
from vllm.plugins import load_general_plugins
from vllm.utils.argparse_utils import FlexibleArgumentParser

REFUSED = 2


def prepare(argv: list[str], architecture: str) -> Any:
    """Everything that a start needs and that does not depend on when it is: plugins, arguments, the base's code. Returns the arguments.

    Exits with one sentence if vLLM does not accept them.
    """
    load_general_plugins()
    arguments = parse(argv)
    known = ModelRegistry.models.get(architecture)
    if known is not None:
        # A class that is already here needs no other interpreter to be asked what it can do.
        ModelRegistry.register_model(architecture, known.load_model_cls())
    _fork_workers()
    return arguments


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
