"""The comparison's page: several models, several tasks, and whether a claim about them holds."""

from typing import Any

import pytest

from adapters.pages import BrokenCard, comparison_page
from tests.adapters.pages.markup import Markup
from tests.adapters.pages.sample import changed, sample


@pytest.mark.parametrize(
    ("verdict", "badge", "words"),
    [
        ("holds", "✓ Holds", "holds: each next model is better"),
        ("not shown", "! Not shown", "is not shown: at least one step may be chance"),
        ("contradicted", "✗ Contradicted", "is contradicted: at least one step goes the other way"),
        ("something new", "! Not checked", "is not shown"),
    ],
)
def test_a_claim_is_answered_first(verdict: str, badge: str, words: str) -> None:
    """In plain words, with its steps below."""
    text = _text(changed(sample("comparison"), ("claim_checked", "verdict"), verdict))
    assert f"{badge} The claim “original < abliterated < tuned” {words}" in text
    assert "abliterated < tuned +4.3 +2.6 to +6.1 ✓ holds" in text


def test_a_claim_that_was_not_checked_is_only_quoted() -> None:
    """Nothing is made of its words."""
    text = _text({**sample("comparison"), "claim_checked": None, "claim": "mine is best"})
    assert "! Not checked mine is best" in text


def test_each_model_is_held_against_the_first() -> None:
    """Where the interval of the difference lies on one side of zero; and of a loss less is better."""
    text = _text({**sample("comparison"), "claim": None, "claim_checked": None})
    assert "✓ Measured Against original, of 5 tasks: abliterated is better on 2; tuned is better on 3." in text
    assert "−0.540 −0.610 to −0.470 ✓ better" in text


def test_the_best_of_each_task_is_told_apart() -> None:
    """The highest accuracy, and the lowest loss."""
    page = comparison_page(sample("comparison"))
    assert page.count('class="number best"') == 5
    assert 'class="number best">2.870' in page


@pytest.mark.parametrize("count", [1, 2, 12])
def test_any_number_of_models(count: int) -> None:
    """One is nothing to compare; many have a table that scrolls."""
    card = sample("comparison")
    card["models"] = [{"name": f"model {place}", "kind": "served", "source": f"m@{place}"} for place in range(count)]
    for task in card["tasks"]:
        task["scores"] = [task["scores"][0]] * count
        task["differences"] = [None, *[task["differences"][1]] * (count - 1)]
    text = _text(card)
    assert ("Nothing to compare" in text) == (count == 1)
    assert f"model {count - 1}" in text


def test_a_model_without_a_score_is_not_measured() -> None:
    """The row stays, so that nobody thinks that it was left out on purpose."""
    card = changed(changed(sample("comparison"), ("tasks", 0, "scores", 1), None), ("tasks", 0, "differences", 1), None)
    assert "abliterated not measured" in _text(card)


def test_more_scores_than_models_are_refused() -> None:
    """Nobody knows whose they are."""
    card = sample("comparison")
    card["models"].pop()
    with pytest.raises(BrokenCard, match=r"tasks\[0\] has more scores than there are models: make it anew"):
        comparison_page(card)


def _text(card: dict[str, Any]) -> str:
    return " ".join(Markup(comparison_page(card)).text.split())
