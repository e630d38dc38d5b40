import inspect
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.runpod.protocol import BadJob, Call, WholeEvents, error_event, parse_job
from deploy.runpod.settings import engine_environment
from deploy.runpod.worker import Worker

STREAM = "data: ⚽🥳\n\n: ping\r\n\r\ndata: żółć\n\ndata: [DONE]\n\n".encode()


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_pieces_are_whole_events_however_the_bytes_are_cut(cuts: list[int]) -> None:
    """Nothing is lost, nothing is broken, and no piece ends within an event."""
    edges = [0, *sorted(cuts), len(STREAM)]
    events = WholeEvents()
    pieces = [events.feed(STREAM[a:b]) for a, b in itertools.pairwise(edges)]
    assert "".join(pieces) == STREAM.decode()
    assert all(piece.endswith(("\n\n", "\r\n\r\n")) for piece in pieces if piece)
    assert events.is_done


@pytest.mark.parametrize("cut", [STREAM[:-1], STREAM[: -len(b"data: [DONE]\n\n")], b"", STREAM + b"data: more\n\n", STREAM + b"data"])
def test_only_a_stream_that_says_so_is_done(cut: bytes) -> None:
    """Without its last line, or with anything after it, a stream counts as cut."""
    events = WholeEvents()
    events.feed(cut)
    assert not events.is_done


def test_calls_are_read() -> None:
    """Both completion routes and the list of models are calls; the list needs no body."""
    body = {"model": "base", "stream": True}
    assert parse_job({"openai_route": "/v1/completions", "openai_input": body}) == Call("/v1/completions", body)
    assert parse_job({"openai_route": "/v1/completions", "openai_input": body}).is_stream
    assert parse_job({"openai_route": "/v1/models"}) == Call("/v1/models")


@pytest.mark.parametrize(
    "model", ["zizou", "zizou@7", "zizou-0123456789abcdef\n", "../a-0123456789abcdef", "ZIZOU-0123456789abcdef", 7, None]
)
def test_only_engine_names_reach_the_engine(model: object) -> None:
    """Model strings that the gateway would still have to resolve, and anything that is no name, are a 404 that names the field."""
    with pytest.raises(BadJob) as refusal:
        parse_job({"openai_route": "/v1/completions", "openai_input": {"model": model}})
    assert refusal.value.answer["status"] == 404
    assert refusal.value.answer["body"]["error"]["code"] == "model_not_found"


def test_an_error_event_is_one_event() -> None:
    """Line breaks in a message do not end the event early."""
    assert error_event("one\n\ntwo").count("\n\n") == 1


def test_the_sdk_sees_a_generator() -> None:
    """The SDK streams only what `inspect` calls an async generator function; a wrapper around one it would not recognise."""
    assert inspect.isasyncgenfunction(Worker.handle)


def test_the_engine_gets_none_of_the_platforms_credentials() -> None:
    """The worker's own account key stays with the worker."""
    environment = engine_environment(Path("/s"), "k", {"RUNPOD_AI_API_KEY": "account", "TROUPE_BASE": "/base"})
    assert environment == {
        "TROUPE_BASE": "/base",
        "TROUPE_ENGINE_SOCKET": "/s",
        "TROUPE_ENGINE_API_KEY": "k",
        "TROUPE_ENGINE_LIFELINE": "true",
    }
