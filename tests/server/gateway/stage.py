"""A gateway on a real port, with everything around it that it needs: a base of a few kilobytes, a registry in memory, a fake engine."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from openai import AsyncOpenAI
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from adapters.registry import Base, Manifest, read_base
from loadtests.fake_engine import FakeEngine, FakeSettings
from server.accounts import KeyStore, open_keys
from server.accounts.books import Books, open_books
from server.accounts.open_ledger import new_gateway
from server.fleet.engine import Cause, Endpoint, EngineState, Failure
from server.fleet.fake import ManualTime, ScriptedEngine
from server.fleet.fleet import Fleet
from server.fleet.lifecycle import Policy
from server.gateway.admission.gate import Gate
from server.gateway.admission.policy import Bounds
from server.gateway.app import create_app
from server.gateway.protocol import server_config
from server.gateway.registry import Registry
from server.gateway.server import Server as GatewayServer
from server.gateway.settings import GatewaySettings
from tests.adapters.registry import tiny
from tests.server.gateway.memory_registry import MemoryRegistry, manifest

CHAT_KEY, ADMIN_KEY, ENGINE_KEY = "tr_chat_key", "tr_admin_key", "engine-key-that-stays-inside"
EVALUATE_KEY = "tr_evaluate_key"
CONTEXT = 128
MAX_RANK = 8
BOUNDS = Bounds(slots=8, batch=254)
"""More than any test asks for at once that is not about them."""
ADMIN = {"authorization": f"Bearer {ADMIN_KEY}"}
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEXTS = ("who wins tonight?", "läuft bei dir 🙃", "the kernel compiles itself by now", "user assistant system")
TEMPLATE = (
    "{%- for message in messages %}"
    "{%- if message.role == 'system' and not loop.first %}{{- raise_exception('system comes first') }}{%- endif %}"
    "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}"
    "{%- endif %}"
)
"""As Qwen3's: with thinking off, the prompt is longer."""


def write_base(path: Path) -> Path:
    """A base directory with a byte-level tokenizer, special tokens and a chat template."""
    tiny.write_base(path, max_position_embeddings=CONTEXT, vocab_size=512)
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=300, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False)
    )
    core.save(str(path / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    (path / "tokenizer_config.json").write_text(json.dumps(config))
    (path / "chat_template.jinja").write_text(TEMPLATE)
    return path


class Server(GatewayServer):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals stay pytest's."""
        yield


REFUSED = Failure(Cause.SETTINGS, "The log /srv/secret/path says why.")


@dataclass
class Stage:
    """What a test holds: the gateway's address, and both of its neighbours."""

    scratch: Path
    port: int
    server: Server
    serving: "asyncio.Task[None]"
    fake: FakeEngine
    speaks: asyncio.Event
    """While it is not set, the engine makes no token and loads nothing."""
    engine: ScriptedEngine
    fleet: Fleet
    time: ManualTime
    """The fleet's."""
    registry: Registry
    memory: MemoryRegistry
    """The same registry, where it is the one in memory."""
    keys: KeyStore
    """The table: what is done to it directly is done behind the gateway's back."""
    books: Books
    base: Base
    http: httpx.AsyncClient
    sdk: AsyncOpenAI
    hidden: tuple[str, ...] = field(repr=False)
    """Names that no caller may ever see."""

    def reset(self) -> None:
        """As if nobody had asked anything yet. The engine stays as it is."""
        self.fake.settings = FakeSettings(api_key=ENGINE_KEY)
        self.fake.received.clear()
        self.fake.loaded.clear()
        self.fake.loads.clear()
        self.memory.failure = None

    async def key(self, *scopes: str, communities: Iterable[str] | None = None) -> dict[str, str]:
        """A new key, as the header that it opens doors with; the gateway made it and knows it."""
        asked = {"name": "test", "scopes": scopes, "communities": None if communities is None else list(communities)}
        made = await self.http.post("/admin/v1/keys", json=asked, headers=ADMIN)
        assert made.status_code == 201, made.text
        return {"authorization": f"Bearer {made.json()['key']}"}

    def sdk_with(self, key: str) -> AsyncOpenAI:
        return self.sdk.with_options(api_key=key)

    def fault(self, **changes: Any) -> None:
        self.fake.settings = replace(self.fake.settings, **changes)

    async def until(self, state: EngineState) -> None:
        """Until the engine is there, or not."""
        async with asyncio.timeout(20):
            while self.fleet.state is not state:  # noqa: ASYNC110 (the state may be the one it is already)
                await asyncio.sleep(0.005)

    async def sleep(self) -> None:
        """Let it be so long that nobody asked that the engine sleeps."""
        await self.time.advance(Policy().idle_timeout + 1)
        await self.until(EngineState.ASLEEP)

    async def asked(self, count: int = 1) -> None:
        """Until the engine has been asked so often."""
        async with asyncio.timeout(20):
            while len(self.fake.received) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def die(self) -> None:
        """The engine goes away by itself, and its fleet knows at once."""
        await self.engine.die()
        await self.until(EngineState.FAILED)

    async def break_down(self) -> None:
        """From now on no start succeeds, and the fleet has given up for a while."""
        self.engine.will(*[REFUSED] * 100)
        await self.die()
        before = self.engine.started
        await self.time.advance(1)
        async with asyncio.timeout(20):
            while self.engine.started == before or self.fleet.state is not EngineState.FAILED:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def settled(self) -> None:
        """Until all that was asked is in the ledger."""
        async with asyncio.timeout(20):
            while self.books.ledger.unsettled:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def waits(self, count: int) -> None:
        """Until so many wait for the engine."""
        async with asyncio.timeout(20):
            while self.fleet.waiting != count:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def seen(self) -> None:
        """Until the gateway knows what was done to its registry behind its back."""
        revision = (await self.registry.snapshot()).revision
        async with asyncio.timeout(5):
            while True:
                status = (await self.http.get("/admin/v1/status", headers=ADMIN)).json()
                if status["registry"] == {"revision": revision, "failure": None}:
                    return

    async def metric(self, line: str) -> float:
        """The value behind `line` in /metrics, once nothing is being answered any more; 0 while it is not there."""
        async with asyncio.timeout(5):
            while True:
                if await self.metric_now("troupe_requests_running") == 1:  # the scrape itself
                    return await self.metric_now(line)
                await asyncio.sleep(0.005)

    async def metric_now(self, line: str) -> float:
        values = [each.rpartition(" ") for each in (await self.http.get("/metrics")).text.splitlines() if each[0] != "#"]
        return sum(float(value) for name, _, value in values if name.startswith(line))

    async def raw(self, request: bytes, *, wait: float = 5.0) -> bytes:
        """What the gateway answers to these bytes, until it closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.timeout(wait):
                writer.write(request)
                await writer.drain()
                return await reader.read()
        finally:
            writer.close()


def populate(registry: MemoryRegistry, base: Base) -> list[Manifest]:
    """Two communities that are live, one with a version that waits; one without an alias, and one of another base."""
    return [
        registry.add(manifest(base, "zizou"), "live"),
        registry.add(manifest(base, "zizou", 2), "canary"),
        registry.add(manifest(base, "greybeards"), "live"),
        registry.add(manifest(base, "strangers", fingerprint="sha256:" + "f" * 64), "live"),
        registry.add(manifest(base, "unborn")),
    ]


@asynccontextmanager
async def open_stage(
    folder: Path,
    base: Base,
    settings: GatewaySettings,
    registry: Registry | None = None,
    *,
    keys: KeyStore | None = None,
    policy: Policy | None = None,
    bounds: Bounds = BOUNDS,
    awake: bool = True,
    clock_ns: Callable[[], int] = time.time_ns,
    books: Books | None = None,
    decide_every: float = 60.0,
) -> AsyncIterator[Stage]:
    """`registry`: one to use in place of the one in memory; `keys`, `books`: in place of those that are made here. `awake=False`: the
    engine sleeps until it is asked for. `clock_ns`: the books' time.

    The fleet's time stands still unless a test moves it.
    """
    entries = populate(memory := MemoryRegistry(), base)
    path, scratch = folder / "engine.sock", folder / "scratch"
    scratch.mkdir()
    listener, speaks = _listener(), asyncio.Event()
    port = listener.getsockname()[1]
    speaks.set()
    fake = FakeEngine(FakeSettings(api_key=ENGINE_KEY), socket=path, core=partial(_once, speaks))
    engine = ScriptedEngine(Endpoint("http://engine", path, ENGINE_KEY), up=fake.start, down=partial(_go_down, fake))
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(contextlib.closing(listener))
        home = folder / "accounts-home"
        opened = await stack.enter_async_context(_own_books(home, settings, clock_ns)) if books is None else books
        table = keys or await open_keys(opened.database, home)
        manual, gate = ManualTime(), Gate(bounds)
        fleet = Fleet(engine, replace(policy or Policy(), wake_at_start=awake), clock=manual, pause=manual.pause)
        used = registry or memory
        app = create_app(
            settings,
            fleet=fleet,
            registry=used,
            keys=table,
            books=opened,
            base=base,
            gate=gate,
            max_rank=MAX_RANK,
            scratch=scratch,
            refresh_every=0.01,
            decide_every=decide_every,
        )
        server = Server(server_config(app, settings), gate=gate, fleet=fleet, drain_timeout=settings.drain_timeout)
        async with _serving(server, listener) as serving, _callers(port) as (http, sdk):
            hidden = _hidden(entries[:4], folder, base)
            stage = Stage(
                scratch, port, server, serving, fake, speaks, engine, fleet, manual, used, memory, table, opened, base, http, sdk, hidden
            )
            if awake:
                await stage.until(EngineState.READY)
            yield stage
        assert (engine.alive, engine.closed, engine.broken) == (False, True, [])
        assert (fleet.waiting, fleet.in_flight) == (0, 0)
        assert list(scratch.iterdir()) == []


def _hidden(entries: Sequence[Manifest], folder: Path, base: Base) -> tuple[str, ...]:
    """What no caller may ever read."""
    names = [text for each in entries for text in (each.engine_name, each.digest[7:])]
    return (*names, ENGINE_KEY, str(folder), str(base.path), "vllm.", "/srv/secret")


def _listener() -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    return listener


def _own_books(home: Path, settings: GatewaySettings, clock_ns: Callable[[], int]) -> AbstractAsyncContextManager[Books]:
    community, key = settings.community_terms, settings.key_terms
    return open_books(home, prices=settings.prices, community=community, key=key, gateway=new_gateway(), clock_ns=clock_ns)


@asynccontextmanager
async def _serving(server: Server, listener: socket.socket) -> AsyncIterator["asyncio.Task[None]"]:
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():  # noqa: ASYNC110 (uvicorn has nothing to wait for)
        await asyncio.sleep(0.005)
    try:
        yield serving
    finally:
        server.end()
        await serving


@asynccontextmanager
async def _callers(port: int) -> AsyncIterator[tuple[httpx.AsyncClient, AsyncOpenAI]]:
    url = f"http://127.0.0.1:{port}"
    async with (
        httpx.AsyncClient(base_url=url, headers={"authorization": f"Bearer {CHAT_KEY}"}, timeout=30) as http,
        AsyncOpenAI(base_url=f"{url}/v1", api_key=CHAT_KEY, max_retries=0, timeout=30) as sdk,
    ):
        yield http, sdk


async def _once(event: asyncio.Event) -> None:
    await event.wait()


async def _go_down(fake: FakeEngine) -> None:
    """What was loaded goes with the process."""
    await fake.stop()
    fake.loaded.clear()


def read_tiny_base(path: Path) -> Base:
    return read_base(write_base(path), "none")
