"""The fake engine as processes, under a host and alone: it dies as the real one does."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from loadtests.fake_engine import TEXT, StartFailure
from loadtests.fake_process import SHARED_MEMORY

PATIENCE = 60.0
STREAM = {"model": "base", "prompt": "a", "stream": True, "max_tokens": 10_000}


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def stat(pid: int) -> list[str]:
    """State, parent, group; a process that is gone is a zombie without parents."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["Z", "0", "0"]


def gone(pids: list[int]) -> bool:
    return all(stat(pid)[0] == "Z" for pid in pids)


def comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def below(pid: int) -> list[int]:
    """Everything that `pid` started, its child first."""
    children = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit() and stat(int(each.name))[1] == str(pid)]
    return [found for child in children for found in (child, *below(child))]


class Host:
    """A host under test, with what it said."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.socket, self.log = folder / "s", folder / "log"
        self.shm = f"troupe-test-{uuid4().hex[:8]}-"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "loadtests.fake_standby", "--uds", str(self.socket), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def event(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return dict(json.loads(self.process.stdout.readline()))

    def fork(self) -> int:
        assert self.process.stdin is not None
        self.socket.unlink(missing_ok=True)
        self.process.stdin.write(json.dumps({"command": "fork", "log": str(self.log), "shm": self.shm}).encode() + b"\n")
        self.process.stdin.flush()
        event = self.event()
        assert event["event"] == "forked"
        return int(event["pid"])

    def listening(self) -> None:
        until(lambda: self.log.exists() and str(self.socket) in self.log.read_text(), "it does not listen")

    def blocks(self) -> list[Path]:
        return list(SHARED_MEMORY.glob(f"{self.shm}*"))

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.stdout.close()
            for block in self.blocks():
                block.unlink()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Host]]:
    hosts = []

    def start_one(*options: str) -> Host:
        hosts.append(Host(tmp_path, *options))
        return hosts[-1]

    yield start_one
    for host in hosts:
        host.close()


def test_an_engine_is_forked_with_all_its_processes(start: Callable[..., Host]) -> None:
    """A leader of its own session, a core below it, a worker below that; SIGTERM ends all, calmly, and nothing is left."""
    host = start()
    assert host.event() == {"event": "ready"}
    pid = host.fork()
    host.listening()
    core, worker = below(pid)
    assert os.getsid(pid) == os.getpgid(core) == os.getpgid(worker) == pid
    assert (comm(core), comm(worker)) == ("VLLM::EngineCor", "VLLM::Worker")
    assert len(host.blocks()) == 1
    os.kill(pid, signal.SIGTERM)
    assert host.event() == {"event": "exited", "pid": pid, "status": 0}
    assert gone([core, worker])
    assert host.blocks() == []
    host.fork()
    host.listening()


@pytest.mark.parametrize("victim", [0, 1, 2], ids=["api server", "engine core", "worker"])
async def test_whoever_is_killed_takes_the_engine_with_it(start: Callable[..., Host], victim: int) -> None:
    """A stream is cut in the middle, the host says how it ended, and the shared memory stays, as with the real one."""
    host = start("--inter-token", "0.002", "--tokens", "10000")
    host.event()
    pid = host.fork()
    host.listening()
    family = [pid, *below(pid)]
    async with (
        aiohttp.ClientSession("http://engine", connector=aiohttp.UnixConnector(str(host.socket))) as session,
        session.post(TEXT, json=STREAM) as stream,
    ):
        await stream.content.readline()
        os.kill(family[victim], signal.SIGKILL)
        with pytest.raises(aiohttp.ClientError):
            await stream.read()
    exited = host.event()
    assert exited == {"event": "exited", "pid": pid, "status": -signal.SIGKILL if victim == 0 else 1}
    until(lambda: gone(family), "somebody survived")
    assert len(host.blocks()) == 1


@pytest.mark.parametrize("stopped", [1, 2], ids=["engine core", "worker"])
async def test_whoever_stands_still_stops_every_answer(start: Callable[..., Host], stopped: int) -> None:
    """Health is answered all the same; tokens come again when it goes on."""
    host = start("--inter-token", "0.002", "--tokens", "10000")
    host.event()
    pid = host.fork()
    host.listening()
    still = [pid, *below(pid)][stopped]
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    connector = aiohttp.UnixConnector(str(host.socket))
    async with aiohttp.ClientSession("http://engine", connector=connector, timeout=timeout) as session:
        os.kill(still, signal.SIGSTOP)
        until(lambda: stat(still)[0] == "T", "it does not stop")
        async with session.get("/health") as health:
            assert health.status == 200
        async with session.post(TEXT, json=STREAM) as stream:
            with pytest.raises(TimeoutError):
                await session.post(TEXT, json={"model": "base", "prompt": "a"}, timeout=aiohttp.ClientTimeout(total=0.2))
            os.kill(still, signal.SIGCONT)
            assert (await stream.content.readline()).startswith(b"data: {")


@pytest.mark.parametrize("how", ["pipe", "kill"])
def test_no_engine_outlives_its_host(start: Callable[..., Host], how: str) -> None:
    """Neither its pipe's end nor its death."""
    host = start()
    host.event()
    pid = host.fork()
    host.listening()
    family = [pid, *below(pid)]
    assert len(family) == 3
    if how == "pipe":
        host.close()
        assert host.process.returncode == 0
    else:
        host.process.kill()
    until(lambda: gone(family), "somebody survived")


@pytest.mark.parametrize(
    ("failure", "status"),
    [(StartFailure.SETTINGS, 2), (StartFailure.OUT_OF_MEMORY, 1), (StartFailure.BAD_WEIGHTS, 1), (StartFailure.KILLED, -9)],
)
def test_a_start_may_fail_as_often_as_it_is_told_to(start: Callable[..., Host], failure: StartFailure, status: int) -> None:
    """With a last word in the log, where one dies with a word; the next start is well, and nobody is left of the first."""
    host = start("--start-failure", failure, "--failing", "1")
    host.event()
    pid = host.fork()
    assert host.event() == {"event": "exited", "pid": pid, "status": status}
    assert bool(host.log.read_text()) == (failure is not StartFailure.KILLED)
    assert not host.socket.exists()
    host.fork()
    host.listening()


def test_a_host_may_refuse(start: Callable[..., Host]) -> None:
    """With its sentence, and exit code 2."""
    host = start("--refuse", "There is no base here.")
    assert host.event() == {"event": "refused", "sentence": "There is no base here."}
    assert host.process.wait(PATIENCE) == 2


def test_an_engine_that_is_started_alone_ends_with_its_lifeline(tmp_path: Path) -> None:
    """As the real one does in cold mode: core and worker with it."""
    command = [sys.executable, "-m", "loadtests.fake_engine", "--uds", str(tmp_path / "s"), "--processes", "--lifeline"]
    engine = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    assert engine.stdin is not None
    assert engine.stdout is not None
    try:
        assert engine.stdout.readline().decode().strip() == str(tmp_path / "s")
        family = below(engine.pid)
        assert len(family) == 2
        engine.stdin.close()
        assert engine.wait(PATIENCE) == -signal.SIGKILL
        until(lambda: gone(family), "somebody survived")
    finally:
        engine.kill()
        engine.wait()
        engine.stdout.close()
