"""How long an engine takes from its start to a first token: plain vLLM, our cold mode, and forked from our standby host.

All three get the same arguments, environment, base and adapter, and the same questions on the same unix socket, without the gateway.
Each round starts each of them once, in rotated order; figures are compared within a round.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from loadtests.benchmarks.memory import NOTHING, Memory, memory_below
from loadtests.benchmarks.phases import milestones, phases, read_points
from loadtests.benchmarks.process import TROUPE, Process
from loadtests.benchmarks.rounds import rotated
from loadtests.benchmarks.standby import Standby

PLAIN, COLD, STANDBY = "plain vLLM", "cold", "standby"
MODES = (PLAIN, COLD, STANDBY)
COMMUNITY = "bench"
POLL_S = 0.01
PATIENCE_S = 300.0


class NoToken(Exception):
    """An engine that is up and does not answer as it should."""


@dataclass(frozen=True)
class Programs:
    """What to start, as arguments of Python; and what to ask. All of them listen on `socket`."""

    plain: tuple[str, ...]
    cold: tuple[str, ...]
    standby: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    """Complete."""
    socket: Path
    model: str
    points: Path | None = None
    """The file to which they tell their phases."""


@dataclass(frozen=True)
class Start:
    """Seconds from the start: of each milestone, or only of the last two where nobody tells phases. `host` is of a standby host alone."""

    reached: Mapping[str, float]
    phases: Mapping[str, float]
    host_start_s: float = 0.0
    asleep: Memory = NOTHING

    @property
    def first_token_s(self) -> float:
        return self.reached["token"]


def programs(base: Path, adapter: Path, folder: Path, *, tell_phases: bool = True) -> Programs:
    """Of real engines that serve `base`, and `adapter` published in a home of their own below `folder`.

    Raises subprocess.CalledProcessError.
    """
    home, points, logging = folder / "home", folder / "points", folder / "logging.json"
    told = {"TROUPE_HOME": str(home), "TROUPE_BASE": str(base), "TROUPE_ENGINE_SOCKET": str(folder / "engine.sock")}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TROUPE_", "VLLM_"))} | told
    if tell_phases:
        logging.write_text(json.dumps(logging_that_tells(points)))
        environment["VLLM_LOGGING_CONFIG_PATH"] = str(logging)
    engine = ("-m", "server.engine")
    dry = json.loads(_output(*engine, "--dry-run", environment=environment))
    return Programs(
        plain=("-m", "vllm.entrypoints.openai.api_server", *dry["argv"]),
        cold=engine,
        standby=(*engine, "--standby"),
        environment=environment | dry["environment"],
        socket=folder / "engine.sock",
        model=publish(base, adapter, home),
        points=points if tell_phases else None,
    )


def logging_that_tells(points: Path) -> dict[str, object]:
    """A logging configuration for vLLM: its usual one, near enough, with what tells phases in it."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"phases": {"()": "server.engine.phases.Phases", "path": str(points)}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "filters": ["phases"]}},
        "loggers": {"vllm": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
    }


def publish(base: Path, adapter: Path, home: Path) -> str:
    """Put `adapter` into the store of `home`; returns what engines call it."""
    command = (TROUPE, "publish", str(adapter), "--base", str(base), "--home", str(home), "--community", COMMUNITY, "--json")
    digest = json.loads(_output(*command, environment=os.environ))["digest"]
    return f"{COMMUNITY}-{digest.removeprefix('sha256:')[:16]}"


def rounds(given: Programs, folder: Path, count: int, say: Callable[[str], None]) -> Generator[dict[str, Start]]:
    """`count` rounds that count, after one that only fills the page cache and vLLM's own caches. Raises NotStarted, NoToken, OSError."""
    for turn in range(count + 1):
        found = {}
        for mode in rotated(MODES, turn):
            found[mode] = one_start(given, mode, folder)
            say(f"{f'round {turn} of {count}' if turn else 'warm-up'}: {mode}: first token after {found[mode].first_token_s:.2f} s")
        if turn:
            yield found


def one_start(given: Programs, mode: str, folder: Path) -> Start:
    """Start an engine, ask once, end it."""
    given.socket.unlink(missing_ok=True)
    if given.points is not None:
        given.points.unlink(missing_ok=True)
    if mode == STANDBY:
        with Standby(given.standby, log=folder / "host.log", environment=given.environment) as host:
            start = time.monotonic()
            with host.engine(folder / "engine.log"):
                http_at, token_at = ask(given, host.must_live)
            asleep = memory_below(host.pid)
            return _start(given, start, http_at, token_at, host.start_s, asleep)
    arguments = given.plain if mode == PLAIN else given.cold
    start = time.monotonic()
    with Process(arguments, log=folder / "engine.log", environment=given.environment) as process:
        http_at, token_at = ask(given, process.must_live)
        process.stop(seconds=20.0)
    return _start(given, start, http_at, token_at)


def _start(given: Programs, start: float, http_at: float, token_at: float, host_start_s: float = 0.0, asleep: Memory = NOTHING) -> Start:
    told = read_points(given.points.read_text()) if given.points is not None and given.points.exists() else []
    reached = milestones(told, start=start, http=http_at, token=token_at)
    return Start(reached, phases(reached), host_start_s, asleep)


def ask(given: Programs, must_live: Callable[[], None]) -> tuple[float, float]:
    """When the engine was healthy, and when the first text of a streamed answer came. `time.monotonic()`."""
    deadline = time.monotonic() + PATIENCE_S
    while not _healthy(given.socket):
        must_live()
        if time.monotonic() > deadline:
            raise NoToken(f"the engine was not up after {PATIENCE_S:.0f} s")
        time.sleep(POLL_S)
    http_at = time.monotonic()
    body = {"model": given.model, "messages": [{"role": "user", "content": "who wins tonight?"}], "max_tokens": 8, "stream": True}
    with _connection(given.socket) as connection:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        for line in answer:
            if line.startswith(b"data: {") and any(choice["delta"].get("content") for choice in json.loads(line[6:]).get("choices", ())):
                return http_at, time.monotonic()
        raise NoToken(f"no token came (status {answer.status})")


def _healthy(path: Path) -> bool:
    try:
        with _connection(path) as connection:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


@contextmanager
def _connection(path: Path) -> Iterator[http.client.HTTPConnection]:
    """To a unix socket. Closed in any case: a server that ends waits for the callers that it still has."""
    connection = http.client.HTTPConnection("engine", timeout=60.0)
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.settimeout(60.0)
        connection.sock.connect(str(path))
        yield connection
    finally:
        connection.close()


def _output(*arguments: str, environment: Mapping[str, str]) -> str:
    return subprocess.run([sys.executable, *arguments], env=dict(environment), check=True, stdout=subprocess.PIPE, text=True).stdout
