"""A local engine, run directly and forked from a standby host: whatever happens to whom, nothing of it stays."""

import asyncio
import contextlib
import os
import signal
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from server.fleet.engine import Cause, EngineDown
from server.fleet.leftovers import members, scratch_name, shm_prefix, unlink_shared_memory
from server.fleet.local import LocalEngine, Timing

FAST = Timing(start=60, poll=0.02, stop=1.0, backoff=(0.05, 0.1))
BOTH = pytest.mark.parametrize("standby", [False, True], ids=["command", "standby"])


def make_engine(folder: Path, *arguments: str, standby: bool = False, timing: Timing = FAST) -> LocalEngine:
    socket = folder / "e.sock"
    host = ["--standby"] if standby else []
    command = [sys.executable, "-m", "tests.server.fleet.small_engine", str(socket), *host, *arguments]
    environment = {**os.environ, "TMPDIR": str(folder)}
    return LocalEngine(command, socket=socket, log=folder / "engine.log", environment=environment, timing=timing, standby=standby)


@asynccontextmanager
async def opened(engine: LocalEngine) -> AsyncIterator[LocalEngine]:
    await engine.open()
    try:
        yield engine
    finally:
        await engine.close()


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def shared_memory(folder: Path) -> list[str]:
    return [path.name for path in Path("/dev/shm").glob(f"{shm_prefix(folder / 'e.sock')}*")]


def worker(folder: Path) -> int:
    """The process that a small engine has forked."""
    return int((folder / "engine.log").read_text().split()[1])


def scratch(folder: Path) -> Path:
    return folder / scratch_name(folder / "e.sock")


def nothing_left(folder: Path) -> bool:
    return not shared_memory(folder) and not (folder / "e.sock").exists() and not list(scratch(folder).iterdir())


@BOTH
async def test_an_engine_is_ended_whole(tmp_path: Path, standby: bool) -> None:
    """After stop neither a process, a socket, a temporary file nor a block of shared memory is left, however they treat SIGTERM; and
    it can be started again."""
    async with opened(make_engine(tmp_path, "--ignore-term", standby=standby)) as engine:
        for _ in range(2):
            await engine.start()
            group = engine.process_id or 0
            assert len(members(group)) >= 2
            assert shared_memory(tmp_path)
            assert (scratch(tmp_path) / "of-the-engine").exists()
            await engine.stop()
            assert engine.process_id is None
            assert not members(group)
            assert nothing_left(tmp_path)
    assert not scratch(tmp_path).exists()


@BOTH
async def test_stop_is_safe_at_any_time(tmp_path: Path, standby: bool) -> None:
    """Before a start, twice, by force; and closing ends what is still up."""
    engine = make_engine(tmp_path, standby=standby)
    await engine.stop()
    await engine.open()
    await engine.start()
    await engine.stop(force=True)
    await engine.stop()
    await engine.start()
    group, host = engine.process_id or 0, engine.host_process_id
    await engine.close()
    assert not members(group)
    assert host is None or not alive(host)
    await engine.close()


@pytest.mark.parametrize(("standby", "victim"), [(False, "leader"), (True, "leader"), (True, "host")])
async def test_a_killed_engine_is_told_and_cleared_away(tmp_path: Path, standby: bool, victim: str) -> None:
    """`wait` returns with the reason, nothing is left by then, and another start works."""
    async with opened(make_engine(tmp_path, standby=standby)) as engine:
        await engine.start()
        group = engine.process_id or 0
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(engine.wait(), 0.05)  # may be cancelled and called again
        waiting = asyncio.create_task(engine.wait())
        os.kill((engine.host_process_id if victim == "host" else group) or 0, signal.SIGKILL)
        failure = await asyncio.wait_for(waiting, 60)
        assert failure.cause is Cause.KILLED
        assert "SIGKILL" in failure.sentence
        assert not members(group)
        assert nothing_left(tmp_path)
        await engine.start()
        assert engine.process_id != group


@BOTH
async def test_a_refusal_is_told_in_the_engine_s_own_words(tmp_path: Path, standby: bool) -> None:
    """Exit code 2 means that the settings are wrong; the sentence after `troupe-engine:` is the failure."""
    async with opened(make_engine(tmp_path, "--refuse", "No such base.", standby=standby)) as engine:
        with pytest.raises(EngineDown) as caught:
            await engine.start()
        assert caught.value.failure.cause is Cause.SETTINGS
        assert caught.value.failure.sentence == "No such base."
        assert engine.process_id is None


async def test_a_host_that_must_not_fork_says_so(tmp_path: Path) -> None:
    """Its sentence is the failure, each time an engine is wanted."""
    async with opened(make_engine(tmp_path, "--untouchable", "It has touched the GPU.", standby=True)) as engine:
        for _ in range(2):
            with pytest.raises(EngineDown) as caught:
                await engine.start()
            assert caught.value.failure.cause is Cause.SETTINGS
            assert caught.value.failure.sentence == "It has touched the GPU."


async def test_a_host_that_dies_while_nobody_needs_it_comes_back(tmp_path: Path) -> None:
    """By itself, after a pause; the next start finds it ready or waits for it."""
    async with opened(make_engine(tmp_path, standby=True)) as engine:
        await until(lambda: engine.host_process_id is not None)
        first = engine.host_process_id or 0
        os.kill(first, signal.SIGKILL)
        await until(lambda: engine.host_process_id not in (None, first))
        await engine.start()
        assert engine.process_id is not None


async def test_a_host_that_dies_before_it_is_ready_fails_the_start_that_waits_for_it(tmp_path: Path) -> None:
    """And not the next one."""
    async with opened(make_engine(tmp_path, "--host-dies", str(tmp_path / "died"), standby=True)) as engine:
        with pytest.raises(EngineDown) as caught:
            await engine.start()
        assert caught.value.failure.cause is Cause.CRASHED
        await engine.start()


@BOTH
async def test_an_engine_that_dies_while_it_starts_fails_the_start(tmp_path: Path, standby: bool) -> None:
    """With nothing left of it."""
    async with opened(make_engine(tmp_path, "--die-early", standby=standby)) as engine:
        with pytest.raises(EngineDown) as caught:
            await engine.start()
        assert caught.value.failure.cause is Cause.KILLED
        assert nothing_left(tmp_path)
        assert not alive(worker(tmp_path))


@pytest.mark.parametrize("standby", [False, True])
async def test_a_command_that_is_not_there_fails_in_a_sentence(tmp_path: Path, standby: bool) -> None:
    """No traceback, and stop still works."""
    engine = LocalEngine([str(tmp_path / "nothing")], socket=tmp_path / "s", log=tmp_path / "log", timing=FAST, standby=standby)
    async with opened(engine):
        with pytest.raises(EngineDown) as caught:
            await engine.start()
        assert "could not be started" in caught.value.failure.sentence
        await engine.stop()


@BOTH
async def test_an_engine_that_never_answers_is_given_up(tmp_path: Path, standby: bool) -> None:
    """After the time that a start may take, with nothing left of it."""
    async with opened(make_engine(tmp_path, "--silent", standby=standby, timing=Timing(start=3.0, stop=0.2, backoff=(0.05,)))) as engine:
        with pytest.raises(EngineDown) as caught:
            await engine.start()
        assert caught.value.failure.cause is Cause.TOO_SLOW
        assert str(tmp_path) in caught.value.failure.sentence
        assert nothing_left(tmp_path)


@BOTH
async def test_a_start_that_is_cancelled_leaves_nothing(tmp_path: Path, standby: bool) -> None:
    """At whatever moment; and the next one works."""
    async with opened(make_engine(tmp_path, "--silent", standby=standby)) as engine:
        starting = asyncio.create_task(engine.start())
        await until(lambda: bool(shared_memory(tmp_path)) and len((tmp_path / "engine.log").read_text().split()) == 4)
        group, child = engine.process_id or 0, worker(tmp_path)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert not members(group)
        assert not alive(child)
        assert nothing_left(tmp_path)


async def test_a_host_that_hangs_does_not_hold_up_a_stop(tmp_path: Path) -> None:
    """Its engine is ended all the same."""
    async with opened(make_engine(tmp_path, standby=True)) as engine:
        await engine.start()
        group, host = engine.process_id or 0, engine.host_process_id or 0
        os.kill(host, signal.SIGSTOP)
        try:
            await asyncio.wait_for(engine.stop(), 30)
            assert not members(group)
        finally:
            os.kill(host, signal.SIGCONT)


@BOTH
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_no_engine_outlives_its_supervisor(tmp_path: Path, standby: bool, how: signal.Signals) -> None:
    """Standard input ends with us: a command watches that, a host too, and an engine dies with its host."""
    supervisor = textwrap.dedent(f"""
        import asyncio
        from pathlib import Path
        from tests.server.fleet.test_local import make_engine
        async def main():
            engine = make_engine(Path({str(tmp_path)!r}), standby={standby})
            await engine.start()
            print(engine.process_id, engine.host_process_id or 0, flush=True)
            await asyncio.sleep(600)
        asyncio.run(main())
    """)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", supervisor, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    group, host = map(int, (await process.stdout.readline()).split())
    assert len(members(group)) >= 2
    process.send_signal(how)
    await process.wait()
    await until(lambda: not members(group) and not (host and alive(host)))
    unlink_shared_memory(shm_prefix(tmp_path / "e.sock"))  # which a supervisor that was killed leaves to the next run
