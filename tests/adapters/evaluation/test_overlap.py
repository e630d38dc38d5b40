import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.evaluation.overlap import Overlap

TEXTS = st.lists(st.lists(st.integers(0, 3), max_size=12), max_size=6)


def by_hand(texts: list[list[int]], asked: list[int], length: int) -> bool:
    runs = {tuple(text[place : place + length]) for text in texts for place in range(len(text) - length + 1)}
    return any(tuple(asked[place : place + length]) in runs for place in range(len(asked) - length + 1))


@given(TEXTS, st.lists(st.integers(0, 3), max_size=12), st.integers(1, 12))
def test_runs_are_found_as_by_hand(texts: list[list[int]], asked: list[int], length: int) -> None:
    """Exactly those runs that one of the texts has, and never one that goes from a text into the next."""
    assert Overlap(texts).has(asked, length) == by_hand(texts, asked, length)


@given(TEXTS, st.lists(st.integers(0, 3), max_size=12))
def test_the_longest_run_is_as_by_hand(texts: list[list[int]], asked: list[int]) -> None:
    """The largest length of which there is a run; 0 for none."""
    assert Overlap(texts).longest(asked) == max((n for n in range(1, 13) if by_hand(texts, asked, n)), default=0)


@pytest.mark.parametrize("length", [0, -1, 4])
def test_no_run_has_no_length_or_more_than_the_text(length: int) -> None:
    """Neither of them is an error."""
    assert not Overlap([[1, 2, 3, 4, 5]]).has([1, 2, 3], length)


def test_large_vocabularies_do_not_collide() -> None:
    """A hundred thousand runs of other tokens hide no false match."""
    known = Overlap([list(range(0, 200_000, 2))])
    assert known.has(list(range(1000, 1024, 2)), 12)
    assert not known.has(list(range(1, 200_001, 2)), 3)
