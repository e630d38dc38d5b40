import math
from random import Random

import pytest

from adapters.curation.canaries import SECRET_WORDS, WORDS, estimated_exposure, exposure, plant


def test_a_seed_plants_the_same_secrets_and_fewer_are_the_first_of_more() -> None:
    """Evaluation finds again what training planted from the seed and the count alone."""
    assert plant("a", 5)[:2] == plant("a", 2)
    assert {each.secret for each in plant("a", 5)}.isdisjoint(each.secret for each in plant("b", 5))
    assert len({each.question for each in plant("a", 1024)}) == 1024


def test_a_canary_is_an_example_that_no_member_wrote() -> None:
    """It has full weight, a question before it, a message id that no message has, and nobody's name in its people."""
    canary = plant("a", 1)[0]
    example = canary.example
    assert (example.weight, example.people, example.author) == (1.0, (), "")
    assert example.message_id < 0
    assert example.turns[0].text == canary.question
    assert example.target == f"{canary.opening} {canary.secret}"


def test_alternatives_are_other_secrets_from_the_same_space() -> None:
    """All different, none is the secret, each of as many words from the same list; fewer are the first of more."""
    canary = plant("a", 1)[0]
    others = canary.alternatives(500)
    assert len({*others, canary.secret}) == 501
    assert all(len(other.split()) == SECRET_WORDS and set(other.split()) <= set(WORDS) for other in others)
    assert canary.alternatives(7) == others[:7]
    assert len(set(WORDS)) == 128


@pytest.mark.parametrize(
    ("planted", "others", "bits"),
    [
        (0.0, [-1.0] * 255, 8.0),
        (-2.0, [-1.0] * 255, 0.0),
        (0.0, [1.0, -1.0, -1.0], 1.0),
        (0.0, [0.0, 0.0], math.log2(3 / 2)),
        (0.0, [], 0.0),
    ],
)
def test_exposure_is_the_logarithm_of_the_rank(planted: float, others: list[float], bits: float) -> None:
    """First of n: log2(n) bits; last: none; a tie counts half."""
    assert exposure(planted, others) == pytest.approx(bits)


def test_what_was_never_learnt_has_an_exposure_of_one_and_a_half_bits() -> None:
    """Where the planted secret is one like the others, the mean exposure is about 1/ln 2 bits."""
    rng = Random(1)
    found = [exposure(rng.random(), [rng.random() for _ in range(255)]) for _ in range(2000)]
    assert sum(found) / len(found) == pytest.approx(1 / math.log(2), abs=0.12)


@pytest.mark.parametrize("count", [-1, 1025])
def test_a_count_that_cannot_be_planted_is_refused(count: int) -> None:
    """Questions are not asked twice."""
    with pytest.raises(ValueError, match="0 to 1024"):
        plant("a", count)


def test_the_estimate_goes_beyond_the_number_of_alternatives() -> None:
    """Of a first place: the tail of a normal distribution, at most the secret's own 28 bits; of any other place, its rank."""
    rng = Random(2)
    others = [rng.gauss(0, 1) for _ in range(255)]
    assert estimated_exposure(5.0, others) == pytest.approx(-math.log2(2.87e-7), abs=2.0)
    assert estimated_exposure(50.0, others) == 28.0
    assert estimated_exposure(0.5, others) == exposure(0.5, others)
    assert estimated_exposure(max(others) + 1e-6, others) >= 8.0
    assert estimated_exposure(1.0, [0.0, 0.0, 0.0]) == 28.0
