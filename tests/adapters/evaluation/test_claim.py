"""Claims about an order: read strictly, and held against paired differences."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.evaluation.claim import Verdict, check_claim, read_claim
from adapters.evaluation.errors import BadComparison

NAMES = ("original", "abliterated", "tuned")
POOR, FAIR, GOOD = [0.0] * 90 + [1.0] * 10, [0.0] * 50 + [1.0] * 50, [0.0] * 10 + [1.0] * 90


def test_a_claim_is_an_order_of_known_names() -> None:
    """Either way around, with any spaces."""
    assert read_claim("original<abliterated <  tuned", NAMES) == NAMES
    assert read_claim("tuned > original", NAMES) == ("original", "tuned")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "orders nothing"),
        ("tuned", "orders nothing"),
        ("original < tuned > abliterated", "both < and >"),
        ("original < nobody", "'nobody'.*original, abliterated, tuned"),
        ("original < ", "''"),
        ("original < tuned < original", "twice"),
    ],
)
def test_a_claim_that_says_nothing_is_refused(text: str, sentence: str) -> None:
    """With how to write one."""
    with pytest.raises(BadComparison, match=sentence):
        read_claim(text, NAMES)


@pytest.mark.parametrize(
    ("points", "verdict"),
    [
        ((POOR, FAIR, GOOD), Verdict.HOLDS),
        ((POOR, GOOD, FAIR), Verdict.CONTRADICTED),
        ((POOR, FAIR, FAIR), Verdict.NOT_SHOWN),
        ((FAIR, FAIR, POOR), Verdict.CONTRADICTED),
        ((POOR[:3], FAIR[:3], GOOD[:3]), Verdict.NOT_SHOWN),
    ],
    ids=["each step up", "one step down", "one step flat", "flat and down", "too few items"],
)
def test_every_step_has_to_hold(points: tuple[list[float], ...], verdict: Verdict) -> None:
    """One that is not shown leaves the claim open, one the other way contradicts it."""
    checked = check_claim("original < abliterated < tuned", dict(zip(NAMES, points, strict=True)))
    assert checked.verdict is verdict
    assert len(checked.steps) == 2
    assert str(verdict) in checked.sentence()
    assert checked.to_json()["verdict"] == str(verdict)


@given(points=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_a_claim_and_its_opposite_never_both_hold(points: list[tuple[bool, bool]]) -> None:
    """Nor are both contradicted."""
    scores = {name: [float(each[place]) for each in points] for place, name in enumerate(("a", "b"))}
    there, back = check_claim("a < b", scores).verdict, check_claim("b < a", scores).verdict
    assert (there, back) in (
        (Verdict.NOT_SHOWN, Verdict.NOT_SHOWN),
        (Verdict.HOLDS, Verdict.CONTRADICTED),
        (Verdict.CONTRADICTED, Verdict.HOLDS),
    )


@given(points=st.lists(st.booleans(), min_size=1, max_size=60))
def test_a_model_is_not_shown_to_be_better_than_its_double(points: list[bool]) -> None:
    """Whatever it got."""
    scores = {name: [float(each) for each in points] for name in ("a", "b")}
    assert check_claim("a < b", scores).verdict is Verdict.NOT_SHOWN
