"""The fake speaks as the pinned vLLM speaks: its documents, its order of fields, its words, its routes."""

import asyncio
import contextlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from loadtests.fake_answers import DONE, Answer, error_event, event, unknown_model
from loadtests.fake_documents import Counters, model_list, tokenized
from loadtests.fake_engine import CHAT, TEXT, TOKENIZE, FakeEngine, FakeSettings, Fault

ADAPTER, OTHER = "zizou-0123456789abcdef", "greybeards-0123456789abcdef"

# In a process of its own: vLLM changes loggers, signal handlers and the environment of whoever imports it.
COMPARE = """
import inspect, json, sys
from vllm.entrypoints.openai.chat_completion import api_router as chat_routes, protocol as chat
from vllm.entrypoints.openai.completion import api_router as text_routes, protocol as text
from vllm.entrypoints.openai.models import api_router as model_routes
from vllm.entrypoints.serve.dev.rpc import api_router as rpc_routes
from vllm.entrypoints.serve.dev.sleep import api_router as sleep_routes
from vllm.entrypoints.serve.engine import protocol as common, serving
from vllm.entrypoints.serve.instrumentator import health
from vllm.entrypoints.serve.lora import api_router as lora_routes
from vllm.entrypoints.serve.middleware.authenticate import GUARDED_PREFIX
from vllm.entrypoints.serve.tokenize import api_router as token_routes, protocol as tokens
from vllm.v1.metrics import loggers
from prometheus_client import CollectorRegistry, Counter, generate_latest

def ordered(given, dumped, path=""):
    if isinstance(given, dict):
        places = [list(dumped).index(key) for key in given]
        assert places == sorted(places), (path, list(given), list(dumped))
        for key, value in given.items():
            ordered(value, dumped[key], f"{path}.{key}")
    elif isinstance(given, list):
        for a, b in zip(given, dumped, strict=True):
            ordered(a, b, path)
    else:
        assert given == dumped, (path, given, dumped)

models = {
    "chat": chat.ChatCompletionResponse, "chat_chunk": chat.ChatCompletionStreamResponse,
    "text": text.CompletionResponse, "text_chunk": text.CompletionStreamResponse,
    "error": common.ErrorResponse, "models": common.ModelList, "tokens": tokens.TokenizeResponse,
}
said = json.load(sys.stdin)
for kind, document in said["documents"]:
    parsed = models[kind].model_validate(document)
    ordered(document, parsed.model_dump())
    assert not parsed.model_extra, (kind, parsed.model_extra)
    if kind in ("chat", "text", "models", "tokens"):  # vLLM dumps these with every field
        assert list(document) == list(parsed.model_dump()), kind
        for inner in ("choices", "data"):
            for given, dumped in zip(document.get(inner, ()), parsed.model_dump().get(inner, ()), strict=True):
                assert list(given) == list(dumped), kind
source = inspect.getsource(serving)
assert 'f"The model `{request.model}` does not exist. "' in source and 'f"Valid aliases: {served_names}."' in source
source, registry = inspect.getsource(loggers), CollectorRegistry()
assert 'labelnames = ["model_name", "engine"]' in source
for name, (about, value) in said["counters"].items():
    assert f'name="{name}",\\n            documentation="{about}"' in source, name
    Counter(name, about, ["model_name", "engine"], registry=registry).labels("base", "0").inc(value)
missing = set(said["metrics"].splitlines()) - set(generate_latest(registry).decode().splitlines())
assert not missing, missing
assert "/v1" in GUARDED_PREFIX and not any(path.startswith(GUARDED_PREFIX) for path in ("/tokenize", "/metrics", "/sleep"))
source = inspect.getsource(sleep_routes)
assert 'content={"status": "sleeping", "level": level}' in source and '{"is_sleeping": is_sleeping}' in source
assert 'content={"status": "awake" if fully_awake else "sleeping", "tags": tags}' in source
assert '"/v1/unload_lora_adapter"' in inspect.getsource(lora_routes)
modules = (chat_routes, text_routes, model_routes, health, token_routes, sleep_routes, rpc_routes)
print(json.dumps([method + " " + route.path for module in modules for route in module.router.routes for method in route.methods]))
"""


def documents() -> list[tuple[str, object]]:
    """One of each kind that the fake sends."""
    found: list[tuple[str, object]] = [("error", unknown_model("zizou")), ("tokens", tokenized("a b")), ("models", model_list([ADAPTER]))]
    found.append(("error", json.loads(error_event().removeprefix(b"data: "))))
    for chat in (True, False):
        kind = "chat" if chat else "text"
        for cached, continuous in ((None, False), (2, True)):
            options = {"include_usage": True, "continuous_usage_stats": continuous}
            body = {"model": "base", "messages": [{"content": "a b c"}], "n": 2, "stream_options": options}
            answer = Answer.to(body, chat=chat, tokens=2, vocabulary=("a", " ä"), cached=cached)
            chunks = [*answer.opening(), *answer.chunks(0), *answer.chunks(1), *answer.chunks(0, 2), answer.usage_chunk()]
            found += [(kind, answer.whole()), *[(f"{kind}_chunk", chunk) for chunk in chunks]]
    tool = {"type": "function", "function": {"name": "weather"}}
    for choice in ("auto", tool):
        calling = {"model": "base", "messages": [{"role": "user", "content": "a"}], "tools": [tool], "tool_choice": choice}
        answer = Answer.to(calling, chat=True, tokens=2, vocabulary=())
        found += [("chat", answer.whole()), *[("chat_chunk", chunk) for position in range(3) for chunk in answer.chunks(position)]]
    return found


@pytest.mark.engine
def test_the_pinned_vllm_would_have_said_it_so() -> None:
    """Each document is one of vLLM's own, with its fields in its order; the words and routes are in its source."""
    counters = {
        "vllm:prompt_tokens": ("Number of prefill tokens processed.", 3),
        "vllm:generation_tokens": ("Number of generation tokens processed.", 8),
    }
    said = {"documents": documents(), "counters": counters, "metrics": Counters(prompt=3, generation=8).text()}
    compared = subprocess.run(
        [sys.executable, "-c", COMPARE], input=json.dumps(said), capture_output=True, text=True, timeout=120, check=False
    )
    assert compared.returncode == 0, compared.stderr[-3000:]
    routes = set(json.loads(compared.stdout.splitlines()[-1]))
    posts = (CHAT, TEXT, TOKENIZE, "/sleep", "/wake_up", "/collective_rpc")
    assert {f"POST {path}" for path in posts} <= routes
    assert {"GET /v1/models", "GET /health", "GET /is_sleeping"} <= routes


async def test_a_stream_is_its_chunks_and_an_end_mark(tmp_path: Path) -> None:
    """On a unix socket, in pieces of any size."""
    connector = aiohttp.UnixConnector(str(tmp_path / "s"))
    body = {"model": "base", "prompt": "a b", "stream": True, "stream_options": {"include_usage": True}}
    async with (
        FakeEngine(FakeSettings(slice=3), socket=tmp_path / "s") as engine,
        aiohttp.ClientSession(connector=connector) as session,
        session.post(engine.url + TEXT, json=body) as response,
    ):
        said = await response.read()
    *chunks, usage, done = said.split(b"\n\n")[:-1]
    assert len(chunks) == 8
    counted = {"prompt_tokens": 2, "total_tokens": 10, "completion_tokens": 8, "prompt_tokens_details": {"cached_tokens": 0}}
    assert json.loads(usage.removeprefix(b"data: "))["usage"] == counted
    assert done + b"\n\n" == DONE
    assert engine.received[0].finished


@pytest.mark.parametrize(("fault", "ends"), [(Fault.END_EARLY, b"dir"), (Fault.ERROR_EVENT, b"[DONE]")])
async def test_a_fault_comes_after_the_tokens_it_is_set_to(fault: Fault, ends: bytes) -> None:
    """So that tests know what was said before."""
    async with (
        FakeEngine(FakeSettings(fault=fault)) as engine,
        aiohttp.ClientSession() as session,
        session.post(engine.url + TEXT, json={"model": "base", "prompt": "a", "stream": True}) as response,
    ):
        events = (await response.read()).strip().split(b"\n\n")
    assert ends in events[-1]
    assert len(events) == (3 if fault is Fault.END_EARLY else 5)


@pytest.mark.parametrize("fault", [Fault.STATUS_400, Fault.ERROR_FIRST, Fault.ERROR_EVENT])
async def test_an_error_may_quote_the_prompt(fault: Fault) -> None:
    """As vLLM's own sometimes do; only where it is set to."""
    for quotes in (False, True):
        async with (
            FakeEngine(FakeSettings(fault=fault, quotes=quotes)) as engine,
            aiohttp.ClientSession() as session,
            session.post(engine.url + TEXT, json={"model": "base", "prompt": "canary", "stream": True}) as response,
        ):
            assert (b"canary" in await response.read()) is quotes


async def test_it_knows_who_it_serves() -> None:
    """Engine names of adapters, and the base; other names and other keys are refused in vLLM's words."""
    async with FakeEngine(FakeSettings(api_key="k")) as engine, aiohttp.ClientSession() as session:
        statuses = []
        for key, model in (("k", "base"), ("k", "zizou-0123456789abcdef"), ("k", "zizou"), ("x", "base")):
            headers = {"authorization": f"Bearer {key}"}
            async with session.post(engine.url + CHAT, json={"model": model, "messages": []}, headers=headers) as response:
                statuses.append(response.status)
        async with session.get(engine.url + "/health") as response:
            statuses.append(response.status)
    assert statuses == [200, 200, 404, 401, 200]
    assert event({"a": "ä"}) == 'data: {"a":"ä"}\n\n'.encode()


async def test_an_adapter_is_loaded_by_whoever_asks_for_it_first() -> None:
    """By an answer or by tokens of a prompt, once however many ask; then it stands beside the base, until it is unloaded."""
    async with FakeEngine(FakeSettings(load=0.01)) as engine, aiohttp.ClientSession(engine.url) as session:

        async def post(path: str, **body: object) -> int:
            async with session.post(path, json=body) as response:
                return response.status

        async def listed() -> list[tuple[str, str | None]]:
            async with session.get("/v1/models") as response:
                return [(card["id"], card["parent"]) for card in (await response.json())["data"]]

        warm = {"prompt": "hi", "add_special_tokens": False}
        assert await asyncio.gather(*(post(TOKENIZE, model=ADAPTER, **warm) for _ in range(5))) == [200] * 5
        assert await post(TEXT, model=OTHER, prompt="hi") == 200
        assert await post(TOKENIZE, model="nobody", **warm) == 404
        assert engine.loads == [ADAPTER, OTHER]
        assert await listed() == [("base", None), (ADAPTER, "base"), (OTHER, "base")]
        assert await post("/v1/unload_lora_adapter", lora_name=ADAPTER) == 200
        assert await listed() == [("base", None), (OTHER, "base")]
        assert await post(TEXT, model=ADAPTER, prompt="hi") == 200
        assert engine.loads == [ADAPTER, OTHER, ADAPTER]


@pytest.mark.parametrize("chat", [True, False])
async def test_usage_is_told_with_every_chunk_to_who_asks(chat: bool) -> None:
    """Of each choice for itself, as vLLM counts; the last word adds them up, and says what of the prompt was known."""
    options = {"include_usage": True, "continuous_usage_stats": True}
    body = {"model": "base", "n": 2, "stream": True, "stream_options": options, "max_tokens": 5, "logprobs": True}
    body |= {"messages": [{"role": "user", "content": "a b c"}]} if chat else {"prompt": "a b c"}
    async with FakeEngine(FakeSettings(burst=2, cached=2)) as engine, aiohttp.ClientSession() as session:
        async with session.post(engine.url + (CHAT if chat else TEXT), json=body) as response:
            *events, last, _ = (await response.read()).strip().split(b"\n\n")
        told = [json.loads(each.removeprefix(b"data: ")) for each in events]
        completion = [(each["choices"][0]["index"], each["usage"]["completion_tokens"]) for each in told]
        opening = [(0, 0), (1, 0)] if chat else []
        assert completion == [*opening, (0, 2), (1, 2), (0, 4), (1, 4), (0, 5), (1, 5)]
        usage = json.loads(last.removeprefix(b"data: "))["usage"]
        assert (usage["prompt_tokens"], usage["completion_tokens"], usage["prompt_tokens_details"]["cached_tokens"]) == (3, 10, 2)
        assert engine.received[0].tokens == 10


async def test_it_remembers_what_each_caller_was_given() -> None:
    """Under the caller's own name for the request: all of a whole answer, of a stream what was sent before its fault, of a refusal none."""
    async with FakeEngine() as engine, aiohttp.ClientSession(engine.url) as session:

        async def post(name: str, fault: Fault, **body: object) -> None:
            engine.settings = FakeSettings(fault=fault, fault_after=3)
            with contextlib.suppress(aiohttp.ClientError):
                headers = {"x-request-id": name}
                async with session.post(TEXT, json={"model": "base", "prompt": "a", **body}, headers=headers) as response:
                    await response.read()

        await post("whole", Fault.NONE, n=2, max_tokens=4)
        for fault in (Fault.DIE, Fault.ERROR_EVENT, Fault.END_EARLY):
            await post(fault, fault, stream=True)
        await post("dead", Fault.DIE)
        await post("refused", Fault.STATUS_500, stream=True)
        told = {each.request_id: each.tokens for each in engine.received}
        assert told == {"whole": 8, "die": 3, "error-event": 3, "end-early": 3, "dead": 0, "refused": 0}


async def test_a_word_brings_a_fault_upon_its_own_request() -> None:
    """And upon no other; a pace likewise."""
    slow = FakeSettings(inter_token=600, faults={"boom": Fault.STATUS_500}, paces={"hi": 0.0, "boomerang": 0.0})
    async with FakeEngine(slow) as engine, aiohttp.ClientSession(engine.url) as session:
        statuses = []
        for text in ("hi there", "hi boom", "boomerang"):
            async with session.post(CHAT, json={"model": "base", "messages": [{"role": "user", "content": text}]}) as response:
                statuses.append(response.status)
    assert statuses == [200, 500, 200]


async def counted(session: aiohttp.ClientSession) -> tuple[float, float]:
    async with session.get("/metrics") as response:
        values = dict(line.split(" ") for line in (await response.text()).splitlines() if line[0] != "#")
    prompt, generation = (values[f'vllm:{name}_tokens_total{{engine="0",model_name="base"}}'] for name in ("prompt", "generation"))
    return float(prompt), float(generation)


async def test_tokens_are_counted_as_they_are_made() -> None:
    """Of streams and of whole answers; what a caller does not get is not counted."""
    async with FakeEngine() as engine, aiohttp.ClientSession(engine.url) as session:
        assert await counted(session) == (0, 0)
        for stream in (True, False):
            async with session.post(TEXT, json={"model": "base", "prompt": "a b", "stream": stream, "max_tokens": 5}) as response:
                await response.read()
        assert await counted(session) == (4, 10)


async def test_a_frozen_core_answers_for_its_health_and_makes_nothing() -> None:
    """In the middle of a stream, too: no token comes any more, no adapter is loaded, no counter moves."""
    async with FakeEngine(FakeSettings(tokens=1000, inter_token=0.001)) as engine, aiohttp.ClientSession(engine.url) as session:
        async with session.post(TEXT, json={"model": "base", "prompt": "a", "stream": True, "max_tokens": 1000}) as stream:
            await stream.content.readline()
            engine.settings = replace(engine.settings, fault=Fault.FREEZE)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await stream.read()
        before = await counted(session)
        for body in ({"model": "base", "prompt": "a", "max_tokens": 1}, {"model": ADAPTER, "prompt": "a"}):
            with pytest.raises(TimeoutError):
                await session.post(TEXT, json=body, timeout=aiohttp.ClientTimeout(total=0.1))
        async with session.get("/health") as response:
            assert response.status == 200
        assert await counted(session) == before


async def test_sleep_mode_is_open_in_dev_mode_alone() -> None:
    """As in vLLM: without it there is no such route."""
    async with FakeEngine() as engine, aiohttp.ClientSession(engine.url) as session, session.post("/sleep") as response:
        assert response.status == 404


async def test_who_sleeps_answers_once_awake() -> None:
    """Awake when both parts are; without its weights after level 2 until they are read again; and forgetful if it is told so."""
    logprobs = {"model": ADAPTER, "messages": [], "logprobs": True, "max_tokens": 1}
    async with FakeEngine(FakeSettings(dev_mode=True)) as engine, aiohttp.ClientSession(engine.url) as session:

        async def post(path: str, body: object = None) -> Any:
            async with session.post(path, json=body) as response:
                assert response.status == 200, path
                return await response.json()

        async def speak() -> float:
            return float((await post(CHAT, logprobs))["choices"][0]["logprobs"]["content"][0]["logprob"])

        before = await speak()
        assert await post("/sleep?level=2") == {"status": "sleeping", "level": 2}
        answer = asyncio.create_task(speak())
        assert await post("/wake_up?tags=weights") == {"status": "sleeping", "tags": ["weights"]}
        async with session.get("/is_sleeping") as response:
            assert await response.json() == {"is_sleeping": True}
        assert not answer.done()
        assert await post("/wake_up?tags=kv_cache") == {"status": "awake", "tags": ["kv_cache"]}
        await answer
        assert await speak() != before
        await post("/collective_rpc", {"method": "reload_weights"})
        assert await speak() == before
        engine.settings = replace(engine.settings, forgets=True)
        assert await speak() != before
