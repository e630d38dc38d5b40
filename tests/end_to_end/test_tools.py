"""JSON and tools through the official SDKs, against real vLLM: on a base whose chat template shows tools.

Its model has learnt to call one tool, and the engine binds its calls as it does everybody's.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import anthropic
import pytest
from anthropic import Anthropic
from jsonschema import validate
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel, Field

from server.gateway.apis.messages import Message
from server.gateway.apis.tools import Choice, Tool, Toolbox, ToolCall
from server.gateway.tokens import PromptMeter
from tests.end_to_end.stack import API_KEY, Stack, start_stack
from tests.end_to_end.tool_user import teach
from tests.tool_template import TOOL_TEMPLATE

pytestmark = pytest.mark.engine

ASK = "is it raining in Lyon?"
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": ASK}]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"enum": ["Lyon", "Paris"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
WEATHER: Any = {"type": "function", "function": {"name": "weather", "description": "Of the next days.", "parameters": SCHEMA}}
NOW: Any = {"type": "function", "function": {"name": "now"}}


class Tip(BaseModel):
    """Bounded, as the model would not find the end of a string."""

    winner: Literal["home", "away"]
    goals: int = Field(ge=0, le=9)
    sure: bool


@pytest.fixture(scope="module")
def tools(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of the demo's base, with tools in its chat template, and taught to call one."""
    folder = tmp_path_factory.mktemp("tools")
    base = shutil.copytree(demo / "base", folder / "base")
    (base / "chat_template.jinja").write_text(TOOL_TEMPLATE)
    weather, unsaid, now = Tool("weather", "Of the next days.", SCHEMA).told(), Tool("weather", None, SCHEMA).told(), Tool("now").told()
    teach(base, [[weather, now], [weather], [unsaid]])
    running = start_stack(folder / "home", TROUPE_BASE=str(base), TROUPE_ENGINE_TOOL_PARSER="hermes")
    yield running
    running.stop()


@pytest.fixture
def client(tools: Stack) -> Iterator[OpenAI]:
    with OpenAI(base_url=tools.v1, api_key=API_KEY, max_retries=0, timeout=120) as opened:
        yield opened


@pytest.fixture
def claude(tools: Stack) -> Iterator[Anthropic]:
    with Anthropic(base_url=tools.url, api_key=API_KEY, max_retries=0, timeout=120) as opened:
        yield opened


def test_an_answer_follows_a_schema(client: OpenAI) -> None:
    """As the SDK makes one of a class, and reads the answer back into it."""
    parsed = client.chat.completions.parse(model="base", messages=HELLO, response_format=Tip, max_tokens=60, seed=1)
    assert parsed.choices[0].finish_reason == "stop"
    assert parsed.choices[0].message.parsed is not None


def test_an_answer_is_an_object(client: OpenAI) -> None:
    """Any JSON, streamed: of this model, as far as it comes."""
    stream = client.chat.completions.create(
        model="base", messages=HELLO, response_format={"type": "json_object"}, max_tokens=20, seed=3, stream=True
    )
    text = "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)
    assert text.startswith(("{", " {", "\n{"))


@pytest.mark.parametrize("stream", [False, True])
def test_a_chat_calls_a_tool_and_goes_on_with_its_result(client: OpenAI, stream: bool) -> None:
    """The arguments follow the tool's schema; what came of the call is read, and the model speaks again."""
    choice: Any = {"type": "function", "function": {"name": "weather"}}
    asked: Any = {"model": "base", "tools": [WEATHER, NOW], "max_tokens": 160, "seed": 5}
    if stream:
        with client.chat.completions.stream(messages=HELLO, tool_choice=choice, **asked) as opened:
            for _ in opened:
                pass
            answer: Any = opened.get_final_completion()
    else:
        answer = client.chat.completions.create(messages=HELLO, tool_choice=choice, **asked)
    said = answer.choices[0].message
    (call,) = said.tool_calls
    assert call.function.name == "weather"
    validate(json.loads(call.function.arguments), SCHEMA)
    came: Any = {"role": "tool", "tool_call_id": call.id, "content": "no"}
    last = client.chat.completions.create(messages=[*HELLO, said, came], **asked)
    assert last.choices[0].message.content


def test_a_model_that_may_call_a_tool_does(client: OpenAI) -> None:
    """By itself, and answers without one where none is offered."""
    asked: Any = {"model": "base", "messages": HELLO, "max_tokens": 160, "temperature": 0}
    said: Any = client.chat.completions.create(tools=[WEATHER, NOW], **asked).choices[0].message
    (call,) = said.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)["city"]) == ("weather", "Lyon")
    without = client.chat.completions.create(**asked).choices[0].message
    assert (without.content, without.tool_calls) == ("nobody can say that of Lyon.", None)


def test_a_prompt_with_tools_is_counted_as_the_engine_counts_it(client: OpenAI, tools: Stack) -> None:
    """To the token: budgets and the context depend on it."""
    meter = PromptMeter(tools.home.parent / "base")
    weather, now = Tool("weather", "Of the next days.", SCHEMA), Tool("now")
    call = ToolCall("call_1", "weather", {"city": "Lyon", "days": 2})
    turns: Any = [
        *HELLO,
        {"role": "assistant", "content": "let me see", "tool_calls": [call.told()]},
        {"role": "tool", "tool_call_id": "call_1", "content": "läuft 🙃"},
    ]
    read = (Message("user", ASK), Message("assistant", "let me see", (call,)), Message("tool", "läuft 🙃", call_id="call_1"))
    boxes: list[tuple[Toolbox | None, Any]] = [
        (None, {}),
        (Toolbox((weather, now)), {"tools": [WEATHER, NOW]}),
        (Toolbox((weather,), Choice("none")), {"tools": [WEATHER], "tool_choice": "none"}),
    ]
    for box, asked in boxes:
        answer = client.chat.completions.create(model="base", messages=turns, max_tokens=1, **asked)
        assert answer.usage is not None
        assert answer.usage.prompt_tokens == meter.count(read, 10_000, box)


def test_a_response_calls_a_tool_and_goes_on_with_its_result(client: OpenAI) -> None:
    """Streamed, and through the items that it gave."""
    function: Any = {"type": "function", "name": "weather", "parameters": SCHEMA}
    with client.responses.stream(
        model="base", input=ASK, tools=[function], tool_choice={"type": "function", "name": "weather"}, max_output_tokens=160
    ) as opened:
        for _ in opened:
            pass
        first = opened.get_final_response()
    calls = [item for item in first.output if item.type == "function_call"]
    assert calls
    validate(json.loads(calls[0].arguments), SCHEMA)
    results: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "no"} for call in calls]
    turns: Any = [{"role": "user", "content": ASK}, *first.output, *results]
    last = client.responses.create(model="base", input=turns, max_output_tokens=40)
    assert last.output_text
    assert last.usage is not None
    assert last.usage.output_tokens > 0


def test_a_response_follows_a_schema(client: OpenAI) -> None:
    """As the SDK makes one of a class."""
    parsed = client.responses.parse(model="base", input=ASK, text_format=Tip, max_output_tokens=60)
    assert parsed.output_parsed is not None


def test_a_message_calls_a_tool_and_goes_on_with_its_result(claude: Anthropic) -> None:
    """Streamed, through Anthropic's own SDK."""
    asked: Any = {"model": "base", "max_tokens": 160, "tools": [{"name": "weather", "input_schema": SCHEMA}]}
    choice: Any = {"type": "tool", "name": "weather"}
    with claude.messages.stream(messages=[{"role": "user", "content": ASK}], tool_choice=choice, **asked) as opened:
        first = opened.get_final_message()
    uses = [block for block in first.content if block.type == "tool_use"]
    assert first.stop_reason == "tool_use"
    validate(uses[0].input, SCHEMA)
    results: Any = [{"type": "tool_result", "tool_use_id": use.id, "content": [{"type": "text", "text": "no"}]} for use in uses]
    turns: Any = [{"role": "user", "content": ASK}, {"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    last = claude.messages.create(messages=turns, **asked)
    assert last.content[0].type == "text"
    assert last.usage.output_tokens > 0


def test_a_stop_sequence_is_told(claude: Anthropic) -> None:
    """With the string that ended the answer."""
    turns: Any = [{"role": "user", "content": ASK}]
    whole = claude.messages.create(model="base", max_tokens=40, messages=turns, extra_body={"temperature": 0}).content[0]
    assert whole.type == "text"
    word = whole.text.split()[1]
    cut = claude.messages.create(model="base", max_tokens=40, messages=turns, stop_sequences=[word], extra_body={"temperature": 0})
    assert (cut.stop_reason, cut.stop_sequence) == ("stop_sequence", word)
    assert word not in cut.content[0].text  # type: ignore[union-attr]


def test_a_schema_that_never_ends_is_refused_and_the_engine_goes_on(client: OpenAI, claude: Anthropic) -> None:
    """Nobody else notices."""
    endless: Any = {"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}}}
    with pytest.raises(anthropic.BadRequestError, match="refers to itself"):
        claude.messages.create(
            model="base", max_tokens=9, messages=[{"role": "user", "content": ASK}], tools=[{"name": "a", "input_schema": endless}]
        )
    assert client.chat.completions.create(model="base", messages=HELLO, max_tokens=8).choices[0].message.content
