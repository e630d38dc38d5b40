"""One real engine, and the ways to it: directly, through Troupe's gateway, through litellm's proxy, through vllm-router.

All of them share the engine's process, its adapters and its caches. The adapters are random numbers around nothing, published for
communities `g0`, `g1` …; the engine finds them by itself, as it does for the gateway.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import aiohttp

from loadtests.benchmarks.listeners import WrongAnswer
from loadtests.benchmarks.litellm_proxy import KEY as LITELLM_KEY
from loadtests.benchmarks.litellm_proxy import Proxy
from loadtests.benchmarks.process import TROUPE, NotStarted, Process, free_port
from loadtests.benchmarks.synthetic import Size, write_adapter
from loadtests.benchmarks.vllm_router import Router

DIRECT, TROUPES, LITELLM, ROUTER = "plain vLLM", "Troupe", "litellm", "vllm-router"
KEY, ENGINE_KEY = "bench-key-of-a-caller", "bench-key-of-the-engine"
RANK = 8
SEATS = 8
START_S = 300.0
QUIET_S, POLL_S = 60.0, 0.1
BUSY = ("vllm:num_requests_running", "vllm:num_requests_waiting")


@dataclass(frozen=True)
class Way:
    """One way to the engine. `models`: what a community's adapter is called there."""

    url: str
    key: str
    models: Mapping[str, str]


@dataclass(frozen=True)
class Published:
    """Adapters in the registry of `home`. `engine_names`: of each community's."""

    base: Path
    home: Path
    engine_names: Mapping[str, str]
    never: Sequence[int]
    """Tokens that would end an answer before its time."""


def publish(base: Path, home: Path, count: int) -> Published:
    """Make adapters for `count` communities, and each the live one of its own. Raises NotStarted."""
    names = {}
    for number in range(count):
        community = f"g{number}"
        folder = write_adapter(home / "written" / community, size_of(base), rank=RANK)
        command = [sys.executable, TROUPE, "publish", str(folder), "--base", str(base), "--home", str(home), "--json"]
        done = subprocess.run([*command, "--community", community, "--promote"], check=False, capture_output=True)
        if done.returncode:
            raise NotStarted(f"troupe publish: {done.stderr.decode(errors='replace')[-2000:]}")
        names[community] = f"{community}-{json.loads(done.stdout)['digest'].removeprefix('sha256:')[:16]}"
    never = [token["id"] for token in json.loads((base / "tokenizer.json").read_bytes())["added_tokens"]]
    return Published(base, home, names, never)


def size_of(base: Path) -> Size:
    config = json.loads((base / "config.json").read_bytes())
    return Size(
        layers=config["num_hidden_layers"], hidden=config["hidden_size"], intermediate=config["intermediate_size"],
        heads=config["num_attention_heads"], kv_heads=config["num_key_value_heads"], head_dim=config["head_dim"],
    )  # fmt: skip


@contextmanager
def stage(published: Published, slots: int, folder: Path, peers: Path | None) -> Iterator[Mapping[str, Way]]:
    """Everything running and warm, by its name; ended when the block is left. `peers`: where litellm and vllm-router are installed."""
    names, port = published.engine_names, free_port()
    engine_url = f"http://127.0.0.1:{port}"
    shared = {"TROUPE_BASE": str(published.base), "TROUPE_HOME": str(published.home)}
    shape = {"TROUPE_ENGINE_MAX_LORAS": str(slots), "TROUPE_ENGINE_MAX_NUM_SEQS": str(SEATS), "TROUPE_ENGINE_API_KEY": ENGINE_KEY}
    with ExitStack() as stack:
        environment = {
            **shared, **shape, "TROUPE_ENGINE_PORT": str(port), "TROUPE_ENGINE_ALL_ROUTES": "1", "TMPDIR": str(folder),
            "OMP_NUM_THREADS": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # two that wait for each other by spinning leave nobody a core
        }  # fmt: skip
        engine = stack.enter_context(Process(["-m", "server.engine"], log=folder / "engine.log", environment=environment))
        engine.wait_for("(Application startup complete)", seconds=START_S)
        ways = {DIRECT: Way(engine_url, ENGINE_KEY, names)}
        environment = {**shared, **shape, "TROUPE_PORT": "0", "TROUPE_API_KEY": KEY, "TROUPE_ENGINE_URL": engine_url}
        gateway = stack.enter_context(Process([TROUPE, "up"], log=folder / "gateway.log", environment=environment))
        url = gateway.wait_for(r"URL +(http://127\.0\.0\.1:\d+)", seconds=START_S)
        ways[TROUPES] = Way(url, KEY, {community: community for community in names})
        if peers is not None:
            proxy = Proxy.of(peers, engine_url, ENGINE_KEY, list(names.values()), folder)
            proxy.wait(stack.enter_context(proxy.started(folder / "litellm.log", None)))
            ways[LITELLM] = Way(proxy.url, LITELLM_KEY, names)
            router = Router.of(peers, engine_url)
            lives(router.url, stack.enter_context(router.started(folder / "vllm-router.log")))
            ways[ROUTER] = Way(router.url, ENGINE_KEY, names)
        for way in ways.values():
            asyncio.run(greet(way))
        yield ways


async def greet(way: Way) -> None:
    """One request for each adapter: all of them are in the engine's memory then. Raises WrongAnswer."""
    async with aiohttp.ClientSession(way.url, headers={"Authorization": f"Bearer {way.key}"}) as http:
        for model in way.models.values():
            body = {"model": model, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
            async with http.post("/v1/chat/completions", json=body) as answer:
                if answer.status != 200:
                    raise WrongAnswer(f"{way.url}, {model}: {answer.status} {(await answer.text())[:500]}")
                await answer.read()


async def quiet(engine: Way) -> None:
    """Until the engine has nothing to do: what was given up is not computed any more. Raises WrongAnswer."""
    async with asyncio.timeout(QUIET_S), aiohttp.ClientSession(engine.url) as http:
        while True:
            async with http.get("/metrics") as answer:
                lines = [line for line in (await answer.text()).splitlines() if line.startswith(BUSY)]
            if not lines:
                raise WrongAnswer(f"{engine.url}/metrics does not tell how many requests run")
            if not any(float(line.rpartition(" ")[2]) for line in lines):
                return
            await asyncio.sleep(POLL_S)


def lives(url: str, process: Process) -> None:
    """Wait until somebody listens there. Raises NotStarted."""
    deadline = time.monotonic() + START_S
    while True:
        connection = HTTPConnection(url.removeprefix("http://"), timeout=5.0)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError as error:
            if time.monotonic() > deadline:
                raise NotStarted(f"{url} does not answer after {START_S:.0f} seconds") from error
        finally:
            connection.close()
        process.must_live()
        time.sleep(POLL_S)
