"""One answer for one key: who waits, who gets the bytes again, who is refused, and that what is kept is bounded."""

import asyncio
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.gateway.errors import Conflict, InvalidRequest
from server.gateway.idempotency import KEPT_SECONDS, MAX_ANSWER_BYTES, MAX_WAITING, Answer, Answered, read_key

BODY, OTHER = b"digest of one body", b"digest of another"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def ask(answered: Answered, answer: bytes | None, *, owner: str = "a", key: str = "k", digest: bytes = BODY) -> bytes | None:
    """What this request is told: `answer`, if the work is its own to do."""
    async with answered.turn(owner, key, digest, stream=answer is None) as turn:
        if turn.answer is not None:
            return turn.answer.body
        turn.keep(None if answer is None else Answer(answer))
    return answer


async def test_the_second_gets_what_the_first_was_told() -> None:
    """The same bytes, as often as it asks, for a day."""
    clock = Clock()
    answered = Answered(clock=clock)
    assert await ask(answered, b"one") == b"one"
    assert await ask(answered, b"two") == b"one"
    clock.now = KEPT_SECONDS - 1
    assert await ask(answered, b"three") == b"one"
    clock.now = KEPT_SECONDS
    assert await ask(answered, b"four") == b"four"


async def test_another_body_under_the_same_key_is_refused() -> None:
    """Whether the first is done or not; the first is not disturbed."""
    answered = Answered()
    async with answered.turn("a", "k", BODY, stream=False) as turn:
        with pytest.raises(Conflict):
            await ask(answered, b"two", digest=OTHER)
        turn.keep(Answer(b"one"))
    with pytest.raises(Conflict):
        await ask(answered, b"two", digest=OTHER)
    assert await ask(answered, b"two") == b"one"


async def test_keys_of_different_owners_do_not_meet() -> None:
    """Two communities may use the same word."""
    answered = Answered()
    assert await ask(answered, b"one", owner="a") == b"one"
    assert await ask(answered, b"two", owner="b", digest=OTHER) == b"two"


async def test_who_comes_while_the_first_runs_waits_for_it() -> None:
    """All of them get its answer, and the work is done once; not more than a bounded number may wait."""
    answered = Answered()
    async with answered.turn("a", "k", BODY, stream=False) as turn:
        others = [asyncio.create_task(ask(answered, b"mine")) for _ in range(MAX_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(Conflict):
            await ask(answered, b"mine")
        turn.keep(Answer(b"one"))
    assert await asyncio.gather(*others) == [b"one"] * MAX_WAITING


async def test_what_failed_is_tried_again_by_one_of_those_who_wait() -> None:
    """The others go on waiting for that one."""
    answered = Answered()

    async def fail() -> None:
        async with answered.turn("a", "k", BODY, stream=False):
            others.extend(asyncio.create_task(ask(answered, b"%d" % number)) for number in range(3))
            await asyncio.sleep(0)
            raise ConnectionResetError

    others: list[asyncio.Task[bytes | None]] = []
    with pytest.raises(ConnectionResetError):
        await fail()
    assert await asyncio.gather(*others) == [b"0"] * 3


async def test_who_leaves_while_it_waits_leaves_nothing() -> None:
    """A cancelled request neither takes a place nor keeps the others waiting."""
    answered = Answered()
    async with answered.turn("a", "k", BODY, stream=False) as turn:
        gone = [asyncio.create_task(ask(answered, b"x")) for _ in range(MAX_WAITING)]
        await asyncio.sleep(0)
        for each in gone:
            each.cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        other = asyncio.create_task(ask(answered, b"x"))
        await asyncio.sleep(0)
        turn.keep(Answer(b"one"))
    assert await other == b"one"


async def test_streams_and_long_answers_are_not_made_twice() -> None:
    """They are not kept either, so the second is refused, at once."""
    answered = Answered()
    async with answered.turn("a", "k", BODY, stream=True) as turn:
        with pytest.raises(Conflict):
            await ask(answered, None)
        turn.keep(None)
    with pytest.raises(Conflict):
        await ask(answered, None)
    await ask(answered, b"x" * (MAX_ANSWER_BYTES + 1), key="long")
    with pytest.raises(Conflict):
        await ask(answered, b"x", key="long")


async def test_a_stream_that_broke_may_be_asked_for_again() -> None:
    """Its caller did not get what it asked for."""
    answered = Answered()
    async with answered.turn("a", "k", BODY, stream=True):
        pass
    assert await ask(answered, None) is None


async def test_what_is_kept_is_bounded_and_a_flood_drowns_itself() -> None:
    """Who holds the most loses the oldest of his own; the few answers of another stay."""
    answered = Answered(max_bytes=64 << 10)
    await ask(answered, b"quiet", owner="quiet")
    for number in range(1000):
        await ask(answered, b"x" * 1000, owner="loud", key=str(number))
        assert answered.held_bytes <= 64 << 10
    assert await ask(answered, b"again", owner="quiet") == b"quiet"
    assert await ask(answered, b"again", owner="loud", key="999") == b"x" * 1000
    assert await ask(answered, b"again", owner="loud", key="0") == b"again"


async def test_nothing_stays_longer_than_a_day_whoever_comes() -> None:
    """Answers of somebody who never comes again go as well."""
    clock = Clock()
    answered = Answered(clock=clock)
    for number in range(10):
        await ask(answered, b"one", owner=str(number))
    clock.now = KEPT_SECONDS
    async with answered.turn("new", "k", BODY, stream=False):
        assert answered.held_bytes == 0


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("kl"), st.booleans(), st.booleans()), max_size=40))
async def test_whatever_comes_nothing_is_counted_wrongly(steps: Iterable[tuple[str, str, bool, bool]]) -> None:
    """After any order of successes, streams and failures, what is held is what can be had."""
    answered = Answered(max_bytes=4096)
    for owner, key, fails, streams in steps:
        try:
            async with answered.turn(owner, key, BODY, stream=streams) as turn:
                if turn.answer is None and not fails:
                    turn.keep(None if streams else Answer(b"x" * 500))
        except Conflict:
            pass
        assert 0 <= answered.held_bytes <= 4096


@pytest.mark.parametrize("values", [[b""], [b"a", b"a"], [b"x" * 256], [b"a\r\nb"], [b"\xff"], ["ключ".encode()], [b"a\0b"], [b"a\x7f"]])
def test_a_key_that_is_none_is_refused(values: list[bytes]) -> None:
    """One, printable, of a length."""
    with pytest.raises(InvalidRequest):
        read_key([(b"idempotency-key", value) for value in values])


def test_a_key_is_what_was_sent() -> None:
    """And there may be none."""
    assert read_key([(b"host", b"x")]) is None
    assert read_key([(b"idempotency-key", b"order 66 \x7e")]) == "order 66 ~"
