from collections.abc import Iterable

from adapters.curation.context import Scene
from adapters.curation.rivals import Pool, Rivals, lend
from adapters.sources.message import Message
from tests.adapters.curation.world import said


def scene(asked: int, target: int, channel: str = "c") -> Scene:
    return Scene((said(asked, channel=channel),), (said(target, channel=channel),), said(asked, channel=channel))


def opened(rivals: Rivals, earlier: Iterable[Message] = (), fits: int = 0) -> Pool:
    """Of message 50, which answers 49; what is before message `fits` is no rival."""
    return rivals.open(scene(49, 50), lambda message: message.id >= fits, earlier)


def ids(pool: Pool) -> list[int]:
    return sorted(message.id for message in pool.messages)


def test_rivals_stand_before_and_after() -> None:
    """The nearest ones that fit, the example's own messages not among them."""
    rivals = Rivals(3)
    pool = opened(rivals, [said(number) for number in (50, 49, 48, 47, 46, 45, 44)])
    for number in range(51, 60):
        rivals.offer(said(number))
    assert ids(pool) == [46, 47, 48, 51, 52, 53]


def test_what_does_not_fit_is_passed_over() -> None:
    """Neither before nor after the target."""
    rivals = Rivals(2)
    pool = opened(rivals, [said(number) for number in (48, 20, 10)], fits=15)
    for number in (5, 60, 61, 62):
        rivals.offer(said(number))
    assert ids(pool) == [20, 48, 60, 61]


def test_another_channel_offers_nothing() -> None:
    """Rivals are of the same talk."""
    rivals = Rivals(2)
    pool = opened(rivals)
    rivals.offer(said(51, channel="other"))
    assert ids(pool) == []


def test_the_order_has_nothing_to_do_with_time() -> None:
    """It is always the same for one target, and another for the next."""
    messages = [said(number) for number in range(100, 130)]
    one, again, other = (Pool(said(target), lambda _: True, set(), list(messages)).drawn() for target in (1, 1, 2))
    assert one == again != other
    assert one != messages
    assert sorted(message.id for message in one) == list(range(100, 130))


def test_a_quiet_channel_borrows_from_its_neighbours_in_time() -> None:
    """Their targets and rivals, if they fit, the nearest first, none twice, and no more than are wanted."""
    rivals = Rivals(3)
    pools = [rivals.open(scene(10 * place, 10 * place + 1, f"room{place}"), lambda _: True, []) for place in range(1, 6)]
    for message in (said(100), said(101), said(102)):
        pools[1].take(message)
    lend(pools, 3)
    assert ids(pools[0]) == [21, 100, 101]
    assert ids(pools[1]) == [100, 101, 102]
    assert ids(pools[4]) == [21, 31, 41]


def test_nothing_is_borrowed_that_does_not_fit() -> None:
    """A message that was loved more is no rival, wherever it is from."""
    alone, beside = (Pool(said(target), lambda message: message.id > 60, {target}) for target in (50, 55))
    lend([alone, beside], 3)
    assert ids(alone) == ids(beside) == []
