"""Requests that Schemathesis makes of our own OpenAPI documents, right ones and wrong ones: none breaks the gateway, and every refusal has
the shape that its API promises."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import jsonschema
import pytest
import schemathesis
from hypothesis.errors import Unsatisfiable
from schemathesis import Case
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

from server.gateway.apis.api import CHAT, MESSAGES, RESPONSES, TEXT
from tests.server.gateway.drawn import drawn
from tests.server.gateway.stage import ADMIN, CHAT_KEY, EVALUATE_KEY, Stage

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(7200)]

AT_ONCE = 16
MODELS = {"enum": ["zizou", "greybeards", "base", "zizou@2", "nobody"]}
BATCH, MANY = 600, 28
"""Requests at a time; and how often, where it is to be twenty thousand in all."""


def with_models(document: dict[str, Any]) -> dict[str, Any]:
    """The same, with names of models that are there: drawn ones never would be."""
    for path in (CHAT, TEXT, RESPONSES, MESSAGES, "/v1/warm"):
        document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]["model"] = MODELS
    document["paths"]["/v1/models/{model}"]["get"]["parameters"][0]["schema"] = MODELS
    return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        yield operation.path, operation


def cases(document: dict[str, Any], count: int, batch: int) -> Iterator[Case[Any]]:
    """As many of each operation, half of them wrong; more of those by which answers are asked for, of which there is more to say.

    Others in each batch; fewer than `count` where an operation has no more to offer.
    """
    found = list(operations(document))
    share = max(1, count // (len(found) + 3 * sum(path in (CHAT, TEXT, RESPONSES, MESSAGES) for path, _ in found)) // 2)
    for number, (path, operation) in enumerate(found):
        wanted = share * (4 if path in (CHAT, TEXT, RESPONSES, MESSAGES) else 1)
        for mode in GenerationMode:
            if operation.body or operation.query or operation.headers or operation.path_parameters:
                with suppress(Unsatisfiable):  # there is nothing wrong that could be said
                    yield from drawn(operation.as_strategy(generation_mode=mode), wanted, number=1000 * batch + number)


class Judge:
    """Sends them, and looks at what comes back."""

    def __init__(self, stage: Stage, document: dict[str, Any], keys: list[dict[str, str]]) -> None:
        self._stage = stage
        self._errors = {
            name: jsonschema.Draft202012Validator(schema)
            for name, schema in document["components"]["schemas"].items()
            if name in ("Error", "AnthropicError")
        }
        self._keys = keys
        self.statuses: Counter[int] = Counter()

    async def send(self, document: dict[str, Any], count: int, batch: int) -> None:
        # In a thread: drawing takes seconds, and the gateway lives on this loop.
        numbered = enumerate(await asyncio.to_thread(lambda: list(cases(document, count, batch))))

        async def one_after_another() -> None:
            for number, case in numbered:
                await self._send(case, self._keys[number % len(self._keys)])

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(one_after_another())

    async def _send(self, case: Case[Any], key: dict[str, str]) -> None:
        told = case.as_transport_kwargs(base_url=f"http://127.0.0.1:{self._stage.port}")
        body = told["data"] if told.get("data") else json.dumps(told["json"]) if "json" in told else ""
        try:
            headers = [(name.encode("latin-1"), _bytes(value)) for name, value in (told.get("headers") or {}).items()]
            headers = [each for each in headers if each[0].lower() not in _OURS]
            headers += [(name.encode(), value.encode()) for name, value in key.items()]
            request = self._stage.http.build_request(
                told["method"], told["url"], params=told.get("params"), headers=headers, content=_bytes(body), cookies=told.get("cookies")
            )
        except (httpx.InvalidURL, ValueError, TypeError):
            return  # no client could send it
        try:
            answer = await self._stage.http.send(request)
        except httpx.LocalProtocolError:
            return  # nor this
        self.statuses[answer.status_code] += 1
        said = f"{request.method} {request.url} {request.content!r:.2000}\n{answer.status_code} {answer.text:.2000}"
        assert answer.status_code < 500 or (case.operation.path == "/health/ready" and answer.status_code == 503), said
        assert answer.headers["x-request-id"].startswith("req_"), said
        if answer.status_code >= 400:
            shape = self._errors["AnthropicError" if case.operation.path == MESSAGES else "Error"]
            assert shape.is_valid(json.loads(answer.content)), said
        elif "text/event-stream" in answer.headers["content-type"]:
            assert '"error":{' not in answer.text, said
        if not case.operation.path.startswith("/admin"):  # an operator may read where things lie
            assert not [name for name in self._stage.hidden if name in answer.text or name in str(answer.headers)], said


_OURS = (b"authorization", b"x-api-key", b"host", b"content-length", b"connection", b"transfer-encoding", b"user-agent")


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1", "replace")


async def test_the_public_api_is_as_its_document_says(stage: Stage, soak: bool, record_property: Callable[[str, object], None]) -> None:
    """With keys that chat and that evaluate; without a key it is the same document that is shown."""
    shown = await stage.http.get("/openapi.json", headers={"authorization": ""})
    assert shown.status_code == 200
    document = with_models(shown.json())
    keys = [{"authorization": f"Bearer {key}"} for key in (CHAT_KEY, CHAT_KEY, EVALUATE_KEY)]
    judge = Judge(stage, document, [*keys, await stage.key("chat", communities=["zizou"])])
    for batch in range(MANY if soak else 1):
        await judge.send(document, BATCH, batch)
        stage.fake.received.clear()
    record_property("answers by status", dict(sorted(judge.statuses.items())))
    assert judge.statuses[200] > sum(judge.statuses.values()) / 10


@pytest.mark.asyncio(loop_scope="function")
async def test_the_admin_api_is_as_its_document_says(fresh: Stage, soak: bool, record_property: Callable[[str, object], None]) -> None:
    """With the admin key, which may do everything; what was done is done to a registry of its own."""
    document = (await fresh.http.get("/admin/v1/openapi.json", headers=ADMIN)).json()
    document["components"]["schemas"] |= (await fresh.http.get("/openapi.json")).json()["components"]["schemas"]
    judge = Judge(fresh, document, [ADMIN])
    for batch in range(MANY if soak else 1):
        await judge.send(document, BATCH // 2, batch)
    record_property("answers by status", dict(sorted(judge.statuses.items())))
