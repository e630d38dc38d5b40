"""How numbers and foreign texts are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.pages.part import Estimate
from adapters.pages.words import brief, counted, date, duration, exactly, listed, plus, points, share, shown, shown_lines, size


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (0.0513, "0.0513"), (0.214, "0.214"), (2.31, "2.31"), (12.34, "12.3"), (1843.2, "1,843"), (-0.5, "−0.500"), (2e-6, "2e-06")],
)
def test_three_digits_count(number: float, text: str) -> None:
    """A reader compares sizes, not decimals."""
    assert brief(number) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (0.414, "41"), (1, "100"), (0.0996, "10"), (0.034, "3.4"), (0.0004, "0.04"), (-0.2, "−20")]
)
def test_shares_are_percent(number: float, text: str) -> None:
    """Small ones keep a digit more."""
    assert share(number) == f"{text}\u00a0%"


def test_differences_have_a_sign() -> None:
    """But zero has none, and no minus stands before a rounded zero."""
    assert [plus(number, 1) for number in (2.5, -2.5, 0.0, -0.01)] == ["+2.5", "−2.5", "0.0", "0.0"]
    assert points(Estimate(0.27, 0.2, 0.334)) == "+27 points, 95\u00a0% CI +20 to +33"
    assert points(Estimate(0.012, -0.004, 0.028)) == "+1.2 points, 95\u00a0% CI −0.4 to +2.8"
    assert points(Estimate(0.012)) == "+1.2 points"


def test_settings_are_written_as_they_were_set() -> None:
    """Without digits that nobody gave."""
    assert [exactly(number) for number in (3.0, 1.5, 0.05, 20000)] == ["3", "1.5", "0.05", "20,000"]


def test_counts_dates_and_sizes() -> None:
    """As a person would say them."""
    assert [counted(1, "person", "people"), counted(2000, "person", "people")] == ["1 person", "2,000 people"]
    assert [listed([]), listed(["a"]), listed(["a", "b", "c"])] == ["", "a", "a, b and c"]
    assert [date("2025-11-03T23:30:00-02:00"), date("soon")] == ["4\u00a0November 2025", "soon"]
    assert [size(472_000), size(10.3e9), size(12)] == ["472\u00a0kB", "10.3\u00a0GB", "12\u00a0bytes"]
    assert [duration(42.0), duration(2610), duration(36_000)] == ["42.0\u00a0s", "44\u00a0min", "10.0\u00a0h"]


def test_emoji_of_several_parts_stay_whole() -> None:
    """A family is held together by characters that are invisible elsewhere too."""
    assert shown("👨\u200d👩\u200d👧 and 👍🏽") == "👨\u200d👩\u200d👧 and 👍🏽"


@given(st.text(), st.integers(1, 40))
def test_a_shown_text_is_one_short_line(text: str, limit: int) -> None:
    """Whatever it was."""
    line = shown(text, limit)
    assert len(line) <= limit
    assert line.isprintable() or set(line) - {"\u200c", "\u200d"}
    assert "\n" not in line


@given(st.text())
def test_a_shown_reply_keeps_its_lines(text: str) -> None:
    """But not a page full of empty ones."""
    assert "\n\n\n" not in shown_lines(text)
