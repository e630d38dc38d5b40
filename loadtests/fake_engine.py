"""A vLLM-shaped engine without a model, for fault tests and for what the gateway itself costs.

Speaks the routes that gateway and fleet use, with vLLM's fields in vLLM's order and vLLM's words for a model it does not have; a test
holds it against the pinned vLLM. Its "tokens" are words. What a user relies on is proved on the real engine, not here.

    async with FakeEngine(FakeSettings(inter_token=0.02), socket=path) as engine: ...
    python -m loadtests.fake_engine --uds engine.sock --ttft 0.05 --inter-token 0.02

As a process it may be as many as vLLM's engine is (`--processes`), take its time to start, or fail to: see `fake_process.py`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from loadtests.fake_behaviour import ADAPTER, FakeSettings, Fault, StartFailure, Voice
from loadtests.fake_process import Birth, live
from loadtests.fake_received import Received
from loadtests.fake_server import CHAT, TEXT, TOKENIZE, FakeEngine

__all__ = ["ADAPTER", "CHAT", "TEXT", "TOKENIZE", "FakeEngine", "FakeSettings", "Fault", "Received", "StartFailure", "Voice", "main"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """How an engine behaves, and how it comes to life."""
    parser.add_argument("--ttft", type=float, default=0.0, help="seconds before the first token")
    parser.add_argument("--inter-token", type=float, default=0.0, help="seconds between tokens")
    parser.add_argument("--tokens", type=int, default=8, help="length of an answer")
    parser.add_argument("--load", type=float, default=0.0, help="seconds to load an adapter")
    parser.add_argument("--fault", type=Fault, choices=list(Fault), default=Fault.NONE)
    parser.add_argument("--api-key", default="", help="what callers have to bring")
    parser.add_argument("--dev-mode", action="store_true", help="open the routes of sleep mode")
    parser.add_argument("--start-delay", type=float, default=0.0, help="seconds before it listens, or before its start fails")
    parser.add_argument("--start-failure", type=StartFailure, choices=list(StartFailure), default=StartFailure.NONE)


def behaviour(options: argparse.Namespace) -> FakeSettings:
    return FakeSettings(
        ttft=options.ttft,
        inter_token=options.inter_token,
        tokens=options.tokens,
        load=options.load,
        fault=options.fault,
        api_key=options.api_key,
        dev_mode=options.dev_mode,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until stopped. Prints the address once it listens."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.fake_engine", description=main.__doc__)
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--uds", type=Path, help="unix socket to listen on")
    place.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0 takes a free one")
    add_options(parser)
    parser.add_argument("--processes", action="store_true", help="with an engine core and a worker as processes of their own")
    parser.add_argument("--shm", default="", help="with --processes: begin of the name of a block of shared memory to hold")
    parser.add_argument("--lifeline", action="store_true", help="end the whole process group when standard input ends")
    options = parser.parse_args(arguments)
    birth = Birth(options.start_delay, options.start_failure, family=options.processes, shm=options.shm, lifeline=options.lifeline)
    live(behaviour(options), birth, socket=options.uds, port=options.port)


if __name__ == "__main__":
    main()
