"""A standby host without vLLM: forks fake engines on demand, in the words of the real one. For faults by the hundred.

    python -m loadtests.fake_standby --uds engine.sock --inter-token 0.01

Standard input: a JSON object a line, `{"command": "fork", "log": PATH, "shm": PREFIX}`; its end ends everything. Standard output: an event
a line, `ready`, `forked` with a pid, `exited` with a pid and a status (below zero: the signal), `refused` with a sentence.
"""

import argparse
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from loadtests.fake_behaviour import FakeSettings, StartFailure
from loadtests.fake_engine import add_options, behaviour
from loadtests.fake_process import CRASHED, REFUSED, Birth, die_with_parent, live
from loadtests.settings import FakeEngineSettings


class Host:
    """`birth`: of each engine; where only the first `failing` starts go wrong, later ones do not. One thread, and no event loop."""

    def __init__(self, settings: FakeSettings, birth: Birth, socket: Path, *, failing: int = 0) -> None:
        self._settings = settings
        self._birth = birth
        self._socket = socket
        self._failing = failing
        self._forks = 0
        self._living: set[int] = set()

    def run(self) -> None:
        """Until standard input ends."""
        ended, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        say(event="ready")
        rest = b""
        while True:
            readable, _, _ = select.select([0, ended], [], [])
            if ended in readable:
                os.read(ended, 4096)
                self._reap()
            if 0 in readable:
                heard = os.read(0, 65536)
                if not heard:
                    break
                *lines, rest = (rest + heard).split(b"\n")
                for line in filter(None, lines):
                    self._obey(json.loads(line))
        self._end()

    def _obey(self, command: dict[str, Any]) -> None:
        if command["command"] != "fork":
            raise ValueError(f"{command['command']!r} is no command")
        self._forks += 1
        birth = replace(self._birth, family=True, shm=command["shm"])
        if self._failing and self._forks > self._failing:
            birth = replace(birth, failure=StartFailure.NONE)
        parent = os.getpid()
        led, leads = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._be_engine(parent, Path(command["log"]), birth, close=(led, leads))
        os.close(leads)
        os.read(led, 1)  # its end tells that the engine leads a group of its own, which may be killed from now on
        os.close(led)
        self._living.add(pid)
        say(event="forked", pid=pid)

    def _be_engine(self, parent: int, log: Path, birth: Birth, *, close: Sequence[int]) -> None:
        try:
            os.setsid()
            die_with_parent(parent)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            nothing = os.open(os.devnull, os.O_RDONLY)
            for source, target in ((nothing, 0), (output, 1), (output, 2)):
                os.dup2(source, target)
            os.closerange(3, max(nothing, output, *close) + 1)
            live(self._settings, birth, socket=self._socket)
            os._exit(0)
        except BaseException:  # noqa: BLE001  whatever it is, it is for the log: never run on as a second host
            traceback.print_exc()
        finally:
            os._exit(CRASHED)

    def _reap(self) -> None:
        while self._living:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._living.discard(pid)
            say(event="exited", pid=pid, status=os.waitstatus_to_exitcode(status))

    def _end(self) -> None:
        for pid in self._living:
            os.killpg(pid, signal.SIGKILL)
        for pid in self._living:
            os.waitpid(pid, 0)


def say(**event: object) -> None:
    os.write(1, json.dumps(event).encode() + b"\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Wait for commands. Engines listen on TROUPE_ENGINE_SOCKET and want TROUPE_ENGINE_API_KEY, unless said otherwise."""
    environment = FakeEngineSettings()
    parser = argparse.ArgumentParser(prog="python -m loadtests.fake_standby", description=main.__doc__)
    parser.add_argument("--uds", type=Path, default=environment.socket, help="unix socket that engines listen on")
    parser.add_argument("--standby", action="store_true", help="what it always is; the real host has to be told")
    add_options(parser)
    parser.set_defaults(api_key=environment.api_key.get_secret_value())
    parser.add_argument("--failing", type=int, default=0, metavar="N", help="with --start-failure: only the first N starts; 0: all")
    parser.add_argument("--ready-delay", type=float, default=0.0, help="seconds before the host is ready")
    parser.add_argument("--refuse", default="", metavar="SENTENCE", help="say this in place of being ready")
    options = parser.parse_args(arguments)
    time.sleep(options.ready_delay)
    if options.refuse or options.uds is None:
        say(event="refused", sentence=options.refuse or "There is no socket to listen on: set TROUPE_ENGINE_SOCKET.")
        sys.exit(REFUSED)
    birth = Birth(options.start_delay, options.start_failure)
    Host(behaviour(options), birth, options.uds, failing=options.failing).run()


if __name__ == "__main__":
    main()
