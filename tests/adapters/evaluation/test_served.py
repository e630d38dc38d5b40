"""Distance over HTTP, against two models whose exact distance is known."""

import math

import pytest

from adapters.evaluation.errors import NotServed
from adapters.evaluation.served import served_distance
from tests.adapters.evaluation.stub_server import VOCABULARY, StubServer, expected

TEXTS = [[1, 2, 3, 4, 9], [4, 9, 1], [5, 5, 5, 5]]


def quiet(stage: str, done: int, total: int) -> None:
    """Nobody looks."""


def exact(texts: list[list[int]]) -> float:
    found = []
    for text in texts:
        for before in text[:-1]:
            first, second = expected("base", before), expected("zizou@7", before)
            found.append(math.fsum(math.exp(first[token]) * (first[token] - second[token]) for token in first))
    return math.fsum(found) / len(found)


def test_all_tokens_give_the_exact_distance_and_few_give_less() -> None:
    """k = vocabulary is the whole of it; the interval holds the value."""
    whole = served_distance(StubServer().client(), TEXTS, adapter="zizou", k=VOCABULARY, progress=quiet)
    assert whole["kl_mean"]["value"] == pytest.approx(exact(TEXTS))
    few = served_distance(StubServer().client(), TEXTS, adapter="zizou", k=2, progress=quiet)
    assert 0 < few["kl_mean"]["value"] < whole["kl_mean"]["value"]
    for found in (whole, few):
        assert found["kl_mean"]["low"] <= found["kl_mean"]["value"] <= found["kl_mean"]["high"]
        assert found["tokens"] == found["kl_mean"]["n"] == 4 + 2 + 3
        assert found["prompts"] == 3


def test_only_what_comes_after_a_text_s_start_counts() -> None:
    """Prompts are read and not judged."""
    found = served_distance(StubServer().client(), TEXTS, adapter="zizou", k=VOCABULARY, starts=[3, 2, 1], progress=quiet)
    assert found["tokens"] == 2 + 1 + 3


def test_base_and_adapter_are_named_by_their_versions() -> None:
    """A card says what was measured, not what it was called that day; and says how."""
    found = served_distance(StubServer().client(), TEXTS, adapter="zizou", progress=quiet)
    assert found["models"] == {"base": "base", "adapter": "zizou@7"}
    assert "lower bound" in found["method"]
    assert found["k"] == 20
    assert found["base_shift"] is None


def test_what_serving_adds_is_measured_against_a_base_in_process() -> None:
    """None where the same is computed, and so much where every token is less likely by the same factor."""
    same = served_distance(
        StubServer().client(), TEXTS, adapter="zizou", k=VOCABULARY, progress=quiet,
        reference=lambda text: [expected("base", before) for before in text[:-1]],
    )["base_shift"]  # fmt: skip
    assert same["kl_mean"]["value"] == pytest.approx(0, abs=1e-9)
    assert same["same_top"]["value"] == 1
    assert same["log_probability"]["mean_size_of_change"]["value"] == 0
    other = served_distance(
        StubServer().client(), TEXTS, adapter="zizou", k=VOCABULARY, progress=quiet, reference_name="another model",
        reference=lambda text: [expected("zizou@7", before) for before in text[:-1]],
    )["base_shift"]  # fmt: skip
    assert other["kl_mean"]["value"] > 0.01
    assert other["log_probability"]["mean_size_of_change"]["value"] > 0.1
    assert "another model" in other["method"]


@pytest.mark.parametrize("texts", [[], [[1]], [[1, 2], [3]]])
def test_texts_in_which_nothing_is_expected_are_refused(texts: list[list[int]]) -> None:
    """Before the server is asked."""
    stub = StubServer()
    with pytest.raises(NotServed, match="no texts"):
        served_distance(stub.client(), texts, adapter="zizou", progress=quiet)
    assert stub.asked == []
