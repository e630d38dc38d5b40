"""Tools, choices among them, and calls: what passes, and what it becomes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.gateway.apis.parse import TOOLS_ARE_OFF, Generation, chat_dialect, engine_body, read_generation
from server.gateway.apis.tools import MAX_BYTES, MAX_TOOLS
from server.gateway.errors import InvalidRequest, UnsupportedParameter

CHAT = chat_dialect(512, no_tools=None)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "function": {"name": "weather", "description": "Of today.", "parameters": SCHEMA}}
ASK = {"role": "user", "content": "is it raining in Lyon?"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Lyon"}'}}
CALLED: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [CALL]}
CAME = {"role": "tool", "tool_call_id": "call_1", "content": "no"}


def function(**fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": fields}


def read(**content: Any) -> Generation:
    return read_generation({"model": "zizou", "messages": [ASK], **content}, CHAT)


def heard(**content: Any) -> dict[str, Any]:
    generation = read(**content)
    return engine_body(
        generation, CHAT, engine_name="e", prompts=generation.prompts, toolbox=generation.toolbox, max_tokens=7, cache_salt="salt"
    )


def test_tools_reach_the_engine_built_anew() -> None:
    """With a choice, as vLLM would assume it."""
    body = heard(tools=[WEATHER])
    assert body["tools"] == [WEATHER]
    assert (body["tool_choice"], body["parallel_tool_calls"]) == ("auto", True)
    named = {"type": "function", "function": {"name": "weather"}}
    body = heard(tools=[WEATHER], tool_choice=named, parallel_tool_calls=False)
    assert (body["tool_choice"], body["parallel_tool_calls"]) == (named, False)
    assert "tools" not in heard(tools=[], tool_choice="auto")


def test_a_conversation_goes_on_through_a_tool_s_result() -> None:
    """The call that the model made and what came of it are told to the engine, in their order."""
    body = heard(messages=[ASK, CALLED, CAME], tools=[WEATHER])
    asked, called, came = body["messages"]
    assert asked == ASK
    assert called == {
        "role": "assistant",
        "content": "",
        "tool_calls": [{**CALL, "function": {"name": "weather", "arguments": '{"city":"Lyon"}'}}],
    }
    assert came == CAME


@pytest.mark.parametrize("arguments", ["", "{", "[]", "null", '{"a": 1, "a": 2}', '{"a": NaN}', '{"a": "\\ud800"}', "[" * 100_000])
def test_arguments_that_are_no_object_become_an_empty_one(arguments: str) -> None:
    """A model that was cut off in the middle of a call must not make its conversation unreadable."""
    call = {**CALL, "function": {"name": "weather", "arguments": arguments}}
    body = heard(messages=[ASK, {**CALLED, "tool_calls": [call]}, CAME])
    assert body["messages"][1]["tool_calls"][0]["function"]["arguments"] == "{}"


@pytest.mark.parametrize(
    ("content", "param"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": [WEATHER] * 2}, "tools"),
        ({"tools": [function(name=f"t{index}") for index in range(MAX_TOOLS + 1)]}, "tools"),
        ({"tools": [function(name=f"t{i}", description="x" * (MAX_BYTES // 4)) for i in range(5)]}, "tools"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"tools": [{**WEATHER, "defer_loading": True}]}, "tools[0].defer_loading"),
        ({"tools": [function(name="a b")]}, "tools[0].function.name"),
        ({"tools": [function(name="a", description=5)]}, "tools[0].function.description"),
        ({"tools": [function(name="a", strict="yes")]}, "tools[0].function.strict"),
        ({"tools": [function(name="a", x=1)]}, "tools[0].function.x"),
        ({"tools": [function(name="a", parameters={"pattern": "(a+)+b"})]}, "tools[0].function.parameters.pattern"),
        ({"tools": [WEATHER], "tool_choice": "any"}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "other"}}}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "weather", "x": 1}}}, "tool_choice.function"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"parallel_tool_calls": 1}, "parallel_tool_calls"),
        ({"messages": [{"role": "tool", "content": "no"}]}, "messages[0].tool_call_id"),
        ({"messages": [{**CAME, "tool_call_id": "x" * 129}]}, "messages[0].tool_call_id"),
        ({"messages": [{**CAME, "tool_calls": [CALL]}]}, "messages[0].tool_calls"),
        ({"messages": [{**ASK, "tool_calls": [CALL]}]}, "messages[0].tool_calls"),
        ({"messages": [{**CALLED, "tool_calls": [CALL] * 65}]}, "messages[0].tool_calls"),
        ({"messages": [{**CALLED, "tool_calls": [{**CALL, "type": "custom"}]}]}, "messages[0].tool_calls[0]"),
        ({"messages": [{**CALLED, "tool_calls": [{**CALL, "id": "a\nb"}]}]}, "messages[0].tool_calls[0].id"),
        ({"messages": [{"role": "assistant", "content": None}]}, "messages[0].content"),
    ],
)  # fmt: skip
def test_what_is_no_tool_and_no_call_is_refused_by_its_place(content: dict[str, Any], param: str) -> None:
    """Nothing of it reaches an engine."""
    with pytest.raises(InvalidRequest) as caught:
        read(**content)
    assert caught.value.param == param


def test_arguments_are_not_deep() -> None:
    """They are shown to a chat template, which walks them."""
    deep = json.dumps({"a": json.loads("[" * 20 + "]" * 20)})
    call = {**CALL, "function": {"name": "weather", "arguments": deep}}
    with pytest.raises(InvalidRequest, match="nested more than 16 deep"):
        read(messages=[ASK, {**CALLED, "tool_calls": [call]}])


@pytest.mark.parametrize("content", [{"tools": [WEATHER]}, {"tool_choice": "required"}])
def test_without_a_parser_tools_are_refused_with_what_to_set(content: dict[str, Any]) -> None:
    """And messages of tools with them; what asks for no tool still passes."""
    off = chat_dialect(512)
    with pytest.raises(UnsupportedParameter, match="TROUPE_ENGINE_TOOL_PARSER") as caught:
        read_generation({"model": "zizou", "messages": [ASK], **content}, off)
    assert str(caught.value) == TOOLS_ARE_OFF
    with pytest.raises(InvalidRequest):
        read_generation({"model": "zizou", "messages": [ASK, CALLED, CAME]}, off)
    assert read_generation({"model": "zizou", "messages": [ASK], "tools": [], "tool_choice": "none"}, off).toolbox is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"type": "json_object"}),
        (
            {"type": "json_schema", "json_schema": {"name": "place", "description": "…", "schema": SCHEMA, "strict": True}},
            {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}},
        ),
    ],
)
def test_a_response_format_goes_into_vllm_s_own_field(given: dict[str, Any], told: dict[str, Any] | None) -> None:
    """And any text needs none."""
    assert heard(response_format=given).get("response_format") == told


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ("json", "response_format.type"),
        ({"type": "structural_tag", "format": {}}, "response_format.type"),
        ({"type": "json_object", "json_schema": {}}, "response_format.json_schema"),
        ({"type": "json_schema"}, "response_format.json_schema"),
        ({"type": "json_schema", "json_schema": {"name": "", "schema": {}}}, "response_format.json_schema.name"),
        ({"type": "json_schema", "json_schema": {"name": "a"}}, "response_format.json_schema.schema"),
        ({"type": "json_schema", "json_schema": {"name": "a", "schema": {}, "strict": 1}}, "response_format.json_schema.strict"),
        ({"type": "json_schema", "json_schema": {"name": "a", "schema": {}, "backend": "x"}}, "response_format.json_schema.backend"),
        ({"type": "json_schema", "json_schema": {"name": "a", "schema": {"pattern": "x"}}}, "response_format.json_schema.schema.pattern"),
    ],
)
def test_another_response_format_is_refused_by_its_place(given: Any, param: str) -> None:
    """No other way to bind an answer is reached."""
    with pytest.raises(InvalidRequest) as caught:
        read(response_format=given)
    assert caught.value.param == param


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "function", "name", "parameters", "arguments", "id", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(tools=JSON, choice=JSON, calls=JSON, came=JSON)
def test_whatever_is_sent_is_refused_or_built_anew(tools: Any, choice: Any, calls: Any, came: Any) -> None:
    """No field of a caller's passes that is not known."""
    messages = [ASK, {"role": "assistant", "content": "x", "tool_calls": calls}, {"role": "tool", "content": "y", "tool_call_id": came}]
    for content in ({"tools": tools, "tool_choice": choice}, {"messages": messages}):
        try:
            body = heard(**content)
        except InvalidRequest:
            continue
        assert all(set(tool) == {"type", "function"} for tool in body.get("tools", ()))
        assert all(set(turn) <= {"role", "content", "tool_calls", "tool_call_id"} for turn in body["messages"])
