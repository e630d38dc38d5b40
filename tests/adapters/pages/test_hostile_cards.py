"""Cards that somebody else wrote: hostile texts, missing parts, wrong types, numbers that are none."""

import math
import re
from itertools import cycle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.pages import BrokenCard
from tests.adapters.pages.markup import Markup
from tests.adapters.pages.sample import PAGES, changed, places, replaced, sample

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "$\\frac{1}{0}$ <b>",
    "]]>&lt;!--",
)


@pytest.mark.parametrize("name", PAGES)
def test_no_text_of_a_card_becomes_markup(name: str) -> None:
    """Whatever stands in every text and in every name of a reason: the page has no other tags, and no attribute that runs anything."""
    hostile = cycle(HOSTILE)
    page = PAGES[name](replaced(sample(name), lambda old: next(hostile) + old))
    markup = Markup(page)
    assert {tag for tag, _ in markup.tags} <= {tag for tag, _ in Markup(PAGES[name](sample(name))).tags} | {"h3"}
    assert not [key for _, attributes in markup.tags for key in attributes if key.startswith("on")]
    assert not markup.misplaced
    assert HOSTILE[0] in markup.text
    assert "{{ 7 * 7 }}" in markup.text


@pytest.mark.parametrize("name", PAGES)
def test_hidden_characters_do_not_reach_a_page(name: str) -> None:
    """Nothing that turns the direction of what follows, is invisible, or paints over other lines."""
    page = PAGES[name](replaced(sample(name), lambda old: f"\u202e\u2066\x00\x1b[31m\u200b{old}e{chr(0x0301) * 40}\ud800"))
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]", page)
    assert chr(0x0301) * 3 not in page
    page.encode("utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_long_texts_are_shortened(name: str) -> None:
    """A name of 10,000 characters takes one line, and the page does not grow beyond what a mail carries."""
    page = PAGES[name](replaced(sample(name), lambda old: "x" * 10_000 + old))
    assert "…" in page
    assert not re.search("x{2001}", page)
    assert len(page) < 1_000_000


@pytest.mark.parametrize(("name", "start"), [(name, start) for name in PAGES for start in range(0, len(sample(name)), 3)])
def test_missing_parts_are_no_error(name: str, start: int) -> None:
    """What was not measured is said to be so, and the rest is drawn."""
    card = sample(name)
    for key in list(card)[start : start + 3]:
        del card[key]
    assert "<h1>" in PAGES[name](card)


@pytest.mark.parametrize("name", PAGES)
def test_an_empty_card_has_a_page(name: str) -> None:
    """Which says that there is nothing; a part that is null is a part that is not there."""
    empty = Markup(PAGES[name]({})).text
    assert re.search("not measured|Nothing to|No task", empty)
    assert Markup(PAGES[name](dict.fromkeys(sample(name)))).text == empty


@pytest.mark.parametrize("name", PAGES)
def test_zeros_and_empty_lists_do_not_break_a_plot(name: str) -> None:
    """A community with nothing in it, and an adapter that changed nothing."""
    assert "<h1>" in PAGES[name](_emptied(sample(name), keep_lists=True))
    assert "<h1>" in PAGES[name](_emptied(sample(name), keep_lists=False))


@pytest.mark.parametrize("name", PAGES)
def test_numbers_that_are_none_are_refused(name: str) -> None:
    """NaN and infinity, wherever they stand, with the place in the sentence."""
    for place, value in places(sample(name)):
        if isinstance(value, float):
            for wrong in (math.nan, math.inf):
                with pytest.raises(BrokenCard, match=rf"{re.escape(str(place[0]))}.*not a finite number: make .*\.$"):
                    PAGES[name](changed(sample(name), place, wrong))


@pytest.mark.parametrize("name", PAGES)
def test_a_card_of_another_schema_is_refused(name: str) -> None:
    """A newer factory's card would be drawn wrongly."""
    with pytest.raises(BrokenCard, match="schema 2"):
        PAGES[name]({**sample(name), "schema": 2})


@pytest.mark.parametrize("card", [None, [], "card", 3])
@pytest.mark.parametrize("name", PAGES)
def test_what_is_no_card_is_refused(name: str, card: Any) -> None:
    """In one sentence that says what to do."""
    with pytest.raises(BrokenCard, match="is not an object: make"):
        PAGES[name](card)


JUNK = st.sampled_from(
    [None, True, -1, 0, 10**400, 1e300, -1e-300, "", "12", [], [None], {}, {"value": "x"}, [[1]], {"edges": [1, 1], "counts": [2]}]
)


@pytest.mark.parametrize("name", PAGES)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_wrong_values_give_a_page_or_one_sentence(name: str, data: st.DataObject) -> None:
    """Never a traceback: what a page cannot use is a BrokenCard."""
    card = sample(name)
    place = data.draw(st.sampled_from([place for place, _ in places(card)]))
    wrong = changed(card, place, data.draw(JUNK))
    found = _page_or_sentence(name, wrong)
    assert (not Markup(found).misplaced) if "<h1>" in found else re.fullmatch(r"The [^\n]+: make [^\n]+\.", found)


def _page_or_sentence(name: str, card: Any) -> str:
    try:
        return PAGES[name](card)
    except BrokenCard as exc:
        return str(exc)


def _emptied(value: Any, *, keep_lists: bool) -> Any:
    if isinstance(value, dict):
        return {key: each if key in ("schema", "edges") else _emptied(each, keep_lists=keep_lists) for key, each in value.items()}
    if isinstance(value, list):
        return [_emptied(each, keep_lists=keep_lists) for each in value] if keep_lists else []
    return 0 if isinstance(value, int | float) and not isinstance(value, bool) else value
