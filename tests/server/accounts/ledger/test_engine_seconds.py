"""Splitting an engine's time: exact, and only among those who were there."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from server.accounts.engine_seconds import Stretch, Use, split, weights
from server.accounts.sharing import MANY, MINUTE_MS, PATIENCE_MS, STRETCH_MS, Life, pieces, stretches

TIMES = st.integers(0, 200_000)
USES = st.lists(st.builds(lambda a, b, tokens: Use(min(a, b), max(a, b), tokens), TIMES, TIMES, st.integers(0, 10_000)), max_size=40)
STRETCHES = st.builds(lambda a, length: Stretch(a, a + length), TIMES, st.integers(1, 100_000))


@given(stretch=STRETCHES, uses=USES, cost=st.integers(0, 10**12))
def test_the_parts_add_up_to_the_whole(stretch: Stretch, uses: list[Use], cost: int) -> None:
    """To the millisecond and the millionth, none of them negative; who was not there bears nothing, who was bears his part."""
    by = weights(stretch, uses)
    for use, weight in zip(uses, by, strict=True):
        outside = max(use.until_ms, use.from_ms + 1) <= stretch.from_ms or use.from_ms >= stretch.until_ms
        assert (weight == 0) == outside
        assert weight >= 0
    if any(by):
        for total in (stretch.ms, cost):
            parts = split(total, by)
            assert sum(parts) == total
            assert min(parts) >= 0
            assert all(part == 0 for part, weight in zip(parts, by, strict=True) if weight == 0)


@given(woke=TIMES, cuts=st.lists(st.integers(1, 10**6), min_size=1, max_size=20), price=st.integers(0, 10**6))
def test_stretches_cost_what_the_life_costs(woke: int, cuts: list[int], price: int) -> None:
    at, total = woke, 0
    for cut in cuts:
        total += Stretch(at, at + cut).cost(woke, price)
        at += cut
    assert total == (at - woke) * price // 1_000_000


def test_who_is_alone_bears_everything() -> None:
    """The cold start and the idle tail as well."""
    assert split(90_000, weights(Stretch(0, 90_000), [Use(3000, 4000, 50)])) == [90_000]


def test_who_gets_twice_the_tokens_beside_another_bears_twice_as_much() -> None:
    assert split(3000, weights(Stretch(0, 3000), [Use(0, 3000, 200), Use(0, 3000, 100)])) == [2000, 1000]


def test_who_was_alone_for_longer_bears_more() -> None:
    """One second together, one alone."""
    assert split(4000, weights(Stretch(0, 4000), [Use(0, 1000, 100), Use(0, 2000, 200)])) == [1000, 3000]


@given(
    woke=st.integers(0, 10**8),
    length=st.integers(0, 10**8),
    settled=st.integers(0, 3 * 10**8),
    ended=st.booleans(),
    first_use=st.none() | st.integers(0, 10**7),
)
def test_stretches_follow_each_other_to_the_end(woke: int, length: int, settled: int, ended: bool, first_use: int | None) -> None:
    """From where the last one ended, cut every five minutes, and never past what is settled or past the end. The first reaches to who used
    the engine first."""
    life = Life("l", woke, woke + length if ended else None, woke, 0)
    used = None if first_use is None else woke + first_use
    found = stretches(life, settled, used)
    at, end = woke, woke + length if ended else settled
    for stretch in found:
        assert stretch.from_ms == at
        assert stretch.until_ms <= min(settled, end)
        assert stretch.ms > 0
        assert at == woke or stretch.from_ms // STRETCH_MS == (stretch.until_ms - 1) // STRETCH_MS
        at = stretch.until_ms
    if ended and settled >= woke + length:
        assert at == woke + length
    if found and found[0].until_ms < end and used is not None and used < woke + PATIENCE_MS:
        assert found[0].until_ms > used


@given(begin=st.integers(0, 10**8), length=st.integers(1, STRETCH_MS), requests=st.sampled_from([0, MANY, MANY + 1, 10**6]))
def test_a_stretch_with_very_many_requests_goes_a_minute_at_a_time(begin: int, length: int, requests: int) -> None:
    """Without a gap; the first of a life stays whole."""
    stretch = Stretch(begin, begin + length)
    found = pieces(Life("l", begin - 1, None, begin, 0), stretch, requests)
    assert (found[0].from_ms, found[-1].until_ms) == (stretch.from_ms, stretch.until_ms)
    assert all(one.until_ms == other.from_ms for one, other in pairwise(found))
    assert all(0 < piece.ms <= MINUTE_MS for piece in found) or requests <= MANY
    assert requests > MANY or found == [stretch]
    assert pieces(Life("l", begin, None, begin, 0), stretch, requests) == [stretch]
