"""What a standby host and its supervisor tell each other: one JSON object a line, commands in, events out.

Knows neither vLLM nor forking.
"""

import contextlib
import json
import os
import signal
from dataclasses import dataclass
from selectors import EVENT_READ, DefaultSelector
from typing import Any


@dataclass(frozen=True)
class Order:
    """Fork an engine. `log`: where it writes. `shm`: how its names in /dev/shm begin."""

    log: str
    shm: str


class Control:
    """Standard input and output, taken away from everybody else in this process: what others print goes to standard error."""

    def __init__(self) -> None:
        self._commands, self._events = os.dup(0), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        self._unread = b""
        self._woken, self._wake = os.pipe()
        for end in (self._woken, self._wake):
            os.set_blocking(end, False)

    def listen_for_children(self) -> None:
        """`wait` returns at the end of a child from now on."""
        signal.signal(signal.SIGCHLD, lambda signum, frame: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)

    def tell(self, event: str, **values: object) -> None:
        """A supervisor that is gone is told nothing; the next `wait` says so."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._events, json.dumps({"event": event, **values}).encode() + b"\n")

    def wait(self) -> list[Order] | None:
        """The orders that have come; empty when only a child has ended, None when the supervisor is gone."""
        with DefaultSelector() as selector:
            selector.register(self._commands, EVENT_READ)
            selector.register(self._woken, EVENT_READ)
            ready = {key.fd for key, _ in selector.select()}
        if self._woken in ready:
            os.read(self._woken, 4096)
        if self._commands not in ready:
            return []
        read = os.read(self._commands, 65536)
        if not read:
            return None
        *lines, self._unread = (self._unread + read).split(b"\n")
        return [order for order in map(_read_order, lines) if order]

    def leave(self) -> None:
        """In a child: let go of everything that is the host's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for end in (self._commands, self._events, self._woken, self._wake):
            os.close(end)


def _read_order(line: bytes) -> Order | None:
    try:
        said: Any = json.loads(line)
        return Order(log=str(said["log"]), shm=str(said["shm"])) if said["command"] == "fork" else None
    except (ValueError, KeyError, TypeError):
        return None
