"""A chat's stream, retold in the words of two other APIs: nothing is lost, whatever the network cuts and whatever was said."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.gateway.apis.anthropic_answer import MessageTeller
from server.gateway.apis.chat_answer import ChatEvents, Teller, tell_whole
from server.gateway.apis.responses_answer import ResponseTeller
from server.gateway.errors import EngineFailed
from server.gateway.sse import MAX_EVENT_BYTES, Usage

ENGINE, MODEL = "zizou-0123456789abcdef", "zizou@live"


def response() -> ResponseTeller:
    return ResponseTeller("req_1", MODEL, 7, {"tools": []})


def message() -> MessageTeller:
    return MessageTeller("req_1", MODEL)


def chunk(delta: dict[str, Any], tokens: int, finish: str | None = None, stop: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish, "stop_reason": stop}
    usage = {"prompt_tokens": 5, "total_tokens": 5 + tokens, "completion_tokens": tokens}
    return event({"id": "chatcmpl-x", "model": ENGINE, "choices": [choice], "usage": usage})


def event(content: Any) -> bytes:
    return b"data: " + json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


def usage(tokens: int) -> bytes:
    counted = {"prompt_tokens": 5, "total_tokens": 5 + tokens, "completion_tokens": tokens, "prompt_tokens_details": {"cached_tokens": 2}}
    return event({"id": "chatcmpl-x", "model": ENGINE, "choices": [], "usage": counted})


DONE = b"data: [DONE]\n\n"
OPENING = chunk({"role": "assistant", "content": ""}, 0)
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
CALLS = st.lists(st.lists(TEXTS, max_size=3), max_size=3)


def stream(texts: list[str], calls: list[list[str]], finish: str) -> bytes:
    """An answer that says `texts` and then calls a tool for each of `calls`, its arguments in pieces."""
    chunks, tokens = [OPENING], 0
    for text in texts:
        tokens += 1
        chunks.append(chunk({"content": text}, tokens))
    for index, pieces in enumerate(calls):
        head = {"index": index, "id": f"call_{index}", "type": "function", "function": {"name": f"tool_{index}", "arguments": ""}}
        chunks.append(chunk({"tool_calls": [head]}, tokens))
        for piece in pieces:
            tokens += 1
            chunks.append(chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}, tokens))
    return b"".join([*chunks, chunk({}, tokens, finish), usage(tokens), DONE])


def retold(data: bytes, teller: Teller, size: int) -> tuple[list[dict[str, Any]], ChatEvents]:
    events, told = ChatEvents(teller), b""
    for start in range(0, len(data), size):
        told += events.feed(data[start : start + size])
    assert told.endswith(b"\n\n")
    assert ENGINE.encode() not in told
    assert told.decode().splitlines() == told.decode().split("\n")[:-1]  # whatever a reader takes for an end of a line
    lines = [part.split(b"\n") for part in told.split(b"\n\n")[:-1]]
    contents = [json.loads(data.removeprefix(b"data: ")) for _, data in lines]
    assert [name for name, _ in lines] == [b"event: " + content["type"].encode() for content in contents]
    return contents, events


@given(texts=st.lists(TEXTS, max_size=4), calls=CALLS, finish=st.sampled_from(["stop", "length", "tool_calls"]), size=st.integers(1, 4000))
def test_a_response_holds_all_that_was_said_and_called(texts: list[str], calls: list[list[str]], finish: str, size: int) -> None:
    """Its deltas add up to its items, which are those of its last event; every item begins and ends once."""
    contents, events = retold(stream(texts, calls, finish), response(), size)
    assert [content["sequence_number"] for content in contents] == list(range(len(contents)))
    last = contents[-1]["response"]
    assert contents[-1]["type"] == ("response.incomplete" if finish == "length" else "response.completed")
    grown = [""] * len(last["output"])
    for content in contents:
        if content["type"].endswith(".delta"):
            assert content["item_id"] == last["output"][content["output_index"]]["id"]
            grown[content["output_index"]] += content["delta"]
    said = [item["content"][0]["text"] if item["type"] == "message" else item["arguments"] for item in last["output"]]
    assert grown == said == [*(["".join(texts)] if texts or not calls else []), *map("".join, calls)]
    for kind in ("added", "done"):
        indices = [content["output_index"] for content in contents if content["type"] == f"response.output_item.{kind}"]
        assert indices == list(range(len(grown)))
    ends = [content["item"] for content in contents if content["type"] == "response.output_item.done"]
    assert ends == last["output"]
    assert len({item["id"] for item in ends}) == len(ends)
    assert (events.done, events.tokens, events.usage) == (True, last["usage"]["output_tokens"], Usage(5, events.tokens, 2))


@given(texts=st.lists(TEXTS, max_size=4), calls=CALLS, finish=st.sampled_from(["stop", "length", "tool_calls"]), size=st.integers(1, 4000))
def test_a_message_holds_all_that_was_said_and_called(texts: list[str], calls: list[list[str]], finish: str, size: int) -> None:
    """Likewise; its blocks do not overlap."""
    contents, events = retold(stream(texts, calls, finish), message(), size)
    assert [content["type"] for content in contents[:2]] == ["message_start", "ping"]
    assert [content["type"] for content in contents[-2:]] == ["message_delta", "message_stop"]
    grown: list[str] = []
    opened = False
    for content in contents[2:-2]:
        assert content["index"] == len(grown) - (content["type"] != "content_block_start")
        if content["type"] == "content_block_start":
            assert not opened
            grown.append("")
        elif content["type"] == "content_block_delta":
            grown[-1] += content["delta"].get("text", "") + content["delta"].get("partial_json", "")
        opened = content["type"] != "content_block_stop"
    assert not opened
    assert grown == [*(["".join(texts)] if texts or not calls else []), *map("".join, calls)]
    reason = "max_tokens" if finish == "length" else "tool_use" if calls else "end_turn"
    assert contents[-2]["delta"] == {"stop_reason": reason, "stop_sequence": None}
    assert contents[-2]["usage"]["input_tokens"] + contents[-2]["usage"]["cache_read_input_tokens"] == 5
    assert contents[-2]["usage"]["output_tokens"] == events.tokens


@pytest.mark.parametrize("teller", [response, message])
@given(said=TEXTS | st.just(""), calls=CALLS)
def test_a_whole_answer_is_what_its_stream_adds_up_to(teller: Callable[[], Teller], said: str, calls: list[list[str]]) -> None:
    """The same document, whichever way it came."""
    told = [
        {"id": f"call_{index}", "type": "function", "function": {"name": f"tool_{index}", "arguments": "".join(pieces)}}
        for index, pieces in enumerate(calls)
    ]
    tokens = (1 if said else 0) + sum(map(len, calls))
    choice = {"index": 0, "message": {"role": "assistant", "content": said or None, "tool_calls": told}, "finish_reason": "stop"}
    counted = {"prompt_tokens": 5, "total_tokens": 5 + tokens, "completion_tokens": tokens, "prompt_tokens_details": {"cached_tokens": 2}}
    document = json.dumps({"model": ENGINE, "choices": [choice], "usage": counted}, separators=(",", ":")).encode()
    whole, streamed = json.loads(tell_whole(document, teller())), teller()
    _, events = retold(stream([said] if said else [], calls, "stop"), streamed, 999)
    assert whole == streamed.document(events.usage)


def test_a_stop_string_is_the_reason() -> None:
    """vLLM names it beside the finish reason; a number there is a token, and none."""
    contents, _ = retold(OPENING + chunk({"content": "a"}, 1, "stop", "###") + usage(1) + DONE, message(), 100)
    assert contents[-2]["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "###"}
    contents, _ = retold(OPENING + chunk({"content": "a"}, 1, "stop", 7) + usage(1) + DONE, message(), 100)  # type: ignore[arg-type]
    assert contents[-2]["delta"]["stop_reason"] == "end_turn"


def test_arguments_that_were_cut_off_are_empty_in_a_whole_message() -> None:
    """An object is due there, and half of one is none."""
    call = {"id": "call_1", "type": "function", "function": {"name": "a", "arguments": '{"city": "Ly'}}
    choice = {"index": 0, "message": {"content": None, "tool_calls": [call]}, "finish_reason": "length"}
    told = json.loads(tell_whole(json.dumps({"model": ENGINE, "choices": [choice]}).encode(), message()))
    assert (told["content"], told["stop_reason"]) == ([{"type": "tool_use", "id": "call_1", "name": "a", "input": {}}], "max_tokens")


@pytest.mark.parametrize("teller", [response, message])
def test_an_error_in_the_stream_is_kept_back(teller: Callable[[], Teller]) -> None:
    """Its words are the engine's; who relays tells another."""
    events = ChatEvents(teller())
    told = events.feed(OPENING + chunk({"content": "a"}, 1) + b'data: {"error": {"message": "/srv/secret"}}\n\n' + DONE)
    assert events.error is not None
    assert b"secret" not in told
    assert (events.done, events.tokens) == (False, 1)
    assert events.feed(chunk({"content": "b"}, 2)) == b""


@pytest.mark.parametrize("data", [b"data: {\n\n", b"data: []\n\n", b'data: {"x":1}\n\n', b"x" * (MAX_EVENT_BYTES + 1)])
def test_what_is_no_answer_is_an_error(data: bytes) -> None:
    """And never a bug of ours."""
    with pytest.raises(EngineFailed):
        ChatEvents(response()).feed(data)


@pytest.mark.parametrize("answer", [b"{", b"[]", b'{"choices":[]}', b'{"model":"a"}'])
def test_a_whole_answer_that_is_none_is_an_error(answer: bytes) -> None:
    """Likewise."""
    with pytest.raises(EngineFailed):
        tell_whole(answer, message())
