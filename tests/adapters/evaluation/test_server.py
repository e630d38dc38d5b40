"""The client of a running server: what it sends, what it makes of answers, and one sentence for everything that goes wrong."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.evaluation.errors import NotServed
from adapters.evaluation.server import NUMBERS_AT_ONCE, PROMPTS_AT_ONCE, RunningServer, batches
from tests.adapters.evaluation.stub_server import KEY, URL, StubServer, expected

TEXTS = [[1, 2, 3], [4, 9], [5, 5, 5, 5]]


def test_texts_are_scored_in_their_order() -> None:
    """Each position but the first, with the text's own token and the likeliest."""
    stub = StubServer()
    scored = stub.client().score("zizou", TEXTS, 3)
    assert [list(each.tokens) for each in scored] == TEXTS
    for text, each in zip(TEXTS, scored, strict=True):
        assert len(each.positions) == len(text) - 1
        for (before, token), position in zip(pairwise(text), each.positions, strict=True):
            assert position[token] == expected("zizou@7", before)[token]
            assert len(position) in (3, 4)
    (body,) = stub.asked
    assert body == {"model": "zizou", "prompt": TEXTS, "max_tokens": 1, "prompt_logprobs": 3, "temperature": 0.0}


def test_a_log_likelihood_is_the_sum_over_what_was_asked_for() -> None:
    """From a position on."""
    (scored,) = StubServer().client().score("base", [[1, 2, 3, 9]], 0)
    known = [expected("base", before)[token] for before, token in ((1, 2), (2, 3), (3, 9))]
    assert scored.log_likelihood(1) == pytest.approx(sum(known))
    assert scored.log_likelihood(3) == known[2]


@given(lengths=st.lists(st.integers(2, 9000), max_size=60), top=st.integers(0, 20))
def test_no_request_holds_more_than_a_gateway_takes(lengths: Sequence[int], top: int) -> None:
    """All texts, in order; a single text that is larger goes alone."""
    texts = [range(length) for length in lengths]
    groups = list(batches(texts, top))
    assert [text for group in groups for text in group] == texts
    for group in groups:
        assert 0 < len(group) <= PROMPTS_AT_ONCE
        assert len(group) == 1 or sum(map(len, group)) * (top + 1) <= NUMBERS_AT_ONCE


def test_an_alias_is_held_to_its_version() -> None:
    """A promotion in the middle of an evaluation changes nothing."""
    client = StubServer().client()
    assert client.version("zizou") == "zizou@7"
    assert client.version("base") == "base"


def test_an_engine_that_wakes_is_waited_for() -> None:
    """And not for ever."""
    stub = StubServer(refusals=[(503, "The engine starts."), (429, "Too many.")])
    assert stub.client().version("base") == "base"
    assert len(stub.pauses) == 2
    stub = StubServer(refusals=[(503, "The engine starts.")] * 99)
    with pytest.raises(NotServed, match="The engine starts"):
        stub.client().version("base")
    assert sum(stub.pauses) == 6.0


@pytest.mark.parametrize(
    ("stub", "sentence"),
    [
        (StubServer(refusals=[(401, "This API key is not known here.")]), "TROUPE_EVALUATE_KEY"),
        (StubServer(refusals=[(403, "echo needs the scope evaluate.")]), "TROUPE_EVALUATE_KEY"),
        (StubServer(refusals=[(400, "The model holds 64 tokens.")]), "The model holds 64 tokens"),
        (StubServer(broken=b"<html>"), "another shape"),
        (StubServer(broken={"choices": []}), "scored 0 of 3"),
        (StubServer(broken=[]), "another shape"),
        (StubServer(broken={"choices": [{"index": n, "prompt_logprobs": None} for n in range(3)]}), "another shape"),
        (StubServer(broken={"choices": [{"index": n, "prompt_logprobs": [None]} for n in range(3)]}), "another shape"),
        (StubServer(broken={"choices": [{"index": n, "prompt_logprobs": [None, {}, {}]} for n in range(3)]}), "another shape"),
    ],
    ids=["wrong key", "key without the scope", "too long", "no JSON", "fewer texts", "a list", "no scores", "short", "without its token"],
)
def test_what_goes_wrong_is_one_sentence(stub: StubServer, sentence: str) -> None:
    """What happened and what to do; nothing half-read is used."""
    with pytest.raises(NotServed, match=sentence) as caught:
        stub.client().score("base", TEXTS, 2)
    assert str(caught.value).count("\n") == 0
    assert KEY not in str(caught.value)


def test_a_model_that_is_not_served_is_named() -> None:
    """With where to look."""
    with pytest.raises(NotServed, match=r"'nobody'.*troupe models"):
        StubServer().client().version("nobody")


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (httpx.ConnectError("refused"), "troupe up"),
        (httpx.ReadTimeout("slow"), "silent for"),
        (httpx.RemoteProtocolError("gone"), "broke"),
    ],
)
def test_a_server_that_is_away_is_said(failure: Exception, sentence: str) -> None:
    """Whatever httpx calls it."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise failure

    with pytest.raises(NotServed, match=sentence):
        RunningServer(URL, KEY, transport=httpx.MockTransport(fail)).version("base")


def test_another_program_at_the_address_is_not_taken_for_a_gateway() -> None:
    """A page that is no JSON."""

    def page(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404, text="<html>")

    with pytest.raises(NotServed, match="no Troupe gateway"):
        RunningServer(URL, KEY, transport=httpx.MockTransport(page)).version("base")


@pytest.mark.parametrize("key", ["", "schlüssel", "a\nb"])
def test_without_a_key_nothing_is_asked(key: Any) -> None:
    """The variable is named, and where the server keeps it."""
    with pytest.raises(NotServed, match=r"TROUPE_EVALUATE_KEY.*keys/evaluate"):
        RunningServer(URL, key)
