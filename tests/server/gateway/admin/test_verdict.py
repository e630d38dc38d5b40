"""What an adapter's first words say of it."""

import json
import math
from typing import Any

import pytest

from server.gateway.admin.verdict import HARMFUL, REASONS, Outcome, Said, judge, read_said

BASE = Said(("a", "b"), (-0.5, -1.0))


def answer(*tokens: tuple[Any, Any]) -> bytes:
    content = [{"token": token, "logprob": logprob, "bytes": [], "top_logprobs": []} for token, logprob in tokens]
    return json.dumps({"choices": [{"message": {"content": "x"}, "logprobs": {"content": content}}]}).encode()


@pytest.mark.parametrize(
    ("candidate", "outcome"),
    [
        (Said(("c", "d"), (-0.5, -1.0)), Outcome.PASSED),
        (Said(("a", "b"), (-0.5, -1.1)), Outcome.PASSED),
        (Said(("a",), (-0.5,)), Outcome.PASSED),
        (Said(("a", "b"), (-0.5, -1.0)), Outcome.SAME_AS_BASE),
        (Said(("a", "b"), (-0.5 + 5e-7, -1.0)), Outcome.SAME_AS_BASE),
        (Said((), ()), Outcome.SILENT),
        (Said(("",), (-0.1,)), Outcome.SILENT),
        (Said(("c", "d"), (-0.5, math.nan)), Outcome.NOT_FINITE),
        (Said(("c", "d"), (-0.5, -math.inf)), Outcome.NOT_FINITE),
        (Said(("c", "d"), (-0.5, -9999.0)), Outcome.NOT_FINITE),
        (Said(("",), (math.nan,)), Outcome.NOT_FINITE),
        (Said(("a", "b"), (-0.5, math.nan)), Outcome.NOT_FINITE),
    ],
)
def test_an_adapter_passes_that_says_something_of_its_own_in_finite_numbers(candidate: Said, outcome: Outcome) -> None:
    """Another token or another logprob is enough; a number that is none is the first thing that counts."""
    assert judge(candidate, BASE) is outcome


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (answer(("a", -0.5), ("b", -1)), Said(("a", "b"), (-0.5, -1.0))),
        (answer(), Said((), ())),
        (b'{"choices":[{"logprobs":{"content":null}}]}', Said((), ())),
    ],
)
def test_an_answer_is_read(raw: bytes, said: Said) -> None:
    """Token by token; an empty one is an answer, too."""
    assert read_said(raw) == said


@pytest.mark.parametrize("value", [None, "NaN", "-0.5", True, [], math.nan, math.inf])
def test_what_is_no_number_is_not_taken_for_one(value: Any) -> None:
    """Null, as engines write NaN; NaN itself; and every other type."""
    said = read_said(answer(("a", value)))
    assert said is not None
    assert not math.isfinite(said.logprobs[0])
    assert judge(said, BASE) is Outcome.NOT_FINITE


@pytest.mark.parametrize(
    "raw",
    [b"", b"null", b"[]", b"{}", b'{"choices":[]}', b'{"choices":[{"logprobs":null}]}', b'{"choices":[{"logprobs":{"content":[{}]}}]}',
     b"\xff", b"[" * 100_000],
)  # fmt: skip
def test_what_is_no_answer_is_none(raw: bytes) -> None:
    """Whatever the engine sent."""
    assert read_said(raw) is None


def test_every_failure_has_a_reason_and_only_harm_is_quarantined() -> None:
    """An adapter that says nothing, or nothing new, may be right for somebody."""
    assert set(REASONS) == set(Outcome) - {Outcome.PASSED, Outcome.ENGINE_AWAY}
    assert {Outcome.NOT_FINITE, Outcome.ENGINE_ERROR} == HARMFUL
