"""`python -m server.engine`: settings → vLLM, in this very process.

Everything cheap is checked first; then the process becomes `server.engine.serve`, with an environment that vLLM reads as it is
imported. A refusal is one line on standard error that starts with `troupe-engine:`, and exit code 2.
"""

import os
import sys

from pydantic import ValidationError

from adapters.registry import BaseError, StoreError, read_base
from adapters.registry.blobs import open_files
from server.engine.argv import ArgumentError, engine_argv, engine_environment, socket_fits
from server.engine.cache import make_folder
from server.engine.machine import find_machine
from server.engine.settings import EngineSettings

REFUSED = 2


def main() -> None:
    try:
        settings = EngineSettings()
        if settings.socket and not socket_fits(settings.socket):
            raise ArgumentError(f"The path {settings.socket} is too long for a socket: set TROUPE_ENGINE_SOCKET to a shorter one.")
        open_files(settings.store)  # only looks whether it is a store's address
        make_folder(settings.cache_folder)
        machine = find_machine()
        argv = engine_argv(settings, read_base(settings.base, settings.quantization), machine)
    except ValidationError as exc:
        first = exc.errors()[0]
        _refuse(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
    except (ArgumentError, BaseError, StoreError) as exc:
        _refuse(str(exc))
    environment = engine_environment(settings, machine, os.environ)
    os.makedirs(environment["VLLM_CACHE_ROOT"], mode=0o700, exist_ok=True)
    lifeline = ["--lifeline"] if settings.lifeline else []
    os.execve(sys.executable, [sys.executable, "-m", "server.engine.serve", *lifeline, *argv], environment)  # noqa: S606


def _refuse(sentence: str) -> None:
    sys.stderr.write(f"troupe-engine: {sentence}\n")
    sys.exit(REFUSED)


if __name__ == "__main__":
    main()
