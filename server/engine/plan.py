"""Settings → what vLLM is told: everything that can be checked without importing it."""

import json
import os
from dataclasses import dataclass

from pydantic import ValidationError

from adapters.registry import Base, BaseError, StoreError, read_base
from adapters.registry.blobs import open_files
from server.engine.argv import ArgumentError, engine_argv, engine_environment, socket_fits
from server.engine.cache import make_folder
from server.engine.machine import find_machine
from server.engine.settings import EngineSettings

KEY = "VLLM_API_KEY"


class Refused(Exception):
    """This engine cannot be started like this, however often one tries. One sentence."""


@dataclass(frozen=True)
class Plan:
    """`environment` is complete; vLLM reads most of it while it is imported."""

    settings: EngineSettings
    base: Base
    argv: list[str]
    environment: dict[str, str]

    def to_json(self, inherited: dict[str, str]) -> str:
        """The arguments, and what differs from the `inherited` environment; without the key."""
        told = {name: value for name, value in self.environment.items() if inherited.get(name) != value and name != KEY}
        return json.dumps({"argv": self.argv, "environment": told})


def make_plan() -> Plan:
    """From the environment. Makes the folders that vLLM will write to. Raises Refused."""
    try:
        settings = EngineSettings()
        if settings.socket and not socket_fits(settings.socket):
            raise ArgumentError(f"The path {settings.socket} is too long for a socket: set TROUPE_ENGINE_SOCKET to a shorter one.")
        open_files(settings.store)  # only looks whether it is a store's address
        make_folder(settings.cache_folder)
        machine = find_machine()
        base = read_base(settings.base, settings.quantization)
        argv = engine_argv(settings, base, machine)
    except ValidationError as exc:
        first = exc.errors()[0]
        raise Refused(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from exc
    except (ArgumentError, BaseError, StoreError) as exc:
        raise Refused(str(exc)) from exc
    environment = engine_environment(settings, machine, os.environ)
    try:
        os.makedirs(environment["VLLM_CACHE_ROOT"], mode=0o700, exist_ok=True)
    except OSError as exc:
        raise Refused(f"The folder {exc.filename} cannot be made ({exc.strerror}): set TROUPE_ENGINE_COMPILE_CACHE.") from exc
    return Plan(settings, base, argv, environment)
