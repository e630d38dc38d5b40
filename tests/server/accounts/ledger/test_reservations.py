"""Reserving and settling, on SQLite and on PostgreSQL."""

import asyncio
from contextlib import suppress

import pytest

from adapters.registry.database import Database
from server.accounts.entries import Outcome, Reservation, Settlement
from server.accounts.ledger import Ledger
from server.accounts.limits import Limits
from server.accounts.prices import Prices
from server.accounts.refusals import BudgetSpent, ConcurrencyLimited, DuplicateRequest, LedgerUnavailable, RateLimited, Refused
from tests.server.accounts.ledger.conftest import MakeLedger
from tests.server.accounts.ledger.desk import DONE, SECOND, Clock, allowed, assert_adds_up, balance, fetch, make_writer, request, until


async def test_a_row_exists_before_the_engine_is_touched(ledger: Ledger, database: Database) -> None:
    """With all that is set aside for it, seen from another connection."""
    reservation = await ledger.reserve(request(), allowed())
    (row,) = await fetch(database, "SELECT * FROM requests")
    assert (row["id"], row["outcome"], row["adapter"], row["day"]) == (reservation.request.id, None, "zizou@7", "2026-11-21")
    assert (row["tokens_reserved"], row["money_reserved"]) == (30, 50)
    assert ledger.unsettled == 1
    await assert_adds_up(database)


async def test_what_became_of_it_is_charged_and_the_rest_released(ledger: Ledger, database: Database) -> None:
    reservation = await ledger.reserve(request(), allowed())
    await ledger.settle(reservation, DONE)
    (row,) = await fetch(database, "SELECT * FROM requests")
    assert (row["outcome"], row["prompt_tokens"], row["cached_tokens"], row["completion_tokens"]) == ("complete", 10, 4, 5)
    assert (row["ttft_ms"], row["queue_ms"], row["wake_ms"]) == (120, 3, 0)
    assert row["token_cost"] == 6 + 2 + 10
    for account in ("c:zizou", "k:key1"):
        held = await balance(database, account)
        assert (held["running"], held["day_spent"], held["day_reserved"], held["month_spent"], held["month_reserved"]) == (0, 15, 0, 18, 0)
    assert ledger.unsettled == 0


async def test_the_first_settlement_holds(ledger: Ledger, database: Database) -> None:
    """However often it is settled, at once or later, and with whatever."""
    reservation = await ledger.reserve(request(), allowed())
    other = Settlement(Outcome.ABORTED, prompt_tokens=10, completion_tokens=1)
    await asyncio.gather(ledger.settle(reservation, DONE), ledger.settle(reservation, other))
    await ledger.settle(reservation, other)
    assert [row["outcome"] for row in await fetch(database, "SELECT outcome FROM requests")] == ["complete"]
    await assert_adds_up(database)


async def test_what_failed_before_its_first_token_costs_nothing(ledger: Ledger, database: Database) -> None:
    await ledger.settle(await ledger.reserve(request(), allowed()), Settlement(Outcome.FAILED, prompt_tokens=10))
    held = await balance(database, "c:zizou")
    assert (held["day_spent"], held["month_spent"]) == (0, 0)
    await ledger.settle(await ledger.reserve(request(), allowed()), Settlement(Outcome.ABORTED, prompt_tokens=10, completion_tokens=1))
    assert (await balance(database, "c:zizou"))["day_spent"] == 11


@pytest.mark.parametrize(
    ("owner", "limits", "kind", "fits"),
    [
        ("community", Limits(requests_per_minute=3), RateLimited, 3),
        ("key", Limits(tokens_per_minute=100), RateLimited, 3),
        ("community", Limits(concurrent=3), ConcurrencyLimited, 3),
        ("key", Limits(tokens_per_day=100), BudgetSpent, 3),
        ("community", Limits(money_per_month=150), BudgetSpent, 3),
        ("community", Limits(tokens_per_day=0), BudgetSpent, 0),
        ("key", Limits(requests_per_minute=0), RateLimited, 0),
    ],
)
async def test_200_at_once_never_overshoot(
    ledger: Ledger, database: Database, owner: str, limits: Limits, kind: type[Refused], fits: int
) -> None:
    """Of any limit, of a community's or a key's; and whoever is refused leaves nothing set aside, also not on the other account."""
    asked = [ledger.reserve(request(), allowed(**{owner: limits})) for _ in range(200)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    granted = [answer for answer in answers if isinstance(answer, Reservation)]
    refused = [answer for answer in answers if isinstance(answer, kind)]
    assert (len(granted), len(refused)) == (fits, 200 - fits)
    assert all(refusal.owner == owner and getattr(limits, refusal.limit) == refusal.cap for refusal in refused)
    assert len(await fetch(database, "SELECT id FROM requests")) == fits
    await assert_adds_up(database)
    await asyncio.gather(*(ledger.settle(each, DONE) for each in granted))
    await assert_adds_up(database)


async def test_the_edge_again_and_again(ledger: Ledger, database: Database, soak: bool) -> None:
    """200 at once with room for 37, in tokens and in money, again and again: never one too many, and never one too few."""
    for turn in range(100 if soak else 5):
        limits = Limits(tokens_per_day=37 * 30) if turn % 2 else Limits(money_per_month=37 * 50)
        name = f"community{turn}"
        asked = [ledger.reserve(request(community=name), allowed(limits)) for _ in range(200)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        granted = [answer for answer in answers if isinstance(answer, Reservation)]
        assert len(granted) == 37
        held = await balance(database, f"c:{name}")
        assert (held["running"], held["day_reserved"], held["month_reserved"]) == (37, 37 * 30, 37 * 50)
        await asyncio.gather(*(ledger.settle(each, Settlement(Outcome.COMPLETE, 10, 0, 20)) for each in granted))
        held = await balance(database, f"c:{name}")
        assert (held["running"], held["day_spent"], held["month_spent"]) == (0, 37 * 30, 37 * 50)


async def test_several_gateways_share_every_limit(make_ledger: MakeLedger, database: Database) -> None:
    """On one database, whatever they ask for at the same time."""
    ledgers = [await make_ledger() for _ in range(3)]
    limits = Limits(tokens_per_day=30 * 40, concurrent=50)
    asked = [ledgers[at % 3].reserve(request(key_id=f"key{at % 7}"), allowed(limits)) for at in range(200)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    granted = [(at % 3, answer) for at, answer in enumerate(answers) if isinstance(answer, Reservation)]
    assert len(granted) == 40
    assert sum(isinstance(answer, BudgetSpent) for answer in answers) == 160
    await asyncio.gather(*(ledgers[at].settle(answer, DONE) for at, answer in granted))
    assert (await balance(database, "c:zizou"))["day_spent"] == 40 * 15
    await assert_adds_up(database)


async def test_a_refusal_tells_when_to_come_back(ledger: Ledger, clock: Clock) -> None:
    """And whoever comes then is let in; a moment before, he is not."""
    limits = Limits(requests_per_minute=6)
    for left in reversed(range(6)):
        reservation = await ledger.reserve(request(), allowed(limits))
        rate = reservation.standing.requests()
        assert rate is not None
        assert (rate.limit, rate.remaining, reservation.standing.tokens()) == (6, left, None)
        assert rate.reset_ms == (6 - left) * 10_000
    with pytest.raises(RateLimited) as refused:
        await ledger.reserve(request(), allowed(limits))
    assert (refused.value.retry_after_ms, refused.value.remaining, refused.value.reset_ms) == (10_000, 0, 60_000)
    clock.now += 10 * SECOND - 1
    with pytest.raises(RateLimited):
        await ledger.reserve(request(), allowed(limits))
    clock.now += 1
    await ledger.reserve(request(), allowed(limits))


async def test_a_clock_that_is_set_back_keeps_nobody_waiting_for_what_it_was(ledger: Ledger, clock: Clock) -> None:
    """Rates begin anew where it was hours ahead, and hold again from then on."""
    limits = Limits(requests_per_minute=1, tokens_per_minute=60)
    clock.pass_seconds(3 * 3600)
    await ledger.reserve(request(), allowed(limits))
    clock.pass_seconds(-3 * 3600)
    reservation = await ledger.reserve(request(), allowed(limits))
    left = reservation.standing.requests()
    assert left is not None
    assert (left.remaining, left.reset_ms) == (0, 60_000)
    with pytest.raises(RateLimited) as refused:
        await ledger.reserve(request(), allowed(limits))
    assert refused.value.retry_after_ms == 60_000


async def test_tokens_that_were_not_used_flow_back(ledger: Ledger) -> None:
    """30 of 60 tokens a minute are set aside; half of them come back at once."""
    limits = Limits(tokens_per_minute=60)
    await ledger.settle(await ledger.reserve(request(), allowed(limits)), DONE)
    rate = (await ledger.reserve(request(), allowed(limits))).standing.tokens()
    assert rate is not None
    assert rate.remaining == 60 - 15 - 30


@pytest.mark.parametrize(
    ("limits", "kind", "said"),
    [
        (Limits(tokens_per_minute=100), RateLimited, "asks for more"),
        (Limits(concurrent=0), ConcurrencyLimited, "have the limit raised"),
        (Limits(tokens_per_day=100), BudgetSpent, "ask for less"),
        (Limits(money_per_month=100), BudgetSpent, "ask for less"),
    ],
)
async def test_what_can_never_fit_says_so(ledger: Ledger, limits: Limits, kind: type[Refused], said: str) -> None:
    """Nobody is told to come again in vain."""
    with pytest.raises(kind) as refused:
        await ledger.reserve(request(most=1000), allowed(limits))
    assert refused.value.retry_after_ms is None
    assert said in str(refused.value)


async def test_a_spent_budget_tells_when_it_begins_anew(ledger: Ledger) -> None:
    """And whether it is spent, or only set aside for requests that run."""
    for limits, when in ((Limits(tokens_per_day=40), "2026-11-22"), (Limits(money_per_month=80), "2026-12-01")):
        name = "daily" if limits.tokens_per_day else "monthly"
        first = await ledger.reserve(request(community=name), allowed(limits))
        with pytest.raises(BudgetSpent) as refused:
            await ledger.reserve(request(community=name), allowed(limits))
        assert f"{refused.value.resets_at:%Y-%m-%d}" == when
        assert when in str(refused.value)
        assert (refused.value.held, refused.value.retry_after_ms) == (True, 1000)
        assert "set aside for requests that run" in str(refused.value)
        await ledger.settle(first, Settlement(Outcome.COMPLETE, prompt_tokens=10, completion_tokens=20))
        with pytest.raises(BudgetSpent) as refused:
            await ledger.reserve(request(community=name), allowed(limits))
        assert (refused.value.held, refused.value.retry_after_ms) == (False, None)
        assert "set aside" not in str(refused.value)


async def test_days_and_months_begin_anew_at_midnight_utc(ledger: Ledger, database: Database, clock: Clock) -> None:
    """What was reserved before midnight is charged to the day and the month that it was reserved in."""
    limits = Limits(tokens_per_day=30, money_per_month=50)
    clock.pass_seconds(9.5 * 86_400 - 1)  # 2026-11-30T23:59:59Z
    november = await ledger.reserve(request(), allowed(limits))
    with pytest.raises(BudgetSpent):
        await ledger.reserve(request(), allowed(limits))
    clock.pass_seconds(1)
    december = await ledger.reserve(request(), allowed(limits))
    await ledger.settle(november, DONE)
    held = await balance(database, "c:zizou")
    assert (held["day"], held["day_spent"], held["day_reserved"]) == ("2026-12-01", 0, 30)
    assert (held["month"], held["month_spent"], held["month_reserved"]) == ("2026-12", 0, 50)
    await ledger.settle(december, DONE)
    rows = await fetch(database, "SELECT day, token_cost FROM requests ORDER BY day")
    assert [(row["day"], row["token_cost"]) for row in rows] == [("2026-11-30", 18), ("2026-12-01", 18)]
    await assert_adds_up(database)


async def test_a_gateway_whose_clock_is_behind_counts_in_the_day_of_the_others(
    make_ledger: MakeLedger, database: Database, database_url: str, clock: Clock
) -> None:
    """Or a budget could be spent twice around midnight."""
    limits = Limits(tokens_per_day=30)
    ahead = await make_ledger()
    behind = Ledger(make_writer(database_url), Prices(), clock_ns=Clock(clock.now - 60 * SECOND))
    await behind.open()
    clock.pass_seconds(12 * 3600 + 10)
    first = await ahead.reserve(request(), allowed(limits))
    with pytest.raises(BudgetSpent):
        await behind.reserve(request(), allowed(limits))
    await ahead.settle(first, Settlement(Outcome.FAILED))
    second = await behind.reserve(request(key_id="key2"), allowed(limits))
    assert second.day == "2026-11-22"
    await behind.settle(second, DONE)
    await behind.close()
    await assert_adds_up(database)


async def test_degraded_answers_cost_nothing(ledger: Ledger, database: Database) -> None:
    """They are written down, pass a spent budget, and are held to the rates."""
    limits = Limits(tokens_per_day=0, money_per_month=0, concurrent=1)
    reservation = await ledger.reserve(request(degraded=True), allowed(limits))
    with pytest.raises(ConcurrencyLimited):
        await ledger.reserve(request(degraded=True), allowed(limits))
    await ledger.settle(reservation, DONE)
    (row,) = await fetch(database, "SELECT degraded, completion_tokens, token_cost FROM requests")
    assert (bool(row["degraded"]), row["completion_tokens"], row["token_cost"]) == (True, 5, 0)
    await assert_adds_up(database)


async def test_a_request_id_is_reserved_once(ledger: Ledger, database: Database) -> None:
    """Also within one transaction; the others set nothing aside."""
    same = request()
    answers = await asyncio.gather(*(ledger.reserve(same, allowed()) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(answer, DuplicateRequest) for answer in answers) == 4
    with pytest.raises(DuplicateRequest):
        await ledger.reserve(same, allowed())
    await assert_adds_up(database)


async def test_callers_that_go_away_leave_nothing_set_aside(ledger: Ledger, database: Database) -> None:
    """Wherever they were cancelled: before their row was written, while it was, or after."""
    for after in range(8):
        tasks = [asyncio.create_task(ledger.reserve(request(), allowed())) for _ in range(20)]
        for _ in range(after):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await ledger.settle(await task, DONE)
    await ledger.close()
    assert await fetch(database, "SELECT id FROM requests WHERE outcome IS NULL") == []
    await assert_adds_up(database)


async def test_who_goes_away_in_the_step_in_which_he_is_let_in_leaves_nothing_either(ledger: Ledger, database: Database) -> None:
    """His row is on disk then, and nobody but the ledger knows of it."""
    task = asyncio.create_task(ledger.reserve(request(), allowed()))
    while not ledger.unsettled:  # noqa: ASYNC110 (the very step counts)
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: ledger.unsettled == 0)
    assert [row["outcome"] for row in await fetch(database, "SELECT outcome FROM requests")] == ["failed"]
    await assert_adds_up(database)


async def test_nothing_is_reserved_once_it_is_closing(ledger: Ledger, database: Database) -> None:
    """What was settled before is on disk when it is closed."""
    reservation = await ledger.reserve(request(), allowed())
    waiting = ledger.settle(reservation, DONE)
    await ledger.close()
    assert waiting.done()
    with pytest.raises(LedgerUnavailable):
        await ledger.reserve(request(), allowed())
    await assert_adds_up(database)


async def test_engine_time_is_part_of_the_budget(make_ledger: MakeLedger, database: Database) -> None:
    """Set aside as the most that it can cost, charged as if the request had been alone until the engine's life is shared out."""
    ledger = await make_ledger(prices=Prices(engine_second=400_000))
    limits = Limits(money_per_month=4000)
    reservation = await ledger.reserve(request(engine_ms=10_000), allowed(limits))
    assert reservation.money == 4000
    with pytest.raises(BudgetSpent):
        await ledger.reserve(request(), allowed(Limits(money_per_month=3999)))
    done = Settlement(Outcome.COMPLETE, prompt_tokens=1, completion_tokens=1, life="l1", engine_from_ms=1000, engine_until_ms=3500)
    await ledger.settle(reservation, done)
    (row,) = await fetch(database, "SELECT engine_ms, engine_cost, token_cost FROM requests")
    assert (row["engine_ms"], row["engine_cost"], row["token_cost"]) == (2500, 1000, 0)
    await assert_adds_up(database)
