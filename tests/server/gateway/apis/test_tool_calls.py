"""Tools through the gateway, in each API, with its own SDK: offered, called, and gone on with."""

import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio
from anthropic import AsyncAnthropic
from pydantic import SecretStr

from adapters.registry import Base, read_base
from server.gateway.settings import GatewaySettings
from tests.server.gateway.stage import CHAT_KEY, Stage, write_base
from tests.tool_template import TOOL_TEMPLATE

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASK: Any = {"role": "user", "content": "rain?"}
SCHEMA: Any = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL: Any = {"type": "function", "function": {"name": "weather", "description": None, "parameters": SCHEMA}}
FLAT: Any = {"type": "function", "name": "weather", "parameters": SCHEMA, "strict": None}
USE: Any = {"type": "tool_use", "id": "a", "name": "b", "input": {}}
CITY = {"city": "Lyon 🙃"}
ANSWER = 'Läuft bei dir? 🙃 "quoted"\n ok'


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """One whose chat template shows tools, and with room for them."""
    path = write_base(tmp_path_factory.mktemp("tools") / "base")
    (path / "chat_template.jinja").write_text(TOOL_TEMPLATE)
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 1024}))
    return read_base(path, "none")


@pytest.fixture(scope="module")
def settings() -> GatewaySettings:
    return GatewaySettings(api_key=SecretStr(CHAT_KEY), engine_tool_parser="hermes", default_max_tokens=16)


@pytest_asyncio.fixture(loop_scope="module")
async def claude(stage: Stage) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(base_url=f"http://127.0.0.1:{stage.port}", api_key=CHAT_KEY, max_retries=0, timeout=30) as opened:
        yield opened


def told(stage: Stage) -> list[dict[str, Any]]:
    """What the engine heard of the conversation, last."""
    messages: list[dict[str, Any]] = stage.fake.received[-1].body["messages"]
    return messages


def check_conversation(stage: Stage, call_id: str) -> None:
    """The engine is asked the same by every API."""
    assert all(received.body["tools"] == [TOOL] for received in stage.fake.received)
    assert told(stage) == [
        ASK,
        {"role": "assistant", "content": "", "tool_calls": [
            {"id": call_id, "type": "function", "function": {"name": "weather", "arguments": '{"city":"Lyon 🙃"}'}}
        ]},
        {"role": "tool", "content": "no", "tool_call_id": call_id},
    ]  # fmt: skip


@pytest.mark.parametrize("stream", [False, True])
async def test_a_chat_calls_a_tool_and_goes_on_with_its_result(stage: Stage, stream: bool) -> None:
    """The SDK sends its own objects back."""
    asked: Any = {"model": "base", "tools": [TOOL]}
    if stream:
        async with stage.sdk.chat.completions.stream(messages=[ASK], **asked) as opened:
            answer: Any = await opened.get_final_completion()
    else:
        answer = await stage.sdk.chat.completions.create(messages=[ASK], **asked)
    said = answer.choices[0].message
    (call,) = said.tool_calls
    assert answer.choices[0].finish_reason == "tool_calls"
    assert json.loads(call.function.arguments) == CITY
    came: Any = {"role": "tool", "tool_call_id": call.id, "content": "no"}
    last = await stage.sdk.chat.completions.create(messages=[ASK, said, came], **asked)
    assert last.choices[0].message.content == ANSWER
    check_conversation(stage, call.id)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_response_calls_a_tool_and_goes_on_with_its_result(stage: Stage, stream: bool) -> None:
    """With the items of its answer; its arguments stream as they come."""
    asked: Any = {"model": "base", "tools": [FLAT], "tool_choice": {"type": "function", "name": "weather"}}
    if stream:
        async with stage.sdk.responses.stream(input="rain?", **asked) as opened:
            deltas = [event.delta async for event in opened if event.type == "response.function_call_arguments.delta"]
            answer: Any = await opened.get_final_response()
        assert len(deltas) == 3
    else:
        answer = await stage.sdk.responses.create(input="rain?", **asked)
    (call,) = answer.output
    assert (call.type, call.name, json.loads(call.arguments), answer.status) == ("function_call", "weather", CITY, "completed")
    assert answer.tools[0].name == "weather"
    came: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "no"}
    last = await stage.sdk.responses.create(input=[{"role": "user", "content": "rain?"}, *answer.output, came], **asked)
    assert last.output_text == ANSWER
    check_conversation(stage, call.call_id)
    assert stage.fake.received[0].body["tool_choice"] == {"type": "function", "function": {"name": "weather"}}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_message_calls_a_tool_and_goes_on_with_its_result(stage: Stage, claude: AsyncAnthropic, stream: bool) -> None:
    """With the blocks of its answer, as the SDK has them or written out with all that is null in them."""
    asked: Any = {"model": "base", "max_tokens": 16, "tools": [{"name": "weather", "input_schema": SCHEMA}], "tool_choice": {"type": "any"}}
    if stream:
        async with claude.messages.stream(messages=[ASK], **asked) as opened:
            answer = await opened.get_final_message()
    else:
        answer = await claude.messages.create(messages=[ASK], **asked)
    (use,) = answer.content
    assert use.type == "tool_use"
    assert (use.name, use.input, answer.stop_reason) == ("weather", CITY, "tool_use")
    came: Any = {"type": "tool_result", "tool_use_id": use.id, "content": [{"type": "text", "text": "no"}], "is_error": False}
    for blocks in (answer.content, [use.model_dump()]):
        turns: Any = [ASK, {"role": "assistant", "content": blocks}, {"role": "user", "content": [came]}]
        last = await claude.messages.create(messages=turns, **asked)
        assert last.content[0].text == ANSWER
        check_conversation(stage, use.id)
    assert stage.fake.received[0].body["tool_choice"] == "required"


async def test_parallel_calls_can_be_declined(stage: Stage, claude: AsyncAnthropic) -> None:
    """Each API has its own word for it."""
    await stage.sdk.chat.completions.create(model="base", messages=[ASK], tools=[TOOL], parallel_tool_calls=False)
    await stage.sdk.responses.create(model="base", input="rain?", tools=[FLAT], parallel_tool_calls=False)
    choice: Any = {"type": "auto", "disable_parallel_tool_use": True}
    tools: Any = [{"name": "weather", "input_schema": SCHEMA, "cache_control": {"type": "ephemeral"}}]
    await claude.messages.create(model="base", max_tokens=16, messages=[ASK], tools=tools, tool_choice=choice)
    assert [received.body["parallel_tool_calls"] for received in stage.fake.received] == [False] * 3


async def test_tools_count_towards_the_context(stage: Stage) -> None:
    """They are part of the prompt."""
    large: Any = {**TOOL, "function": {"name": "large", "description": "goal " * 1000}}
    with pytest.raises(openai.BadRequestError) as caught:
        await stage.sdk.chat.completions.create(model="base", messages=[ASK], tools=[large], max_tokens=1)
    assert caught.value.code == "context_length_exceeded"
    assert stage.fake.received == []


@pytest.mark.parametrize(
    ("path", "content", "param"),
    [
        ("/v1/responses", {"input": "a", "tools": [{"type": "web_search"}]}, "tools[0]"),
        ("/v1/responses", {"input": "a", "tools": [{**FLAT, "defer_loading": True}]}, "tools[0].defer_loading"),
        ("/v1/responses", {"input": "a", "tools": [FLAT], "tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ("/v1/responses", {"input": "a", "tools": [FLAT], "tool_choice": {"type": "function", "name": "other"}}, "tool_choice"),
        ("/v1/responses", {"input": [{"type": "function_call", "call_id": "a", "name": "b", "arguments": {}}]}, "input[0].arguments"),
        ("/v1/responses", {"input": [{"type": "function_call_output", "call_id": "a", "output": 5}]}, "input[0].output"),
        ("/v1/responses", {"input": [{"type": "function_call_output", "call_id": "", "output": "a"}]}, "input[0].call_id"),
        ("/v1/responses", {"input": [{"type": "function_call", "call_id": "a", "name": "b", "arguments": "{}"}] * 65}, "input[64]"),
        ("/v1/chat/completions", {"messages": [ASK], "tools": [{"type": "function", "function": {"name": ""}}]}, "tools[0].function.name"),
    ],
)  # fmt: skip
async def test_what_is_no_tool_is_refused_by_its_place(stage: Stage, path: str, content: dict[str, Any], param: str) -> None:
    """Nothing reaches the engine."""
    answer = await stage.http.post(path, json={"model": "base", **content})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text
    assert stage.fake.received == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "Anthropic's are not known"),
        ({"tools": [{"name": "a", "input_schema": {"not": {}}}]}, "tools[0].input_schema"),
        ({"tools": [{"name": "a", "input_schema": {}}], "tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"tools": [{"name": "a", "input_schema": {}}], "tool_choice": {"type": "tool", "name": "b"}}, "not among tools"),
        ({"tools": [{"name": "a", "input_schema": {}}], "tool_choice": "auto"}, "tool_choice"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": {}}]}]}, "text, tool_result"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [5]}]}]}, "content[0].type"),
        ({"messages": [ASK, {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": "x"}]}, ASK]}, "input"),
        ({"messages": [ASK, {"role": "assistant", "content": [USE] * 65}, ASK]}, "at most 64 calls"),
        ({"messages": [ASK, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}] * 1024}]}, "at most 1024"),
    ],
)  # fmt: skip
async def test_what_is_no_tool_of_anthropic_s_is_refused_by_its_place(stage: Stage, content: dict[str, Any], words: str) -> None:
    """Likewise."""
    answer = await stage.http.post("/v1/messages", json={"model": "base", "max_tokens": 9, "messages": [ASK], **content})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error"), answer.text
    assert words in answer.json()["error"]["message"]
    assert stage.fake.received == []
