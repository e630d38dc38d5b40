"""Answers in SQL: states that replace each other, what counts when, and people who said no."""

import asyncio
from dataclasses import replace

from adapters.registry.database import Database
from server.feedback.answer import WINDOW_MS, Answer, Text, Turn
from server.feedback.consent import ConsentStore, Wishes
from server.feedback.store import KEPT_MS, FeedbackStore, Kept, Tally

NOW = 2_000_000_000_000
SENT = NOW - 2 * WINDOW_MS
TURNS = (Turn("Zed", "who wins?", author="11"), Turn("", "us", is_self=True), Turn("Al", "sure?", author="12"))
TEXT = Text(TURNS, "always", frozenset({"11", "12", "13"}))


def answer(message: str = "1", adapter: str = "zizou@1", people: int = 0, at: int = SENT, text: Text | None = None) -> Answer:
    return Answer(message, adapter, "0" * 64, at, at, {"👍": people} if people else {}, people, text)


async def tally(store: FeedbackStore, *, now: int = NOW) -> Tally:
    (only,) = await store.tallies("zizou", threshold=2, now_ms=now)
    return only


async def test_states_replace_each_other(database: Database) -> None:
    """Said twice is said once; what was earlier and comes late changes nothing, and fewer reactions are fewer."""
    store = FeedbackStore(database)
    late = replace(answer(people=3), changed_ms=SENT + 10)
    for each in (answer(), late, late, answer(people=1)):
        assert await store.put("zizou", [each]) == Kept(1, 0)
    assert await tally(store) == Tally("zizou@1", answers=1, waiting=0, reacted=1, counted=1, bangers=1)
    await store.put("zizou", [replace(answer(people=1), changed_ms=SENT + 20)])
    assert (await tally(store)).bangers == 0


async def test_an_answer_counts_when_its_day_is_over(database: Database) -> None:
    """By what it had then: what people like later changes what is learnt, and no comparison."""
    store = FeedbackStore(database)
    await store.put("zizou", [answer(people=2)])
    assert await tally(store, now=SENT + WINDOW_MS - 1) == Tally("zizou@1", 1, waiting=1, reacted=1, counted=0, bangers=0)
    assert (await tally(store)).bangers == 1
    await store.put("zizou", [answer("2"), replace(answer("2", people=9), changed_ms=SENT + WINDOW_MS + 1)])
    assert await tally(store) == Tally("zizou@1", 2, waiting=0, reacted=2, counted=2, bangers=1)


async def test_which_version_answered_cannot_be_said_anew(database: Database) -> None:
    store = FeedbackStore(database)
    await store.put("zizou", [answer()])
    await store.put("zizou", [replace(answer(adapter="zizou@2", people=5), changed_ms=SENT + 1)])
    assert (await tally(store)).adapter == "zizou@1"


async def test_communities_do_not_meet(database: Database) -> None:
    """The same message id in two of them is two answers."""
    store, consent = FeedbackStore(database), ConsentStore(database)
    await store.put("zizou", [answer(text=TEXT)])
    await store.put("greybeards", [answer(adapter="greybeards@1", text=TEXT)])
    assert await consent.note("zizou", Wishes(out=frozenset({"11"})), now_ms=NOW) == 1
    assert await store.examples("zizou", after=(0, ""), limit=9) == []
    assert len(await store.examples("greybeards", after=(0, ""), limit=9)) == 1
    assert await consent.said_no("greybeards") == []


async def test_who_said_no_is_in_no_text(database: Database) -> None:
    """What was kept is gone, and what comes later is not taken; the counts stay, which name nobody."""
    store, consent = FeedbackStore(database), ConsentStore(database)
    await store.put("zizou", [answer(str(number), people=3, text=TEXT) for number in range(3)])
    assert await consent.note("zizou", Wishes(out=frozenset({"13"})), now_ms=NOW) == 3
    assert await store.put("zizou", [answer("9", people=3, text=TEXT)]) == Kept(1, untold=1)
    assert await store.examples("zizou", after=(0, ""), limit=9) == []
    assert (await tally(store)).bangers == 4
    await consent.note("zizou", Wishes(back=frozenset({"13"})), now_ms=NOW)
    assert await store.put("zizou", [answer("10", text=TEXT)]) == Kept(1, 0)


async def test_a_no_and_a_text_at_the_same_time(database: Database) -> None:
    """Whoever is first, no text is left."""
    store, consent = FeedbackStore(database), ConsentStore(database)
    for number in range(10):
        out = Wishes(out=frozenset({f"p{number}"}))
        text = replace(TEXT, people=frozenset({f"p{number}"}))
        await asyncio.gather(store.put("zizou", [answer(str(number), text=text)]), consent.note("zizou", out, now_ms=NOW))
    assert await store.examples("zizou", after=(0, ""), limit=99) == []


async def test_to_be_forgotten_everywhere(database: Database) -> None:
    """Once said it stays said, also by who only said no before."""
    store, consent = FeedbackStore(database), ConsentStore(database)
    for community in ("zizou", "greybeards"):
        await store.put(community, [answer(adapter=f"{community}@1", text=TEXT)])
    await consent.note("zizou", Wishes(out=frozenset({"12"})), now_ms=NOW - 5)
    assert await consent.forget(None, "12", now_ms=NOW) == 1
    (no,) = await consent.said_no("zizou")
    assert (no.person, no.since_ms, no.forget) == ("12", NOW - 5, True)
    assert [each.forget for each in await consent.said_no("greybeards")] == [True]
    await consent.note("zizou", Wishes(out=frozenset({"12"})), now_ms=NOW)
    assert (await consent.said_no("zizou"))[0].forget


async def test_examples_come_in_pages_with_their_people(database: Database) -> None:
    store = FeedbackStore(database)
    await store.put("zizou", [answer(f"{number:03}", people=number, at=SENT + number // 2, text=TEXT) for number in range(7)])
    await store.put("zizou", [answer("without", people=9)])
    found, after = [], (0, "")
    while page := await store.examples("zizou", after=after, limit=2):
        found += page
        after = (page[-1]["sent_ms"], page[-1]["message_id"])
    assert [each["message_id"] for each in found] == [f"{number:03}" for number in range(7)]
    assert found[3]["people"] == ["11", "12", "13"]
    assert (found[3]["reply"], found[3]["reward"]) == ("always", 3)
    assert found[3]["context"][1] == {"author": None, "name": "", "text": "us", "is_self": True}


async def test_a_text_that_is_taken_back_is_gone(database: Database) -> None:
    """A community that lets nobody learn any more says the same answers without them."""
    store = FeedbackStore(database)
    await store.put("zizou", [answer(text=TEXT)])
    await store.put("zizou", [answer()])
    assert await store.examples("zizou", after=(0, ""), limit=9) == []


async def test_what_is_old_is_forgotten(database: Database) -> None:
    store = FeedbackStore(database)
    await store.put("zizou", [answer("old", at=NOW - KEPT_MS - 1, text=TEXT), answer("young", text=TEXT)])
    assert await store.sweep(now_ms=NOW) == 1
    assert [each["message_id"] for each in await store.examples("zizou", after=(0, ""), limit=9)] == ["young"]
