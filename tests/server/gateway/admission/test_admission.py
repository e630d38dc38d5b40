"""What is let to the engine, in which order, and what never is."""

import random
from collections import Counter
from contextlib import suppress

import pytest

from server.gateway.admission.errors import QueueFull, ShareFull
from server.gateway.admission.lanes import Place
from server.gateway.admission.policy import Admission, Bounds, Ticket
from server.gateway.admission.seats import SPARE
from server.gateway.admission.shares import CREDIT


def ticket(community: str, adapter: str | None = None, *, deadline: float | None = None, weight: float = 1.0, tokens: int = 100) -> Ticket:
    return Ticket(community, adapter, tokens, weight=weight, deadline=deadline)


def let_in(admission: Admission, now: float = 0.0) -> list[Place]:
    """All that may go now."""
    places = []
    while (place := admission.next(now)) is not None:
        admission.sent(place, now)
        places.append(place)
    return places


def names(places: list[Place]) -> list[str]:
    return [place.lane.share.community for place in places]


def finish(admission: Admission, place: Place, now: float, tokens: int = 64) -> None:
    admission.streamed(place, tokens, now)
    admission.finish(place, now, prompt=place.prompt_tokens, completion=tokens)


def test_no_more_are_let_in_than_fill_the_engines_batch_and_its_spare_places() -> None:
    """A queue inside the engine would be ordered by nobody."""
    admission = Admission(Bounds(slots=2, batch=4))
    for _ in range(20):
        admission.arrive(ticket("a"), 0.0)
    assert len(let_in(admission)) == 4 + SPARE


def test_no_more_adapters_are_let_in_than_have_slots_and_the_base_needs_none() -> None:
    """The engine would skip the third adapter's requests for as long as the others are asked for."""
    admission = Admission(Bounds(slots=2, batch=8))
    for name in ("a", "b", "c"):
        admission.arrive(ticket(name, name), 0.0)
    admission.arrive(ticket("d"), 0.0)
    assert sorted(names(let_in(admission))) == ["a", "b", "d"]
    assert set(admission.lanes.residents) == {"a", "b"}


def test_the_community_that_has_had_least_is_next_however_many_others_wait() -> None:
    """One request of a second community passes the queue of the first."""
    admission = Admission(Bounds(slots=2, batch=1))
    for _ in range(30):
        admission.arrive(ticket("many"), 0.0)
    running = let_in(admission)
    admission.arrive(ticket("one"), 0.1)
    finish(admission, running[0], 1.0)
    finish(admission, running[1], 1.0)
    assert "one" in names(let_in(admission, 1.0))


def test_two_that_always_want_more_get_the_same_and_by_weight() -> None:
    """Jain's index of what they got, divided by their weights, is nearly one, whatever the lengths of their answers are."""
    chance = random.Random(7)
    admission = Admission(Bounds(slots=1, batch=8, waiting=4096))
    weights, lengths, got = {"a": 1.0, "b": 3.0}, {"a": 20, "b": 90}, {"a": 0.0, "b": 0.0}
    running: list[Place] = []
    for step in range(4000):
        for name, weight in weights.items():
            while admission.shares.waiting_of(name) < 5:
                admission.arrive(ticket(name, weight=weight), float(step))
        running += let_in(admission, float(step))
        place = running.pop(chance.randrange(len(running)))
        name = place.lane.share.community
        tokens = chance.randint(1, 2 * lengths[name])
        finish(admission, place, float(step), tokens)
        got[name] += (100 + 2 * tokens) / weights[name]
    assert got["a"] == pytest.approx(got["b"], rel=0.02)


def test_another_weight_holds_though_requests_wait_all_the_time() -> None:
    """From its first request on; and what waited with the old one is let in by it, too."""
    admission = Admission(Bounds(slots=1, batch=8, waiting=4096))
    running: list[Place] = []
    got: list[Counter[str]] = [Counter(), Counter()]
    for step in range(4000):
        for name in ("a", "b"):
            while admission.shares.waiting_of(name) < 5:
                admission.arrive(ticket(name, weight=3.0 if name == "a" and step >= 2000 else 1.0), float(step))
        running += let_in(admission, float(step))
        place = running.pop(0)
        finish(admission, place, float(step))
        got[step >= 2000][place.lane.share.community] += 1
    assert got[0]["a"] == pytest.approx(got[0]["b"], rel=0.05)
    assert got[1]["a"] == pytest.approx(3 * got[1]["b"], rel=0.05)
    while running or admission.lanes.waiting:
        running += let_in(admission, 4000.0)
        finish(admission, running.pop(), 4000.0)
    assert admission.shares.weight == 0.0


def test_who_comes_back_after_a_pause_has_no_credit_from_it() -> None:
    """It is served in turn with the others, and not until it has caught up."""
    admission = Admission(Bounds(slots=1, batch=1, waiting=4096))
    admission.arrive(ticket("idle"), 0.0)
    running = let_in(admission)
    finish(admission, running.pop(), 0.0)
    for step in range(400):
        while admission.shares.waiting_of("busy") < 5:
            admission.arrive(ticket("busy"), float(step))
        running += let_in(admission, float(step))
        finish(admission, running.pop(0), float(step))
    for _ in range(20):
        admission.arrive(ticket("idle"), 400.0)
        admission.arrive(ticket("busy"), 400.0)
    order = []
    for step in range(20):
        finish(admission, running.pop(0), 400.0 + step)
        here = let_in(admission, 400.0 + step)
        order += names(here)
        running += here
    assert 8 <= order.count("idle") <= 13


def test_newcomers_without_end_keep_nobody_out() -> None:
    """Each comes with one request only, so that its counter never rises above what it was lifted to."""
    admission = Admission(Bounds(slots=1, batch=1, waiting=4096))
    for _ in range(60):
        admission.arrive(ticket("debtor", tokens=1000), 0.0)
    running, newcomers = let_in(admission), 0
    for step in range(200):
        while admission.lanes.waiting - admission.shares.waiting_of("debtor") < 5:
            newcomers += 1
            admission.arrive(ticket(f"new{newcomers}"), float(step))
        finish(admission, running.pop(0), float(step))
        running += let_in(admission, float(step))
    served = 60 - admission.shares.waiting_of("debtor")
    assert served > 5


def test_an_adapter_without_a_slot_is_let_in_though_those_with_one_are_asked_for_without_a_pause() -> None:
    """One of them is drained after a bounded wait, and comes back later."""
    admission = Admission(Bounds(slots=1, batch=4, longest_swap=2.0))
    now, running, waited = 0.0, list[Place](), None
    for _ in range(2):
        admission.arrive(ticket("hot", "hot"), now)
    running += let_in(admission, now)
    outsider = admission.arrive(ticket("cold", "cold"), 0.05)
    while waited is None and now < 60:
        while admission.shares.waiting_of("hot") < 5:
            admission.arrive(ticket("hot", "hot"), now)
        now += 0.1
        if running:
            finish(admission, running.pop(0), now)
        for place in let_in(admission, now):
            running.append(place)
            waited = now if place is outsider else waited
    assert waited is not None
    assert waited <= 2.0 + 7 * 0.1
    assert admission.slots.swaps == 1
    while running:
        finish(admission, running.pop(0), now)
    assert "hot" in names(let_in(admission, now))


def test_a_swap_that_empties_no_seat_comes_sooner_than_one_that_does() -> None:
    """With enough other work for the residents that stay, nothing is lost by draining one."""

    def begins(waiting_for_b: int) -> float:
        admission = Admission(Bounds(slots=2, batch=8, shortest_swap=0.2, longest_swap=5.0))
        for name in ("a", "b", "a", "b", "a", "b"):
            admission.arrive(ticket(name, name), 0.0)
        let_in(admission)
        for _ in range(waiting_for_b):
            admission.arrive(ticket("b", "b"), 0.0)
        admission.arrive(ticket("c", "c"), 0.0)
        return admission.slots.look(0.0, batch=8) or 0.0

    assert begins(8) == pytest.approx(0.2)
    assert begins(0) > 0.5


@pytest.mark.parametrize(("a_came", "b_came", "drained"), [(0.5, 1.5, "b"), (1.5, 0.5, "a"), (0.5, 0.6, None), (None, 0.5, "a")])
def test_no_adapter_is_drained_whose_next_request_has_waited_longer(a_came: float | None, b_came: float, drained: str | None) -> None:
    """The outsider came at 1: it takes the slot of one whose next request came later, or that has none."""
    admission = Admission(Bounds(slots=2, batch=2))
    for name in ("a", "b", "a", "b"):
        admission.arrive(ticket(name, name), 0.0)
    let_in(admission)
    arrivals = [(1.0, "c"), (b_came, "b"), *([] if a_came is None else [(a_came, "a")])]
    for at, name in sorted(arrivals):
        admission.arrive(ticket(name, name), at)
    admission.slots.look(9.0, batch=2)
    assert (admission.slots.draining.name if admission.slots.draining else None) == drained


def test_while_slots_are_short_whoever_came_first_is_served_first() -> None:
    """Of two that have had about the same, the one that has had a little less does not go before who waited; it does once slots suffice."""

    def served(*outsiders: str) -> list[str]:
        admission = Admission(Bounds(slots=2, batch=2, shortest_swap=90.0, longest_swap=90.0))
        for name in ("a", "b", "a", "b", "a", "b"):
            admission.arrive(ticket(name, name, tokens=200 if name == "a" else 100), 0.0)
        running = let_in(admission)
        for name in outsiders:
            admission.arrive(ticket(name, name), 0.5)
        finish(admission, running[0], 1.0)
        return names(let_in(admission, 1.0))

    assert served("c") == ["a"]
    assert served() == ["b"]


def test_who_takes_a_moment_to_ask_again_loses_nothing_by_it() -> None:
    """Eight callers have as much as forty-eight, though for a moment none of them waits; more than a little they do not save up."""
    admission = Admission(Bounds(slots=1, batch=2))
    for name in ("few", "many", "many", "many", "many", "many", "many"):
        admission.arrive(ticket(name, tokens=400), 0.0)
    running = let_in(admission)
    assert names(running) == ["few", "many", "many", "many"]
    admission.arrive(ticket("few", tokens=400), 0.1)
    assert admission.shares.clock - admission.shares.counters()["few"] == CREDIT
    finish(admission, running[1], 1.0)
    assert names(let_in(admission, 1.0)) == ["few"]


@pytest.mark.parametrize(("leaving", "first"), [(0, "short"), (4, "long")])
def test_a_short_queue_has_a_slot_before_a_long_one_that_came_a_little_earlier(leaving: int, first: str) -> None:
    """It is soon done with it. What has left the long queue meanwhile counts no more."""
    admission = Admission(Bounds(slots=1, batch=8))
    admission.arrive(ticket("resident", "resident"), 0.0)
    running = let_in(admission)
    long = [admission.arrive(ticket("long", "long"), 1.0) for _ in range(5)]
    admission.arrive(ticket("short", "short"), 1.2)
    for place in long[:leaving]:
        admission.leave(place)
    finish(admission, running[0], 1.3)
    assert names(let_in(admission, 1.3))[0] == first


def test_a_drain_ends_when_nobody_needs_the_slot_any_more() -> None:
    """The outsider was cancelled: the resident's requests are let in again."""
    admission = Admission(Bounds(slots=1, batch=4))
    admission.arrive(ticket("a", "a"), 0.0)
    let_in(admission)
    outsider = admission.arrive(ticket("b", "b"), 0.0)
    admission.arrive(ticket("a", "a"), 0.0)
    let_in(admission, 9.0)
    held_back = admission.slots.draining
    assert held_back is not None
    admission.leave(outsider)
    admission.arrive(ticket("a", "a"), 9.0)
    assert names(let_in(admission, 9.0)) == ["a", "a"]
    assert admission.slots.draining is None
    assert admission.slots.swaps == 0


def test_several_adapters_of_one_community_and_one_adapter_of_several_share_as_communities() -> None:
    """Live and canary of one community together get what another community gets with one."""
    admission = Admission(Bounds(slots=3, batch=4, waiting=4096))
    got, running = {"two": 0, "one": 0}, list[Place]()
    for step in range(1500):
        now = step / 10
        for name, adapters in (("two", ("two-live", "two-canary")), ("one", ("one-live",))):
            for adapter in adapters:
                if admission.shares.waiting_of(name) < 6:
                    admission.arrive(ticket(name, adapter), now)
        running += let_in(admission, now)
        place = running.pop(0)
        finish(admission, place, now, 50)
        got[place.lane.share.community] += 1
    assert got["two"] == pytest.approx(got["one"], rel=0.05)


def test_a_community_with_many_adapters_has_no_seat_for_each_of_them() -> None:
    """Free slots are no way round the counters."""
    admission = Admission(Bounds(slots=32, batch=8, waiting=4096))
    got, running = {"many": 0, "one": 0}, list[Place]()
    for step in range(3000):
        for number in range(12):
            if admission.shares.waiting_of("many") < 24:
                admission.arrive(ticket("many", f"many-{(step + number) % 12}"), float(step))
        while admission.shares.waiting_of("one") < 12:
            admission.arrive(ticket("one", "one"), float(step))
        running += let_in(admission, float(step))
        place = running.pop(0)
        finish(admission, place, float(step), 50)
        got[place.lane.share.community] += 1
    assert got["many"] == pytest.approx(got["one"], rel=0.1)


@pytest.mark.parametrize(("waiting", "weight"), [(256, 1000.0), (256, 130.0), (32, 20.0)])
def test_no_weight_is_large_enough_to_fill_the_queue(waiting: int, weight: float) -> None:
    """Others find room, and not one of them alone."""
    admission = Admission(Bounds(slots=1, batch=1, waiting=waiting))
    with suppress(ShareFull):
        while True:
            admission.arrive(ticket("heavy", weight=weight), 0.0)
    assert admission.shares.waiting_of("heavy") > waiting / 2
    for name in "abcd":
        admission.arrive(ticket(name), 0.0)


def test_one_community_alone_cannot_fill_the_queue() -> None:
    """Its share is full, a 429; others still find room, and a 503 comes only when there is none at all."""
    admission = Admission(Bounds(slots=1, batch=1, waiting=30))
    for _ in range(20):
        admission.arrive(ticket("greedy"), 0.0)
    with pytest.raises(ShareFull):
        admission.arrive(ticket("greedy"), 0.0)
    for number in range(10):
        admission.arrive(ticket(f"c{number}"), 0.0)
    with pytest.raises(QueueFull):
        admission.arrive(ticket("c10"), 0.0)


def test_what_could_not_be_served_before_its_deadline_is_refused_at_once() -> None:
    """To wait for nothing helps nobody."""
    admission = Admission(Bounds(slots=1, batch=1, waiting=1000))
    admission.arrive(ticket("a"), 0.0)
    finish(admission, let_in(admission)[0], 3.0)  # a request takes three seconds; three may be there at once
    for _ in range(13):
        admission.arrive(ticket("a"), 3.0)
    let_in(admission, 3.0)
    with pytest.raises(ShareFull) as refused:
        admission.arrive(ticket("a", deadline=5.0), 3.0)
    assert refused.value.retry_after == 10
    admission.arrive(ticket("a", deadline=50.0), 3.0)
    admission.arrive(ticket("b", deadline=5.0), 3.0)


def test_who_waited_until_its_deadline_is_told_then_and_leaves_no_trace() -> None:
    admission = Admission(Bounds(slots=1, batch=1))
    for _ in range(3):
        admission.arrive(ticket("a"), 0.0)
    let_in(admission)
    late = admission.arrive(ticket("b", "b", deadline=2.0), 0.0)
    admission.next(0.0)
    assert admission.look_at == pytest.approx(2.0)
    assert admission.expired(1.9) == []
    assert admission.expired(2.0) == [late]
    assert admission.lanes.waiting == 0
    assert len(admission.lanes) == 0


def test_an_answer_that_was_charged_too_much_gives_back() -> None:
    """What is charged in the end is what the answer had; of one that broke off, what came of it."""
    admission = Admission(Bounds(slots=1, batch=4))
    first, second = admission.arrive(ticket("a"), 0.0), admission.arrive(ticket("b"), 0.0)
    let_in(admission)
    admission.streamed(first, 3, 0.1)
    admission.finish(first, 1.0, prompt=90, completion=5)
    admission.streamed(second, 7, 0.1)
    admission.finish(second, 1.0)
    assert admission.shares.counters() == pytest.approx({"a": 90 + 2 * 5, "b": 100 + 2 * 7})


def test_communities_that_are_gone_are_forgotten() -> None:
    """As many names as anybody may send must not fill the memory."""
    admission = Admission(Bounds(slots=1, batch=1))
    for number in range(5000):
        admission.arrive(ticket(f"c{number}", f"a{number}"), float(number))
        finish(admission, let_in(admission, float(number))[0], float(number))
    assert len(admission.shares) < 1500
    assert len(admission.lanes) == 0


def test_bounds_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Bounds(slots=0)
    with pytest.raises(ValueError, match="shortest"):
        Bounds(slots=1, shortest_swap=3.0)
