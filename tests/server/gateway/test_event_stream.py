"""The relay's work on bytes: whole events out, however the network cut them, and the engine's name in none of them."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.fake_answers import DONE, Answer, error_event, event
from server.gateway.errors import EngineFailed
from server.gateway.sse import MAX_EVENT_BYTES, EventStream, Renamer, Usage, read_usage

ENGINE, MODEL = "zizou-0123456789abcdef", "zizou@canary"
WORDS = (f'"model":"{ENGINE}"', "läuft 🙃", "data: [DONE]\n\n", '"choices":[],"usage":{"prompt_tokens":9')


def stream(model: str, *, chat: bool = True) -> bytes:
    """A complete stream of the engine."""
    options = {"model": model, "messages": [{"content": "a b"}], "stream_options": {"include_usage": True}}
    answer = Answer.to(options, chat=chat, tokens=4, vocabulary=WORDS)
    head = Answer(**{**answer.__dict__, "id": "chatcmpl-1", "created": 1})
    chunks = [*head.opening(), *(chunk for position in range(4) for chunk in head.chunks(position)), head.usage_chunk()]
    return b"".join(map(event, chunks)) + DONE


def relayed(pieces: list[bytes], *, include_usage: bool = True) -> tuple[bytes, EventStream]:
    events = EventStream(Renamer(ENGINE, MODEL), include_usage=include_usage)
    return b"".join(map(events.feed, pieces)), events


@pytest.mark.parametrize("chat", [True, False])
def test_cut_at_every_position_the_stream_is_the_same(chat: bool) -> None:
    """The engine's bytes with another name in them, and nothing else changed."""
    sent, expected = stream(ENGINE, chat=chat), stream(MODEL, chat=chat)
    for position in range(len(sent) + 1):
        got, events = relayed([sent[:position], sent[position:]])
        assert got == expected
        assert (events.done, events.error, events.usage) == (True, None, Usage(2, 4))


@given(cuts=st.lists(st.integers(0, 1500), max_size=30))
def test_cut_anywhere_as_often_as_you_like(cuts: list[int]) -> None:
    """What comes out is always whole events."""
    sent = stream(ENGINE)
    edges = [0, *sorted(cuts), len(sent)]
    events = EventStream(Renamer(ENGINE, MODEL), include_usage=True)
    passed = [events.feed(sent[low:high]) for low, high in pairwise(edges)]
    assert b"".join(passed) == stream(MODEL)
    assert all(not piece or piece.endswith(b"\n\n") for piece in passed)


@given(text=st.text('\u2028\u2029\x85\x1c\\"\u2027\x84a🙃', max_size=8))
def test_whatever_was_said_an_event_is_one_line(text: str) -> None:
    """To readers for whom a line ends where Unicode says so, too; and it says the same."""
    got, _ = relayed([event({"model": ENGINE, "choices": [{"delta": {"content": text}}]})])
    line, *rest = got.decode().splitlines()
    assert rest == [""]
    assert json.loads(line.removeprefix("data: ")) == {"model": MODEL, "choices": [{"delta": {"content": text}}]}


def test_usage_is_kept_back_from_who_did_not_ask() -> None:
    """It is counted all the same."""
    got, events = relayed([stream(ENGINE)], include_usage=False)
    assert b'"usage":{"prompt_tokens":2' not in got
    assert got.endswith(DONE)
    assert events.usage == Usage(2, 4)


def test_an_error_of_the_engine_ends_what_is_passed_on() -> None:
    """Neither it nor the end mark that vLLM sends after it."""
    got, events = relayed([event({"model": ENGINE, "choices": []}) + error_event() + DONE])
    assert got == event({"model": MODEL, "choices": []})
    assert events.error is not None
    assert not events.done


def test_nothing_passes_after_the_end_and_comments_do_before() -> None:
    """A keepalive keeps its meaning."""
    got, events = relayed([b": still here\n\n" + DONE + event({"model": ENGINE})])
    assert got == b": still here\n\n" + DONE
    assert events.done


@pytest.mark.parametrize("document", [b"hello", b"[]", b"5", b'{"a":', b"\xff"])
def test_what_is_no_answer_is_not_passed_on(document: bytes) -> None:
    """An engine that does not speak like one has failed."""
    with pytest.raises(EngineFailed):
        relayed([b"data: " + document + b"\n\n"])


def test_an_event_without_an_end_is_not_kept_for_ever() -> None:
    """Memory is bounded."""
    events = EventStream(Renamer(ENGINE, MODEL), include_usage=True)
    assert events.feed(b"x" * MAX_EVENT_BYTES) == b""
    with pytest.raises(EngineFailed):
        events.feed(b"x")


def test_json_written_another_way_is_renamed_too() -> None:
    """With spaces, or with a name nobody expected: the field is the caller's."""
    renamer = Renamer(ENGINE, MODEL)
    assert renamer.rename(b'{"model": "other", "text": "\xc3\xa4"}') == b'{"model":"zizou@canary","text":"\xc3\xa4"}'
    assert read_usage(b'{"usage":{"prompt_tokens":3,"total_tokens":7,"completion_tokens":4}}') == Usage(3, 4)
    assert read_usage(b"{}") is None
