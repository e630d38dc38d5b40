import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from adapters.evaluation.distance import EDGES, Token, distance, divergence, measure
from adapters.evaluation.models import load_model
from adapters.evaluation.prompts import neutral_prompts
from tests.adapters.evaluation.conftest import Tiny
from tests.adapters.evaluation.tiny import silent

ROWS = st.lists(st.floats(-30, 30), min_size=2, max_size=20)


def test_divergence_is_as_by_hand() -> None:
    """KL of (1/2, 1/4, 1/4) from (1/4, 1/4, 1/2): 1/2 ln 2 - 1/4 ln 2; the other direction is the same here; of (1, 0) it is finite."""
    base, adapter = torch.tensor([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]]).log(), torch.tensor([[0.25, 0.25, 0.5], [0.5, 0.25, 0.25]]).log()
    assert divergence(base, adapter).tolist() == pytest.approx([0.25 * math.log(2), math.log(2)])


@given(ROWS)
def test_nothing_is_away_from_itself(row: list[float]) -> None:
    """The divergence of a distribution from itself is exactly 0."""
    logits = torch.log_softmax(torch.tensor([row], dtype=torch.float64), -1)
    assert divergence(logits, logits).tolist() == [0.0]


@given(st.integers(2, 20).flatmap(lambda n: st.tuples(*[st.lists(st.floats(-30, 30), min_size=n, max_size=n)] * 2)))
def test_divergence_is_never_negative(rows: tuple[list[float], list[float]]) -> None:
    """For whatever two distributions."""
    base, adapter = (torch.log_softmax(torch.tensor([row], dtype=torch.float64), -1) for row in rows)
    assert divergence(base, adapter).item() >= 0


def test_the_card_sums_tokens_up_by_prompt() -> None:
    """Mean, median, the same top token and the histogram of four tokens of two prompts; every token is counted once."""
    tokens = [Token(0, 0.0, True), Token(0, 0.2, True), Token(1, 0.02, True), Token(1, 5000.0, False)]
    found = distance(tokens, prompts=2, precision="in wood")
    assert found["kl"]["mean"]["value"] == pytest.approx(5000.22 / 4)
    assert found["kl"]["median"] == pytest.approx(0.11)
    assert found["same_top"]["value"] == 0.75
    assert sum(found["histogram"]["counts"]) == found["tokens"] == 4
    assert len(found["histogram"]["edges"]) == len(EDGES) == len(found["histogram"]["counts"]) + 1
    assert "2 neutral prompts" in found["method"]
    assert "in wood" in found["method"]


def test_a_base_is_no_distance_from_itself_and_its_adapter_is(tiny: Tiny) -> None:
    """Measured on models: exactly 0 at every token without an adapter, more with one, at the tokens of the same replies of the base."""
    prompts = neutral_prompts(3)
    alone = measure(load_model(tiny.base), prompts, tokens=6, seed=1, progress=silent)
    tuned = measure(load_model(tiny.base, tiny.good), prompts, tokens=6, seed=1, progress=silent)
    assert {token.kl for token in alone} == {0.0}
    assert all(token.same_top for token in alone)
    assert [token.prompt for token in alone] == [token.prompt for token in tuned]
    assert max(token.kl for token in tuned) > 0
