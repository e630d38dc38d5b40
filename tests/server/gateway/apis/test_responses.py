"""What a user of the openai SDK meets at /v1/responses."""

import json
from typing import Any

import openai
import pytest
from openai.types.responses import Response, ResponseCompletedEvent, ResponseIncompleteEvent

from loadtests.fake_engine import Fault
from tests.server.gateway.stage import CHAT_KEY, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASK = "who wins tonight?"
ANSWER = 'Läuft bei dir? 🙃 "quoted"\n ok'
PATH = "/v1/responses"


async def test_a_response_is_answered_under_the_name_that_was_asked(stage: Stage) -> None:
    """The engine is asked for a chat; its answer comes back in the other API's words, with usage."""
    response = await stage.sdk.responses.create(model="zizou", input=ASK, instructions="be brief", temperature=0.5, max_output_tokens=8)
    assert (response.model, response.output_text, response.status) == ("zizou", ANSWER, "completed")
    assert (response.instructions, response.temperature) == ("be brief", 0.5)
    assert response.usage is not None
    assert (response.usage.output_tokens, response.usage.total_tokens) == (8, response.usage.input_tokens + 8)
    (received,) = stage.fake.received
    assert received.path == "/v1/chat/completions"
    assert received.body["messages"] == [{"role": "system", "content": "be brief"}, {"role": "user", "content": ASK}]
    assert (received.body["max_completion_tokens"], received.body["temperature"]) == (8, 0.5)
    assert len(received.body["cache_salt"]) == 64
    assert set(received.body) == {"model", "messages", "max_completion_tokens", "temperature", "cache_salt", "stream"}


async def test_a_response_can_be_streamed(stage: Stage) -> None:
    """In numbered events, from `created` to `completed`, whose response is the one that a whole answer would be."""
    events = [event async for event in await stage.sdk.responses.create(model="zizou", input=ASK, stream=True)]
    kinds = [event.type for event in events]
    assert kinds[:4] == ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]
    assert kinds[4:-4] == ["response.output_text.delta"] * 8
    assert kinds[-4:] == [
        "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed",
    ]  # fmt: skip
    assert [event.sequence_number for event in events] == list(range(len(events)))
    last = events[-1]
    assert isinstance(last, ResponseCompletedEvent)
    assert last.response.output_text == ANSWER
    assert last.response.model == "zizou"
    assert last.response.usage is not None
    assert last.response.usage.output_tokens == 8
    whole = await stage.sdk.responses.create(model="zizou", input=ASK)
    assert _unlike(whole) == _unlike(last.response)


def _unlike(response: Response) -> dict[str, Any]:
    """Without what differs from one answer to the next."""
    told = response.model_dump(exclude={"id", "created_at"})
    for item in told["output"]:
        del item["id"]
    return told


async def test_what_was_cut_off_says_so(stage: Stage) -> None:
    """Streamed or not."""
    whole = await stage.sdk.responses.create(model="zizou", input=ASK, max_output_tokens=2)
    assert whole.status == "incomplete"
    assert whole.incomplete_details is not None
    assert whole.incomplete_details.reason == "max_output_tokens"
    assert whole.output[-1].status == "incomplete"  # type: ignore[union-attr]
    *_, last = [event async for event in await stage.sdk.responses.create(model="zizou", input=ASK, max_output_tokens=2, stream=True)]
    assert isinstance(last, ResponseIncompleteEvent)


async def test_a_conversation_is_sent_back_as_it_came(stage: Stage) -> None:
    """The items of one answer go into the next request, beside messages in every shape."""
    first = await stage.sdk.responses.create(model="zizou", input=ASK)
    turns: list[Any] = [
        {"role": "developer", "content": "be kind"},
        {"role": "user", "content": [{"type": "input_text", "text": "who "}, {"type": "input_text", "text": "wins?"}]},
        *first.output,
        {"type": "message", "role": "user", "content": "and then?"},
    ]
    await stage.sdk.responses.create(model="zizou", input=turns, instructions="be brief")
    assert stage.fake.received[-1].body["messages"] == [
        {"role": "system", "content": "be brief\n\nbe kind"},
        {"role": "user", "content": "who wins?"},
        {"role": "assistant", "content": ANSWER},
        {"role": "user", "content": "and then?"},
    ]


@pytest.mark.parametrize("fault", [Fault.DIE, Fault.END_EARLY, Fault.ERROR_EVENT])
async def test_an_engine_that_fails_in_a_stream_is_an_error_and_no_end(stage: Stage, fault: Fault) -> None:
    """After the tokens that came."""
    stage.fault(fault=fault)
    stream = await stage.sdk.responses.create(model="zizou", input=ASK, stream=True)
    deltas = 0
    with pytest.raises(openai.APIError) as caught:  # noqa: PT012
        async for event in stream:
            deltas += event.type == "response.output_text.delta"
    assert deltas == 3
    assert caught.value.code in ("engine_unavailable", "engine_error")


@pytest.mark.parametrize(
    ("content", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": ""}, "input"),
        ({"input": [{"role": "user", "content": "a"}] * 1025}, "input"),
        ({"input": ["a"]}, "input[0]"),
        ({"input": [{"role": "tool", "content": "a"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://a"}]}]}, "input[0].content[0].type"),
        ({"input": [{"role": "user", "content": "a", "x": 1}]}, "input[0].x"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].type"),
        ({"input": [{"type": "function_call", "call_id": "a", "name": "b", "arguments": "{}"}]}, "input[0].type"),
        ({"store": True}, "store"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"instructions": 5}, "instructions"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"text": {"format": {"type": "json_schema", "name": "a", "schema": {"pattern": "(a+)+b"}}}}, "text.format.schema.pattern"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
        ({"text": {"x": 1}}, "text.x"),
        ({"tools": [{"type": "function", "name": "a"}]}, "tools"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"reasoning": {"effort": "high"}}, "reasoning"),
        ({"include": ["message.output_text.logprobs"]}, "include"),
        ({"priority": 1}, "priority"),
        ({"cache_salt": "a"}, "cache_salt"),
        ({"messages": []}, "messages"),
        ({"request_id": "a"}, "request_id"),
    ],
)  # fmt: skip
async def test_what_is_not_served_is_refused_by_its_name(stage: Stage, content: dict[str, Any], param: str) -> None:
    """Nothing reaches the engine."""
    answer = await stage.http.post(PATH, json={"model": "zizou", "input": ASK, **content})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text
    assert stage.fake.received == []


async def test_what_asks_for_nothing_is_dropped(stage: Stage) -> None:
    """Agents send it unasked."""
    asked = {
        "store": False, "include": ["reasoning.encrypted_content"], "reasoning": {"effort": None, "summary": None},
        "truncation": "disabled",
        "tools": [], "tool_choice": "auto", "parallel_tool_calls": True, "service_tier": "auto", "previous_response_id": None,
        "metadata": {"a": "b"}, "user": "Ann", "prompt_cache_key": "x", "text": {"format": {"type": "text"}, "verbosity": "medium"},
    }  # fmt: skip
    answer = await stage.http.post(PATH, json={"model": "zizou", "input": ASK, **asked})
    assert answer.status_code == 200, answer.text
    assert answer.json()["metadata"] == {"a": "b"}
    assert set(stage.fake.received[0].body) == {"model", "messages", "max_completion_tokens", "cache_salt", "stream"}


async def test_a_form_is_asked_of_the_engine_in_its_own_words(stage: Stage) -> None:
    """And is in the answer as it was understood."""
    schema = {"type": "object", "properties": {"winner": {"type": "string"}}, "required": ["winner"], "additionalProperties": False}
    form = {"type": "json_schema", "name": "tip", "schema": schema, "strict": True}
    answer = await stage.http.post(PATH, json={"model": "zizou", "input": ASK, "text": {"format": form}})
    assert stage.fake.received[0].body["response_format"] == {"type": "json_schema", "json_schema": {"name": "tip", "schema": schema}}
    assert answer.json()["text"]["format"] == {**form, "description": None}


async def test_a_prompt_over_the_context_names_the_input(stage: Stage) -> None:
    """As it is called there."""
    answer = await stage.http.post(PATH, json={"model": "zizou", "input": "goal " * 200})
    assert (answer.json()["error"]["code"], answer.json()["error"]["param"]) == ("context_length_exceeded", "input")


async def test_nothing_is_kept(stage: Stage) -> None:
    """There is no earlier response to look at, and that is said."""
    for method in ("GET", "DELETE", "POST"):
        answer = await stage.http.request(method, f"{PATH}/resp_1")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_url")
        assert "Nothing is kept" in answer.json()["error"]["message"]


async def test_there_are_no_embeddings(stage: Stage) -> None:
    """A clear 404 in the SDK's own class; a stranger learns not even that."""
    with pytest.raises(openai.NotFoundError, match="no embeddings here"):
        await stage.sdk.embeddings.create(model="zizou", input="a")
    assert (await stage.http.post("/v1/embeddings", headers={"authorization": "Bearer x"})).status_code == 401


async def test_no_name_of_the_engine_s_is_in_an_answer(stage: Stage) -> None:
    """Neither streamed nor whole."""
    for stream in (False, True):
        answer = await stage.http.post(PATH, json={"model": "zizou@canary", "input": ASK, "stream": stream})
        assert answer.status_code == 200
        assert not [name for name in (*stage.hidden, CHAT_KEY, "chatcmpl") if name in answer.text]
        assert json.dumps("zizou@canary") in answer.text
