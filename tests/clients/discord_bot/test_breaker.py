"""When the bot leaves Discord alone, and when it dares again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.discord_bot.breaker import LIMIT, NOT_LET_IN, REST_S, TRIPS_AT, WINDOW_S, Breaker, Verdict, bucket

SEND = ("POST", "/api/v10/channels/1/messages")
FOLLOW_UP = ("POST", "/api/v10/webhooks/1/its-own-token")


def call(
    breaker: Breaker, now: float, status: int | None, *, route: tuple[str, str] = SEND, scope: str = "", wait: float | None = None
) -> bool:
    """Try one call that would be answered so; whether it was made."""
    verdict = breaker.begin("a task", *route, now)
    if verdict.refusal is not None or verdict.wait_s:
        return False
    breaker.end("a task", *route, now, status=status, scope=scope, retry_after=wait)
    return True


@pytest.mark.parametrize("status", [403, 429])
def test_a_storm_of_refusals_ends_at_the_limit(status: int) -> None:
    """However long it goes on, of any ten minutes no more than the limit; it says why, and how long it takes."""
    breaker = Breaker()
    made = [now for now in range(3 * int(WINDOW_S)) for _ in range(4) if call(breaker, float(now), status)]
    assert made[TRIPS_AT - 1] < TRIPS_AT
    assert all(sum(since <= now < since + WINDOW_S for now in made) <= LIMIT for since in made)
    verdict = breaker.begin("a task", *SEND, made[-1] + 1.0)
    assert str(breaker.refused(made[-1] + 1.0)) in str(verdict.refusal)
    assert 0 < verdict.wait_s <= REST_S
    assert breaker.is_open(made[-1])


@given(st.lists(st.tuples(st.floats(0.0, 30.0), st.sampled_from([200, 401, 403, 404, 429, 500, None]), st.integers(0, 12)), max_size=300))
def test_whatever_comes_back_ten_minutes_never_hold_more_than_the_limit(story: list[tuple[float, int | None, int]]) -> None:
    """Also with calls side by side, which all turn out to be refused."""
    breaker, now, refused = Breaker(), 0.0, list[float]()
    for pause, status, beside in story:
        now += pause
        under_way = [each for each in range(beside) if breaker.begin(each, *FOLLOW_UP, now) == Verdict()]
        for each in under_way:
            breaker.end(each, *FOLLOW_UP, now, status=status)
        refused += [now] * len(under_way) * (status in (401, 403, 429))
        assert sum(now - when < WINDOW_S for when in refused) <= LIMIT


def test_what_is_no_refusal_never_counts() -> None:
    """Missing messages, faults of Discord's, broken connections, and a limit that others filled."""
    breaker = Breaker()
    for status in (200, 204, 400, 404, 500, 503, None) * LIMIT:
        assert call(breaker, 0.0, status)
    for number in range(3 * LIMIT):
        assert call(breaker, float(number), 429, scope="shared")
    assert breaker.refused(3.0 * LIMIT) == 0


def test_a_refused_token_stops_everything_at_once() -> None:
    """One try in ten minutes; when the token is taken again, all is well."""
    breaker = Breaker()
    assert call(breaker, 0.0, 401)
    assert breaker.begin("a task", *FOLLOW_UP, 1.0).refusal == NOT_LET_IN
    assert not any(call(breaker, float(now), 401) for now in range(1, int(WINDOW_S)))
    assert call(breaker, WINDOW_S, 401)
    assert not call(breaker, WINDOW_S + 1, 200)
    assert call(breaker, 2 * WINDOW_S, 200)
    assert call(breaker, 2 * WINDOW_S, 200)
    assert not breaker.is_open(2 * WINDOW_S)


def test_an_interaction_that_is_over_does_not_stop_the_bot() -> None:
    """Its token ends after a quarter of an hour, and the answer is a 401 like the bot's own; it only counts."""
    breaker = Breaker()
    assert call(breaker, 0.0, 401, route=FOLLOW_UP)
    assert call(breaker, 0.0, 200)
    assert breaker.refused(0.0) == 1


def test_it_becomes_bold_again_by_itself() -> None:
    """After the storm one call at a time, the next as soon as one went well; after ten quiet minutes as before."""
    breaker = Breaker()
    while call(breaker, 0.0, 403):
        pass
    assert call(breaker, REST_S, 200)
    assert breaker.begin("one", *SEND, REST_S).refusal is None
    assert breaker.begin("two", *SEND, REST_S).refusal is not None
    breaker.end("one", *SEND, REST_S, status=200)
    assert breaker.begin("two", *SEND, REST_S).refusal is None
    assert breaker.begin("one", *SEND, WINDOW_S).refusal is None


def test_what_discord_asks_to_wait_holds_for_its_bucket_or_for_all() -> None:
    """The same route of the same channel; a global limit holds everything; too long a wait is an error at once."""
    breaker = Breaker()
    assert call(breaker, 0.0, 429, scope="user", wait=3.0)
    assert breaker.begin("a task", *SEND, 1.0).wait_s == 2.0
    assert breaker.begin("a task", *SEND, 1.0).refusal is None
    assert call(breaker, 1.0, 200, route=("POST", "/api/v10/channels/2/messages"))
    assert call(breaker, 3.0, 429, scope="global", wait=5.0)
    assert breaker.begin("a task", *FOLLOW_UP, 4.0).wait_s == 4.0
    assert call(breaker, 8.0, 429, scope="shared", wait=120.0)
    assert "wait 119 seconds" in str(breaker.begin("a task", *SEND, 9.0).refusal)


def test_a_bucket_is_a_route_and_its_first_id() -> None:
    """Discord counts the messages of one channel together, and those of two apart."""
    assert bucket("PATCH", "/channels/1/messages/2") == bucket("PATCH", "/channels/1/messages/3") == "PATCH /channels/1/messages/*"
    assert bucket("POST", "/channels/1/messages") != bucket("POST", "/channels/2/messages")
    assert bucket("GET", "/users/@me") == "GET /users/@me"


def test_many_calls_side_by_side_wait_for_each_other_and_are_not_given_up() -> None:
    """They might all be refused, so there are never more than fit; but nothing is wrong yet."""
    breaker = Breaker()
    begun = [breaker.begin(number, *SEND, 0.0) for number in range(2 * LIMIT)]
    assert begun.count(Verdict()) == TRIPS_AT
    assert all(verdict.refusal is None for verdict in begun)
    breaker.end(0, *SEND, 0.0, status=200)
    assert breaker.begin(LIMIT, *SEND, 0.0) == Verdict()


def test_calls_that_are_given_up_count_as_the_last_one_did() -> None:
    """Discord answers them whether anybody waits or not; in good times they are nothing."""
    breaker = Breaker()
    assert all(call(breaker, 0.0, status) for status in (200, *[None] * LIMIT))
    assert breaker.refused(0.0) == 0
    assert call(breaker, 0.0, 429)
    assert [call(breaker, 0.0, None) for _ in range(LIMIT)].count(True) == TRIPS_AT - 1
