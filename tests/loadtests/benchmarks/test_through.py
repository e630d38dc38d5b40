"""What the benchmark of a real engine's throughput makes of answers and rounds, all of them made up here."""

import pytest

from loadtests.benchmarks.closed_loop import Answer
from loadtests.benchmarks.overhead_paths import DIRECT, GATEWAY, LITELLM
from loadtests.benchmarks.through import LOAD, figures, table, tokens

END = b'data: {"choices":[],"usage":{"prompt_tokens":9,"total_tokens":13,"completion_tokens":4}}\n\ndata: [DONE]\n\n'
ROUNDS = [
    {DIRECT: {"tokens_s": 800.0, "first_p50_ms": 20.0}, GATEWAY: {"tokens_s": 784.0, "first_p50_ms": 21.0}},
    {DIRECT: {"tokens_s": 700.0, "first_p50_ms": 22.0}, GATEWAY: {"tokens_s": 679.0, "first_p50_ms": 23.0}},
]
SLOW = {"tokens_s": 400.0, "first_p50_ms": 90.0}


def test_tokens_are_the_engine_s_count() -> None:
    """However many of them came in one event, and whatever counts stood in events before."""
    answer = Answer(0.1, 1.0, 0.1, b'data: {"choices":[{"delta":{"content":"ab"}}],"usage":{"completion_tokens":2}}\n\n' + END)
    assert tokens(answer) == 4


def test_throughput_is_that_of_a_loop_without_an_end() -> None:
    """Streams in flight, times what each of them says in a second."""
    found = figures([Answer(0.1, 2.0, 0.1, END), Answer(0.3, 2.0, 0.1, END)])
    assert found["tokens_s"] == pytest.approx(LOAD.in_flight * 2.0)
    assert found["first_p50_ms"] == pytest.approx(200.0)


def test_shares_are_of_the_same_round() -> None:
    """The median of what arrived in each, against what is wanted; LiteLLM only where it took part."""
    found = "\n".join(table(ROUNDS))
    assert "| Troupe | 732 (679–784) | 0.975 (0.970–0.980) | 22.0 (21.0–23.0) |" in found
    assert "wanted at least 0.95: met." in found
    assert "LiteLLM" not in found
    assert "| LiteLLM | 400 (400–400) | 0.536 (0.500–0.571) |" in "\n".join(table([{**each, LITELLM: SLOW} for each in ROUNDS]))
