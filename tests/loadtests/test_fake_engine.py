"""The fake speaks as the pinned vLLM speaks: its documents, its order of fields, its words, its routes."""

import json
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from loadtests.fake_answers import DONE, Answer, error_event, event, model_card, unknown_model
from loadtests.fake_engine import CHAT, TEXT, FakeEngine, FakeSettings, Fault

# In a process of its own: vLLM changes loggers, signal handlers and the environment of whoever imports it.
COMPARE = """
import inspect, json, sys
from vllm.entrypoints.openai.chat_completion import api_router as chat_routes, protocol as chat
from vllm.entrypoints.openai.completion import api_router as text_routes, protocol as text
from vllm.entrypoints.openai.models import api_router as model_routes
from vllm.entrypoints.serve.engine import protocol as common, serving
from vllm.entrypoints.serve.instrumentator import health

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
    "error": common.ErrorResponse, "model": common.ModelCard,
}
for kind, document in json.load(sys.stdin):
    parsed = models[kind].model_validate(document)
    ordered(document, parsed.model_dump())
    assert not parsed.model_extra, (kind, parsed.model_extra)
    if kind in ("chat", "text"):  # vLLM dumps these with every field
        assert list(document) == list(parsed.model_dump()), kind
        assert list(document["choices"][0]) == list(parsed.model_dump()["choices"][0]), kind
source = inspect.getsource(serving)
assert 'f"The model `{request.model}` does not exist. "' in source and 'f"Valid aliases: {served_names}."' in source
routers = (chat_routes.router, text_routes.router, model_routes.router, health.router)
print(json.dumps(sorted(method + " " + route.path for router in routers for route in router.routes for method in route.methods)))
"""


def documents() -> list[tuple[str, object]]:
    """One of each kind that the fake sends."""
    found: list[tuple[str, object]] = [("error", unknown_model("zizou")), ("model", model_card("base"))]
    found.append(("error", json.loads(error_event().removeprefix(b"data: "))))
    for chat in (True, False):
        kind = "chat" if chat else "text"
        body = {"model": "base", "messages": [{"content": "a b c"}], "n": 2, "stream_options": {"include_usage": True}}
        answer = Answer.to(body, chat=chat, tokens=2, vocabulary=("a", " ä"))
        chunks = [*answer.opening(), *answer.chunks(0), *answer.chunks(1), answer.usage_chunk()]
        found += [(kind, answer.whole()), *[(f"{kind}_chunk", chunk) for chunk in chunks]]
    return found


@pytest.mark.engine
def test_the_pinned_vllm_would_have_said_it_so() -> None:
    """Each document is one of vLLM's own, with its fields in its order; the words and routes are in its source."""
    compared = subprocess.run(
        [sys.executable, "-c", COMPARE], input=json.dumps(documents()), capture_output=True, text=True, timeout=120, check=False
    )
    assert compared.returncode == 0, compared.stderr[-3000:]
    routes = set(json.loads(compared.stdout.splitlines()[-1]))
    assert {f"POST {CHAT}", f"POST {TEXT}", "GET /v1/models", "GET /health"} <= routes


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
    assert json.loads(usage.removeprefix(b"data: "))["usage"] == {"prompt_tokens": 2, "total_tokens": 10, "completion_tokens": 8}
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
