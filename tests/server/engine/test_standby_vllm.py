"""The standby host with the real vLLM: quick wakes, and nothing that stays or grows, however an engine ends."""

import asyncio
import os
import random
import signal
import stat
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from adapters.demo.pretraining.tokenizer import train_tokenizer
from server.engine.settings import EngineSettings
from server.fleet.engine import Cause, EngineDown, Failure
from server.fleet.health import session_for
from server.fleet.leftovers import members
from server.fleet.local import LocalEngine
from tests.server.engine.whole import all_gone, count, devices, parts, threads

pytestmark = pytest.mark.engine
VICTIMS = ("server", "core", "worker", "host")
UNUSED = (
    "/invocations", "/ping", "/detokenize", "/pause", "/resume", "/is_paused", "/load", "/version", "/server_info", "/docs",
    "/v1/responses", "/v1/messages", "/v1/embeddings", "/v1/load_lora_adapter", "/v1/unload_lora_adapter", "/v1/chat/completions/batch",
    "/v1/chat/completions/render", "/inference/v1/generate", "/score", "/rerank", "/pooling", "/classify", "/sleep", "/wake_up",
    "/openapi.json", "/is_sleeping", "/collective_rpc", "/reset_prefix_cache", "/update_weights", "/abort_requests", "/",
    "/v1/completions/", "//metrics",
)  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base of two small layers that nobody has trained."""
    out = tmp_path_factory.mktemp("base")
    torch.manual_seed(1)
    tokenizer = train_tokenizer(["who wins tonight? nobody does, as ever."] * 3, 320, 256)
    config = Qwen3Config(
        vocab_size=320, hidden_size=64, num_hidden_layers=2, intermediate_size=128, num_attention_heads=2, num_key_value_heads=1,
        head_dim=32, max_position_embeddings=256, tie_word_embeddings=True, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    Qwen3ForCausalLM(config).to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out


@pytest.fixture
def run() -> Iterator[Path]:
    """A folder with a short path: there are sockets in it."""
    with tempfile.TemporaryDirectory(prefix="troupe-") as folder:
        yield Path(folder)


@asynccontextmanager
async def standby(base: Path, run: Path, home: Path) -> AsyncIterator[LocalEngine]:
    settings = EngineSettings(base=base, home=home, socket=run / "e.sock", max_loras=1, max_cpu_loras=2, kv_gib=0.25)
    command = [sys.executable, "-m", "server.engine", "--standby"]
    environment = {**settings.environment(), "TMPDIR": str(run)}
    engine = LocalEngine(command, socket=run / "e.sock", log=home / "engine.log", environment=environment, standby=True)
    await engine.open()
    try:
        yield engine
    finally:
        await engine.close()


async def first_token(engine: LocalEngine) -> None:
    async with session_for(engine.endpoint, timeout=120) as session:
        body = {"model": "base", "prompt": "who", "max_tokens": 1}
        async with session.post("http://engine/v1/completions", json=body) as answer:
            assert answer.status == 200, await answer.text()


async def test_cycles_leave_nothing(
    base: Path, run: Path, tmp_path: Path, soak: bool, record_property: Callable[[str, object], None]
) -> None:
    """Wake, answer, sleep, again and again: no process, socket, block of shared memory, descriptor or memory more than before; the host
    has one thread and no accelerator open; nobody asks another interpreter what the architecture can do."""
    wakes = []
    async with standby(base, run, tmp_path) as engine:
        for _ in range(2):  # until what is made once is made
            await engine.start()
            await first_token(engine)
            await engine.stop()
        host = engine.host_process_id or 0
        before = count(run, host)
        for _ in range(50 if soak else 3):
            start = time.monotonic()
            await engine.start()
            await first_token(engine)
            wakes.append(time.monotonic() - start)
            await engine.stop()
            assert threads(host) == 1
            assert devices(host) == []
        after = count(run, host)
        assert engine.host_process_id == host
    record_property("wake to first token, s", f"{statistics.median(wakes):.2f} ({min(wakes):.2f}–{max(wakes):.2f}, {len(wakes)} cycles)")
    record_property("before and after", f"{before} {after}")
    assert before.processes == 1
    assert (after.processes, after.sockets, after.memory_blocks) == (1, 0, 0)
    assert after.descriptors <= before.descriptors
    assert after.host_mib < before.host_mib + 16
    assert after.own_mib < before.own_mib + 16
    assert all_gone(run)
    assert not (tmp_path / "cache" / "vllm" / "modelinfos").exists()


async def test_only_what_is_used_can_be_reached(base: Path, run: Path, tmp_path: Path) -> None:
    """By nobody but this user, through a socket that is his; all other routes that vLLM has are not there."""
    async with standby(base, run, tmp_path) as engine:
        await engine.start()
        await first_token(engine)
        assert stat.S_IMODE((run / "e.sock").stat().st_mode) == 0o600
        async with session_for(engine.endpoint, timeout=20) as session:
            for path in UNUSED:
                for method in ("GET", "POST"):
                    async with session.request(method, f"http://engine{path}", json={"model": "base", "prompt": "who"}) as answer:
                        assert (answer.status, await answer.json()) == (404, {"detail": "Not Found"}), (method, path)
            for path in ("/health", "/metrics", "/v1/models"):
                async with session.get(f"http://engine{path}") as answer:
                    assert answer.status == 200


async def test_whoever_is_killed_nothing_stays(base: Path, run: Path, tmp_path: Path) -> None:
    """Each process of an engine, and its host, killed at work: `wait` tells, and nothing of the engine is left."""
    async with standby(base, run, tmp_path) as engine:
        for victim in VICTIMS:
            await engine.start()
            server, core, worker = parts(engine.process_id or 0)
            host = engine.host_process_id or 0
            os.kill({"server": server, "core": core, "worker": worker, "host": host}[victim], signal.SIGKILL)
            failure = await asyncio.wait_for(engine.wait(), 60)
            assert failure.cause in (Cause.KILLED, Cause.CRASHED)
            assert not members(server)
            assert count(run, os.getpid()).memory_blocks == 0
    assert all_gone(run)


async def test_whoever_is_killed_while_it_wakes_nothing_stays(base: Path, run: Path, tmp_path: Path) -> None:
    """At a random moment of the start: it fails with a reason, or it was ready before; the next one works."""
    rng = random.Random(5)
    async with standby(base, run, tmp_path) as engine:
        await engine.start()
        await engine.stop()
        for victim in VICTIMS:
            starting = asyncio.create_task(engine.start())
            group = await _killed(engine, victim, rng.uniform(0.0, 0.5))
            failure = await _failure_of(engine, starting, victim)
            assert failure.cause in (Cause.KILLED, Cause.CRASHED), failure
            assert not members(group)
            assert count(run, os.getpid()).memory_blocks == 0
        await engine.start()
        await first_token(engine)
    assert all_gone(run)


async def _failure_of(engine: LocalEngine, starting: "asyncio.Task[None]", victim: str) -> Failure:
    """Of the start, or of the engine that was ready just before it was killed."""
    try:
        await starting
    except EngineDown as down:
        return down.failure
    ending = asyncio.create_task(engine.wait())
    if victim in ("core", "worker") and not (await asyncio.wait({ending}, timeout=10))[0]:
        # What was killed in its place was a tool that vLLM ran for a moment: then all of the engine is still there.
        os.kill(parts(engine.process_id or 0)[VICTIMS.index(victim)], signal.SIGKILL)
    return await asyncio.wait_for(ending, 60)


async def _until_there(find: Callable[[], int | None]) -> int:
    deadline = time.monotonic() + 120
    while (found := find()) is None:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)
    return found


async def _killed(engine: LocalEngine, victim: str, after: float) -> int:
    """Kill `victim` so many seconds after the fork, or as soon as it is there; returns the engine's group."""
    group = await _until_there(lambda: engine.process_id)

    def find() -> int | None:
        try:
            return engine.host_process_id if victim == "host" else parts(group)[VICTIMS.index(victim)]
        except (StopIteration, OSError):
            return None

    await asyncio.sleep(after)
    while True:
        pid = group if victim == "server" else await _until_there(find)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # a tool that vLLM ran for a moment
            await asyncio.sleep(0.005)
        else:
            return group


async def test_streams_end_within_a_second_of_a_death(
    base: Path, run: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Of the engine core or a worker: whoever reads a stream is told, and the engine follows by itself."""
    async with standby(base, run, tmp_path) as engine:
        for victim in ("core", "worker"):
            await engine.start()
            _, core, worker = parts(engine.process_id or 0)
            ended = await _stream_until_death(engine, core if victim == "core" else worker)
            killed = time.monotonic()
            await asyncio.wait_for(engine.wait(), 60)
            record_property(f"{victim} killed: stream ended after, s", round(ended, 2))
            record_property(f"{victim} killed: engine gone after, s", round(ended + time.monotonic() - killed, 2))
            assert ended < 10


async def _stream_until_death(engine: LocalEngine, pid: int) -> float:
    body = {"model": "base", "prompt": "who", "max_tokens": 200, "ignore_eos": True, "stream": True, "n": 8}
    killed = 0.0
    async with session_for(engine.endpoint, timeout=60) as session:
        try:
            async with session.post("http://engine/v1/completions", json=body) as answer:
                async for _ in answer.content.iter_any():
                    if not killed:
                        os.kill(pid, signal.SIGKILL)
                        killed = time.monotonic()
        except aiohttp.ClientError:
            pass  # broken off is ended too
    return time.monotonic() - killed
