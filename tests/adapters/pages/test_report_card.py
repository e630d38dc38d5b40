"""The report card's page: the verdict that the numbers give, and what is said where something is wrong or missing."""

from typing import Any

import pytest

from adapters.pages import report_card_page
from tests.adapters.pages.markup import Markup
from tests.adapters.pages.sample import changed, sample


def test_an_adapter_that_works() -> None:
    """The page begins with what it can do, how sure that is, and that the gates were passed."""
    assert _verdict(sample("report_card")) == (
        "✓ It works It learnt the group's voice: it picks the real banger over 7 others in 41 % of cases, the base in 14 % "
        "(difference +27 points, 95 % CI +20 to +33). All 8 gates passed."
    )


def test_failed_gates_come_first() -> None:
    """Whoever reads one sentence reads that it must not go live, and why."""
    card = sample("report_card")
    for place in (3, 5):
        card["gates"][place]["passed"] = False
    assert _verdict({**card, "passed": False}).startswith(
        "✗ Do not publish Do not publish: 2 of 8 gates failed: distance and exposure. It learnt"
    )


def test_a_card_that_did_not_pass_is_believed() -> None:
    """Also where each of its gates says otherwise."""
    assert "Do not publish" in _verdict({**sample("report_card"), "passed": False})


@pytest.mark.parametrize(
    ("accuracy", "mrr", "badge", "words"),
    [
        ((0.01, -0.04, 0.06), (0.02, -0.01, 0.05), "! Not shown to work", "It is not shown that it learnt the group's voice"),
        ((0.01, -0.04, 0.06), (0.05, 0.02, 0.08), "✓ It works", "It learnt some of the group's voice"),
        ((-0.09, -0.14, -0.03), (-0.05, -0.08, -0.02), "✗ It got worse", "It got worse at the group's voice"),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), "! Not shown to work", "difference 0.0 points, 95 % CI 0.0 to 0.0"),
        ((0.2, None, None), (0.1, None, None), "! Not shown to work", "how sure that is was not measured"),
    ],
)
def test_the_interval_decides(accuracy: tuple[Any, ...], mrr: tuple[Any, ...], badge: str, words: str) -> None:
    """A difference counts only where its whole interval lies on one side of zero."""
    card = sample("report_card")
    for name, (value, low, high) in (("accuracy", accuracy), ("mrr", mrr)):
        card["ranking"][name]["difference"] = {"value": value, "low": low, "high": high, "n": 241}
    verdict = _verdict(card)
    assert verdict.startswith(badge)
    assert words in verdict


def test_without_a_ranking_nothing_is_claimed() -> None:
    """The gates alone do not say that it works."""
    verdict = _verdict({**sample("report_card"), "ranking": None})
    assert verdict == "! Not shown to work Whether it learnt the group's voice was not measured. All 8 gates passed."


def test_a_failed_gate_is_not_told_by_colour_alone() -> None:
    """A word and a sign stand beside it."""
    page = report_card_page(changed(sample("report_card"), ("gates", 4, "passed"), False))
    assert " ".join(Markup(page).text.split()).count("✗ failed") == 1


def test_what_was_not_measured_is_not_drawn_as_zero() -> None:
    """An estimate of nothing (n = 0) has no number, and a bound that says "anything" is left out."""
    card = sample("report_card")
    card["safety"]["toxicity"]["base"] = {"value": 0.0, "low": 0.0, "high": 1.0, "n": 0}
    card["fit"]["held_out_nll"]["difference"] |= {"low": -1e9, "high": 1e9}
    text = " ".join(Markup(report_card_page(card)).text.split())
    assert "a classifier calls them rude, hateful or threatening not measured" in text
    assert "1,000,000,000" not in text


def test_the_harness_s_scores_are_drawn() -> None:
    """Where a lower score is better, a fall is no loss."""
    card = sample("report_card")
    difference = {"value": -2.0, "low": -3.0, "high": -1.0, "n": 50}
    tasks = [{"name": "words", "metric": "word_perplexity", "higher_is_better": False, "base": {"value": 20.0}, "adapter": {"value": 18.0}}]
    card["tax"]["harness"] = {"tasks": [{**tasks[0], "difference": difference}]}
    assert "words word_perplexity 17.920 20.080 20.000 18.000 −2.000 −3.000 to −1.000 ✓ better" in " ".join(
        Markup(report_card_page(card)).text.split()
    )


def _verdict(card: dict[str, Any]) -> str:
    text = " ".join(Markup(report_card_page(card)).text.replace("\u00a0", " ").split())
    return text[text.index("Judged on") : text.index("Does it sound like")].split(". ", 1)[1].strip()
