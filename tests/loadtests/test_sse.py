import itertools
import json

from hypothesis import given
from hypothesis import strategies as st

from loadtests.sse import EventBuffer, Piece, read_piece

STREAM = 'data: {"a": "🥳"}\n\n: keepalive\n\ndata: {"b": 2}\r\n\r\nevent: error\ndata: x\ndata: y\n\ndata: [DONE]\n\n'.encode()
EVENTS = ['{"a": "🥳"}'.encode(), b'{"b": 2}', b"x\ny", b"[DONE]"]


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_events_survive_any_cut(cuts: list[int]) -> None:
    """However the bytes are cut, also within a character or a line end, the same events come out."""
    edges = [0, *sorted(cuts), len(STREAM)]
    buffer = EventBuffer()
    seen = [data for a, b in itertools.pairwise(edges) for data in buffer.feed(STREAM[a:b])]
    assert seen == EVENTS


def test_an_unfinished_event_is_not_given_out() -> None:
    """Bytes without a closing blank line are no event yet."""
    assert EventBuffer().feed(b"data: {}\n") == []


def test_pieces_of_chat_and_text_completions() -> None:
    """Text is found in both shapes, reasoning counts as text, and usage is the server's own."""
    chat = {"choices": [{"delta": {"content": "hi"}}]}
    thought = {"choices": [{"delta": {"content": None, "reasoning_content": "hm"}}]}
    text = {"choices": [{"text": "ho"}]}
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 5}}
    pieces = [read_piece(json.dumps(event).encode()) for event in (chat, thought, text, usage)]
    assert [piece.text for piece in pieces] == ["hi", "hm", "ho", ""]
    assert pieces[3] == Piece(prompt_tokens=3, completion_tokens=5)


def test_errors_in_a_stream_have_a_class() -> None:
    """An error event is classed by its code, else its type; what is no event at all is a bad event."""
    assert read_piece(b'{"error": {"type": "server_error", "code": "engine_gone"}}').error == "stream error: engine_gone"
    assert read_piece(b'{"error": {"type": "server_error"}}').error == "stream error: server_error"
    assert read_piece(b'{"error": "boom"}').error == "stream error: unknown"
    for nonsense in (b"{", b"[]", b"{}", b'{"choices": 3}', b'{"choices": [7]}'):
        assert read_piece(nonsense).error == "bad event"
