"""The data card's page: whether there is something to learn, and what to look at first."""

from typing import Any

import pytest

from adapters.pages import data_card_page
from adapters.pages.data_plots import Curve
from tests.adapters.pages.markup import Markup
from tests.adapters.pages.sample import changed, sample


def test_warnings_come_before_everything_else() -> None:
    """The verdict counts them, and they stand right below it."""
    text = _text(sample("data_card"))
    assert (
        "! Look first The model learns from 992 examples by 47 people, and is judged by 248 later ones that it never sees. 2 warnings"
        in text
    )
    assert text.index("with the cap it counts as 15%") < text.index("Where the messages come from")


def test_a_dataset_without_warnings_is_ready() -> None:
    """And the page says so."""
    assert "✓ Ready to train" in _text({**sample("data_card"), "warnings": []})


@pytest.mark.parametrize(
    ("place", "value", "badge"),
    [
        (("counts", "train"), 0, "✗ Nothing to learn"),
        (("counts", "held_out"), 0, "✗ Cannot be judged"),
        (("provenance",), [], "✗ Do not train"),
        (("authors", 0, "share"), 0.95, "! Look first"),
    ],
)
def test_what_makes_a_dataset_unfit(place: tuple[str | int, ...], value: Any, badge: str) -> None:
    """Nothing in it, nothing to judge by, nobody who says where it comes from, or one voice that drowns all others."""
    assert badge in _text(changed({**sample("data_card"), "warnings": []}, place, value))


def test_what_was_declared_is_quoted() -> None:
    """With the person's own words, where there are some."""
    text = _text(changed(sample("data_card"), ("provenance", 0, "note"), "asked in #rules on 3 May"))
    assert "I run this community; its members know that a model learns from these messages" in text
    assert "“asked in #rules on 3 May”" in text


def test_months_without_messages_are_drawn() -> None:
    """A pause in the community's life is a pause in the picture."""
    months = [{"month": "2024-11", "messages": 5, "examples": 1}, {"month": "2025-02", "messages": 7, "examples": 2}]
    page = data_card_page({**sample("data_card"), "months": months})
    assert all(f'<th scope="row">{name}</th>' in page for name in ("Nov 2024", "Dec 2024", "Jan 2025", "Feb 2025"))


@pytest.mark.parametrize("month", ["2024-13", "0000-01", "May", "", "2024-1", "9999-99"])
def test_a_month_that_is_none_is_left_out(month: str) -> None:
    """The others are drawn."""
    card = sample("data_card")
    card["months"].append({"month": month, "messages": 5, "examples": 1})
    assert data_card_page(card) == data_card_page(sample("data_card"))


def test_years_apart_do_not_fill_the_page() -> None:
    """A forged date in the year 9999 is no reason to draw 96,000 months."""
    card = sample("data_card")
    card["months"].append({"month": "9999-01", "messages": 1, "examples": 0})
    assert len(data_card_page(card)) < 400_000


def test_the_curve_is_the_one_that_curation_uses() -> None:
    """One half at the cutoff, the floor where a message is left out, nothing without a reward."""
    curve = Curve(1.5, 3.0, 0.05)
    assert curve.weight(1.5) == pytest.approx(0.5)
    assert curve.weight(curve.least) == pytest.approx(0.05)
    assert curve.weight(0) == 0
    assert Curve(1e300, 9.0, 0.05).weight(1e-300) == 0


def _text(card: dict[str, Any]) -> str:
    return " ".join(Markup(data_card_page(card)).text.split())
