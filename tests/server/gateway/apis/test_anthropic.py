"""What a user of the anthropic SDK meets at /v1/messages."""

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import openai
import pytest
import pytest_asyncio
from anthropic import AsyncAnthropic
from anthropic.types import MessageParam

from loadtests.fake_engine import Fault
from server.accounts.limits import Kind
from tests.server.gateway.stage import ADMIN, ADMIN_KEY, CHAT_KEY, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASK: list[MessageParam] = [{"role": "user", "content": "who wins tonight?"}]
ANSWER = 'Läuft bei dir? 🙃 "quoted"\n ok'
PATH = "/v1/messages"
GOOD = {"model": "zizou", "messages": ASK, "max_tokens": 8}


@pytest_asyncio.fixture(loop_scope="module")
async def claude(stage: Stage) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(base_url=f"http://127.0.0.1:{stage.port}", api_key=CHAT_KEY, max_retries=0, timeout=30) as opened:
        yield opened


async def test_a_message_is_answered_under_the_name_that_was_asked(stage: Stage, claude: AsyncAnthropic) -> None:
    """The engine is asked for a chat; its answer comes back in the other API's words, with usage."""
    message = await claude.messages.create(
        model="zizou", max_tokens=8, system="be brief", messages=ASK, extra_body={"temperature": 0.5, "top_k": 5}
    )
    assert (message.model, message.content[0].text, message.stop_reason) == ("zizou", ANSWER, "end_turn")  # type: ignore[union-attr]
    assert message.usage.output_tokens == 8
    assert message.usage.input_tokens > 0
    (received,) = stage.fake.received
    assert received.path == "/v1/chat/completions"
    assert received.body["messages"] == [{"role": "system", "content": "be brief"}, *ASK]
    assert set(received.body) == {"model", "messages", "max_completion_tokens", "temperature", "top_k", "cache_salt", "stream"}


async def test_a_message_can_be_streamed(claude: AsyncAnthropic) -> None:
    """In Anthropic's events, which the SDK puts together to the message that a whole answer would be."""
    async with claude.messages.stream(model="zizou", max_tokens=8, messages=ASK) as stream:
        kinds = [event.type async for event in stream]
        streamed = await stream.get_final_message()
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    whole = await claude.messages.create(model="zizou", max_tokens=8, messages=ASK)
    assert {**streamed.to_dict(), "id": None} == {**whole.to_dict(), "id": None}


async def test_a_stream_has_a_ping(stage: Stage) -> None:
    """The SDK reads over it; what stands between the events is exact."""
    answer = await stage.http.post(PATH, json={**GOOD, "stream": True})
    events = [event.split("\n") for event in answer.text.split("\n\n") if event]
    assert all(len(event) == 2 for event in events)
    kinds = [name.removeprefix("event: ") for name, _ in events]
    assert kinds[:3] == ["message_start", "ping", "content_block_start"]
    assert all(f'"type":"{kind}"' in data for kind, (_, data) in zip(kinds, events, strict=True))


async def test_what_was_cut_off_and_what_was_stopped_say_so(stage: Stage, claude: AsyncAnthropic) -> None:
    """By their reason. vLLM tells a stop string in a field of its own."""
    assert (await claude.messages.create(model="zizou", max_tokens=2, messages=ASK)).stop_reason == "max_tokens"
    await claude.messages.create(model="zizou", max_tokens=8, messages=ASK, stop_sequences=["b", "c"])
    assert stage.fake.received[-1].body["stop"] == ["b", "c"]


async def test_a_conversation_goes_on_with_what_was_answered(stage: Stage, claude: AsyncAnthropic) -> None:
    """Its blocks go into the next request, hints of Anthropic's own included."""
    first = await claude.messages.create(model="zizou", max_tokens=8, messages=ASK)
    await claude.messages.create(
        model="zizou",
        max_tokens=8,
        system=[{"type": "text", "text": "be ", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "brief"}],
        messages=[
            *ASK,
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": [{"type": "text", "text": "and then?", "cache_control": {"type": "ephemeral"}}]},
        ],
        metadata={"user_id": "Ann"},
        cache_control={"type": "ephemeral", "ttl": "1h"},
        extra_headers={"anthropic-beta": "prompt-caching-2024-07-31"},
    )
    assert "cache_control" not in stage.fake.received[-1].body
    assert stage.fake.received[-1].body["messages"] == [
        {"role": "system", "content": "be brief"},
        *ASK,
        {"role": "assistant", "content": ANSWER},
        {"role": "user", "content": "and then?"},
    ]


async def test_errors_are_the_sdk_s_own_classes(stage: Stage, claude: AsyncAnthropic) -> None:
    """Each with Anthropic's type, whoever refused."""
    with pytest.raises(anthropic.NotFoundError) as unknown:
        await claude.messages.create(model="nobody", max_tokens=8, messages=ASK)
    message = "The model 'nobody' does not exist or you do not have access to it."
    assert unknown.value.body == {"type": "error", "error": {"type": "not_found_error", "message": message}}
    with pytest.raises(anthropic.BadRequestError, match="temperature must be from 0 to 1"):
        await claude.messages.create(model="zizou", max_tokens=8, messages=ASK, extra_body={"temperature": 2})
    with pytest.raises(anthropic.AuthenticationError) as denied:
        await claude.with_options(api_key="wrong").messages.create(model="zizou", max_tokens=8, messages=ASK)
    assert denied.value.body["error"]["type"] == "authentication_error"  # type: ignore[index]
    with pytest.raises(anthropic.PermissionDeniedError):
        await claude.with_options(api_key=ADMIN_KEY).messages.create(model="zizou", max_tokens=8, messages=ASK)
    stage.fault(fault=Fault.STATUS_500)
    with pytest.raises(anthropic.InternalServerError):
        await claude.messages.create(model="zizou", max_tokens=8, messages=ASK)


async def test_the_limits_are_the_same_in_every_api(stage: Stage, claude: AsyncAnthropic) -> None:
    """What one API used up is used up in the others, and told in the words of each."""
    made = (
        await stage.http.post("/admin/v1/keys", json={"name": "bot", "scopes": ["chat"], "communities": ["zizou"]}, headers=ADMIN)
    ).json()
    terms = {**dict.fromkeys([kind.value for kind in Kind]), "requests_per_minute": 3}
    assert (await stage.http.put(f"/admin/v1/limits/keys/{made['id']}", json=terms, headers=ADMIN)).status_code == 200
    mine, theirs = claude.with_options(api_key=made["key"]), stage.sdk_with(made["key"])
    await theirs.chat.completions.create(model="zizou", messages=[{"role": "user", "content": "a"}])
    await theirs.responses.create(model="zizou", input="a")
    await mine.messages.create(model="zizou", max_tokens=8, messages=ASK)
    with pytest.raises(anthropic.RateLimitError) as refused:
        await mine.messages.create(model="zizou", max_tokens=8, messages=ASK)
    assert refused.value.body["error"]["type"] == "rate_limit_error"  # type: ignore[index]
    assert int(refused.value.response.headers["retry-after"]) > 0
    with pytest.raises(openai.RateLimitError) as again:
        await theirs.responses.create(model="zizou", input="a")
    assert again.value.code == "rate_limit_exceeded"
    assert len(stage.fake.received) == 3


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-api-key": CHAT_KEY}, 200),
        ({"authorization": f"Bearer {CHAT_KEY}"}, 200),
        ({"x-api-key": CHAT_KEY, "authorization": f"Bearer {CHAT_KEY}"}, 401),
        ({"x-api-key": ""}, 401),
        ({"x-api-key": f"Bearer {CHAT_KEY}"}, 401),
        ({}, 401),
    ],
)
async def test_a_key_comes_in_one_of_two_headers(stage: Stage, headers: dict[str, str], status: int) -> None:
    """Never in both: nobody should have to guess which one counts."""
    del stage.http.headers["authorization"]
    try:
        answer = await stage.http.post(PATH, json=GOOD, headers=headers)
    finally:
        stage.http.headers["authorization"] = f"Bearer {CHAT_KEY}"
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("fault", [Fault.DIE, Fault.END_EARLY, Fault.ERROR_EVENT])
async def test_an_engine_that_fails_in_a_stream_is_an_error_and_no_end(stage: Stage, claude: AsyncAnthropic, fault: Fault) -> None:
    """After the tokens that came."""
    stage.fault(fault=fault)
    deltas = 0
    with pytest.raises(anthropic.APIStatusError) as caught:  # noqa: PT012
        async for event in await claude.messages.create(model="zizou", max_tokens=8, messages=ASK, stream=True):
            deltas += event.type == "content_block_delta"
    assert deltas == 3
    assert caught.value.body["error"]["type"] in ("overloaded_error", "api_error")  # type: ignore[index]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": "a"}, "messages"),
        ({"messages": ASK * 1025}, "messages"),
        ({"messages": [{"role": "system", "content": "a"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": "a", "name": "b"}]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "x": 1}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]}]}, "messages[0].content[0].type"),
        ({"messages": [*ASK, {"role": "assistant", "content": "I think"}]}, "messages"),
        ({"system": 5}, "system"),
        ({"temperature": 1.5}, "temperature"),
        ({"stop_sequences": ["x"] * 17}, "stop_sequences"),
        ({"metadata": {"x": 1}}, "metadata"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "thinking"),
        ({"tools": [{"name": "a", "input_schema": {}}]}, "TROUPE_ENGINE_TOOL_PARSER"),
        ({"output_config": {"format": {"type": "json_schema", "schema": {"pattern": "(a+)+b"}}}}, "output_config.format.schema"),
        ({"output_config": {"effort": "high"}}, "output_config"),
        ({"cache_salt": "a"}, "cache_salt"),
        ({"priority": 1}, "priority"),
        ({"kv_transfer_params": {}}, "kv_transfer_params"),
        ({"chat_template_kwargs": {}}, "chat_template_kwargs"),
        ({"mcp_servers": [{"type": "url"}]}, "mcp_servers"),
    ],
)  # fmt: skip
async def test_what_is_not_served_is_refused_by_its_name(stage: Stage, content: dict[str, Any], word: str) -> None:
    """Nothing reaches the engine."""
    answer = await stage.http.post(PATH, json={**GOOD, **content})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert word in answer.json()["error"]["message"]
    assert stage.fake.received == []


async def test_a_form_is_asked_of_the_engine_in_its_own_words(stage: Stage) -> None:
    """As for a chat."""
    schema = {"type": "object", "properties": {"winner": {"type": "string"}}}
    answer = await stage.http.post(PATH, json={**GOOD, "output_config": {"format": {"type": "json_schema", "schema": schema}}})
    assert answer.status_code == 200, answer.text
    assert stage.fake.received[0].body["response_format"] == {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


async def test_whatever_comes_before_a_body_is_refused_in_the_same_shape(stage: Stage) -> None:
    """Another method, a body that is none, a body that is too large."""
    for answer, kind in (
        (await stage.http.get(PATH), "invalid_request_error"),
        (await stage.http.post(PATH, content=b"{"), "invalid_request_error"),
        (await stage.http.post(PATH, content=b"x" * (1 << 20) + b"x"), "request_too_large"),
    ):
        assert answer.status_code >= 400
        assert (answer.json()["type"], answer.json()["error"]["type"]) == ("error", kind)


async def test_no_name_of_the_engine_s_is_in_an_answer(stage: Stage) -> None:
    """Neither streamed nor whole."""
    for stream in (False, True):
        answer = await stage.http.post(PATH, json={**GOOD, "model": "zizou@canary", "stream": stream})
        assert answer.status_code == 200
        assert not [name for name in (*stage.hidden, CHAT_KEY, "chatcmpl") if name in answer.text]
        assert '"zizou@canary"' in answer.text
