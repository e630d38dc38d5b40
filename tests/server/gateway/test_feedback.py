"""What bots tell of answers and of people, over the API: with a community's own key, of its own answers, and nothing of it comes back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import text

from tests.server.gateway.admin.test_admin import ROOT, check
from tests.server.gateway.stage import ADMIN, CHAT_KEY, EVALUATE_KEY, Stage

FEEDBACK, CONSENT, SCORES = "/v1/feedback", "/v1/consent", f"{ROOT}/feedback/scores"
CHAT = {"authorization": f"Bearer {CHAT_KEY}"}


def ago(**since: float) -> str:
    return (datetime.now(UTC) - timedelta(**since)).isoformat()


def item(message: str = "100", adapter: str = "zizou@1", people: int = 0, **more: Any) -> dict[str, Any]:
    reactions = {"👍": people} if people else {}
    said = {"message_id": message, "adapter": adapter, "context_hash": "ab" * 32, "reactions": reactions, "people": people}
    return {**said, "sent_at": ago(days=2), **more}


def told(*authors: str) -> dict[str, Any]:
    """A text that may be learnt from."""
    turns = [{"author": author, "name": f"N{author}", "text": "who wins?"} for author in authors]
    return {"context": turns, "reply": "we do", "authors": list(authors)}


async def send(stage: Stage, *items: dict[str, Any], headers: dict[str, str] = CHAT, **more: Any) -> httpx.Response:
    return await stage.http.post(FEEDBACK, json={"items": list(items), **more}, headers=headers)


async def admin(stage: Stage, method: str, path: str, headers: dict[str, str] = ADMIN, **asked: Any) -> httpx.Response:
    """And whatever is answered is what the OpenAPI document says of it."""
    answer = await stage.http.request(method, path, headers=headers, **asked)
    check((await stage.http.get(f"{ROOT}/openapi.json", headers=ADMIN)).json(), method, path, answer)
    return answer


async def scores(stage: Stage, community: str = "zizou") -> dict[str, dict[str, Any]]:
    answer = await admin(stage, "GET", SCORES, params={"community": community})
    assert answer.status_code == 200, answer.text
    return {each["adapter"]: each for each in answer.json()["versions"]}


async def test_reactions_become_a_score(fresh: Stage) -> None:
    """By version, with an interval, and the canary against live."""
    live = [item(str(number), people=3 if number < 2 else 1) for number in range(10)]
    canary = [item(str(number), "zizou@2", people=2) for number in range(10, 20)]
    assert (await send(fresh, *live, *canary)).json() == {"object": "feedback", "answers": 20, "texts_left_out": 0}
    await send(fresh, item("30", people=9, sent_at=ago(minutes=1)))
    found = await scores(fresh)
    assert {name: found["zizou@1"][name] for name in ("answers", "reacted", "waiting", "counted", "bangers", "aliases")} == {
        "answers": 11, "reacted": 11, "waiting": 1, "counted": 10, "bangers": 2, "aliases": ["live"],
    }  # fmt: skip
    assert found["zizou@1"]["low"] < found["zizou@1"]["rate"] == 0.2 < found["zizou@1"]["high"]
    assert found["zizou@2"]["rate"] == 1
    await fresh.http.put(f"{ROOT}/communities/zizou/aliases/canary", json={"version": 2, "share": 10}, headers=ADMIN)
    compared = (await admin(fresh, "GET", SCORES, params={"community": "zizou"})).json()["canary_against_live"]
    assert (compared["live"], compared["canary"]) == ("zizou@1", "zizou@2")
    assert 0.99 < compared["probability_better"] <= 1


async def test_unkind_reactions_are_no_applause(fresh: Stage) -> None:
    """Whoever only said 👎, in whatever skin, liked nothing."""
    await send(fresh, item("1", reactions={"👎🏽": 3, "👍": 1}, people=4), item("2", reactions={"💀": 2, "👍": 1}, people=2))
    assert (await scores(fresh))["zizou@1"]["bangers"] == 1


async def test_another_community_s_answers_are_not_there(fresh: Stage) -> None:
    """One word for what there is not and what is another's, and nothing of the batch is kept."""
    key = await fresh.key("chat", communities=["greybeards"])
    for adapter in ("zizou@1", "nobody@1", "greybeards@9", "greybeards", "zizou@live", "x", ""):
        answer = await send(fresh, item("1", "greybeards@1"), item("2", adapter), headers=key)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found"), adapter
        assert answer.json()["error"]["message"] == f"The model {adapter!r} does not exist or you do not have access to it."
    assert await scores(fresh, "greybeards") == {}
    for method, path in (("GET", FEEDBACK), ("GET", CONSENT)):
        refused = await fresh.http.request(method, path, params={"community": "zizou"}, headers=key)
        assert (refused.status_code, refused.json()["error"]["param"]) == (404, "community")
    wish = await fresh.http.post(CONSENT, json={"community": "zizou", "optout": ["1"]}, headers=key)
    assert wish.status_code == 404


async def test_answers_of_the_base_are_the_key_s_community_s(fresh: Stage) -> None:
    key = await fresh.key("chat", communities=["greybeards"])
    assert (await send(fresh, item(adapter="base", people=2), headers=key)).status_code == 200
    assert set(await scores(fresh, "greybeards")) == {"base"}
    whose = await send(fresh, item(adapter="base"))
    assert (whose.status_code, whose.json()["error"]["param"]) == (400, "community")
    assert (await send(fresh, item(adapter="base"), community="zizou")).status_code == 200


async def test_only_chat_keys_tell_and_only_admin_keys_read(fresh: Stage) -> None:
    evaluate = {"authorization": f"Bearer {EVALUATE_KEY}"}
    publish = await fresh.key("publish")
    for headers in (ADMIN, publish):
        assert (await send(fresh, item(), headers=headers)).status_code == 403
    assert (await send(fresh, item(), headers=evaluate)).status_code == 200  # the settings' one chats, too
    paths = (SCORES, f"{ROOT}/feedback/examples", f"{ROOT}/consent")
    other = await fresh.key("admin", communities=["greybeards"])
    for path in paths:
        for headers in (CHAT, publish, other):
            assert (await admin(fresh, "GET", path, headers, params={"community": "zizou"})).status_code == 403
        assert (await admin(fresh, "GET", path, other, params={"community": "greybeards"})).status_code in (200, 404)
    everywhere = await admin(fresh, "POST", f"{ROOT}/feedback/forget", other, json={"person": "1"})
    assert everywhere.status_code == 403


async def test_opting_out_takes_effect_with_the_answer(fresh: Stage) -> None:
    """Texts with that person are gone, none comes any more, and the factory is told who it is."""
    await send(fresh, item("1", people=2, **told("11", "12")), item("2", people=2, **told("12")))
    examples = f"{ROOT}/feedback/examples"
    first = (await admin(fresh, "GET", examples, params={"community": "zizou"})).json()
    assert [each["reply"] for each in first["examples"]] == ["we do", "we do"]
    gone = await fresh.http.post(CONSENT, json={"community": "zizou", "optout": ["11"], "forget": ["13"]}, headers=CHAT)
    assert gone.json() == {"object": "consent", "community": "zizou", "texts_removed": 1}
    left = (await admin(fresh, "GET", examples, params={"community": "zizou"})).json()["examples"]
    assert [(each["message_id"], each["people"]) for each in left] == [("2", ["12"])]
    again = await send(fresh, item("3", people=2, **told("12", "13")))
    assert again.json()["texts_left_out"] == 1
    listed = (await admin(fresh, "GET", f"{ROOT}/consent", params={"community": "zizou"})).json()["people"]
    assert [(each["person"], each["forget"]) for each in listed] == [("11", False), ("13", True)]
    own = await fresh.http.get(CONSENT, params={"community": "zizou"}, headers=CHAT)
    assert own.json()["people"] == listed
    forgotten = await admin(fresh, "POST", f"{ROOT}/feedback/forget", json={"person": "12"})
    assert forgotten.json() == {"texts_removed": 1}
    last = (await admin(fresh, "GET", examples, params={"community": "zizou"})).json()
    assert last["examples"] == []


async def test_examples_in_pages(fresh: Stage) -> None:
    await send(fresh, *(item(str(number), people=2, **told("11")) for number in range(5)))
    seen, cursor = [], ""
    while True:
        query = {"community": "zizou", "limit": "2", "cursor": cursor}
        page = (await admin(fresh, "GET", f"{ROOT}/feedback/examples", params=query)).json()
        if not page["examples"]:
            break
        seen += [each["message_id"] for each in page["examples"]]
        cursor = page["cursor"]
    assert sorted(seen) == ["0", "1", "2", "3", "4"]
    wrong = await admin(fresh, "GET", f"{ROOT}/feedback/examples", params={"community": "zizou", "cursor": "nonsense"})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "cursor")


async def test_the_plan_follows_the_aliases(fresh: Stage) -> None:
    key = await fresh.key("chat", communities=["zizou"])
    plan = (await fresh.http.get(FEEDBACK, headers=key)).json()
    said = {"live": "zizou@1", "canary": None, "share": 0.0, "decided_by_reactions": False}
    assert plan == {"object": "feedback.plan", "communities": {"zizou": said}}
    await fresh.http.put(f"{ROOT}/communities/zizou/aliases/canary", json={"version": 2, "share": 10}, headers=ADMIN)
    await admin(fresh, "PUT", f"{ROOT}/communities/zizou/canary", json={"confidence": 0.9})
    plan = (await fresh.http.get(FEEDBACK, headers=key)).json()["communities"]["zizou"]
    assert plan == {"live": "zizou@1", "canary": "zizou@2", "share": 10.0, "decided_by_reactions": True}
    await fresh.http.post(f"{ROOT}/communities/zizou/adapters/2/quarantine", json={"reason": "odd"}, headers=ADMIN)
    plan = (await fresh.http.get(FEEDBACK, headers=key)).json()["communities"]["zizou"]
    assert (plan["canary"], plan["share"]) == (None, 0.0)  # nobody is sent to one that is not served
    every = await fresh.http.get(FEEDBACK, headers=CHAT)
    assert (every.status_code, every.json()["error"]["param"]) == (400, "community")


async def test_a_policy_is_off_until_somebody_sets_it(fresh: Stage) -> None:
    path = f"{ROOT}/communities/zizou/canary"
    assert (await admin(fresh, "GET", path)).json() == {"community": "zizou", "policy": None, "standing": None, "trials": []}
    made = (await admin(fresh, "PUT", path, json={"minimum": 20, "by": "Ann"})).json()["policy"]
    assert (made["confidence"], made["minimum"], made["threshold"], made["days"], made["by"]) == (0.95, 20, 2, 30, "Ann")
    for wrong in ({"confidence": 1}, {"minimum": 0}, {"days": 1000}, {"share": 5}):
        assert (await admin(fresh, "PUT", path, json=wrong)).status_code == 400
    assert (await admin(fresh, "DELETE", path)).json()["policy"] is None


WRONG: list[dict[str, Any]] = [
    {"message_id": ""}, {"message_id": "a b"}, {"message_id": "x" * 65}, {"context_hash": "short"}, {"people": -1}, {"people": 1.5},
    {"people": "3"}, {"people": 10**9}, {"reactions": {"👍": -1}}, {"reactions": {"": 1}}, {"reactions": {str(n): 1 for n in range(65)}},
    {"sent_at": "yesterday"}, {"sent_at": "2026-11-21T10:00:00"}, {"sent_at": "2999-01-01T00:00:00Z"}, {"reply": "x" * 8001},
    {"context": [{"text": "x", "role": "user"}]}, {"authors": ["1"] * 101}, {"extra": 1}, {"reacted_at": "2999-01-01T00:00:00Z"},
]  # fmt: skip


async def test_what_cannot_be_is_refused_by_name(fresh: Stage) -> None:
    for wrong in WRONG:
        answer = await send(fresh, {**item(), **wrong})
        assert answer.status_code == 400, wrong
        assert answer.json()["error"]["param"].startswith(f"items.0.{next(iter(wrong))}"), wrong


async def test_bodies_are_bounded(fresh: Stage) -> None:
    assert (await send(fresh, *(item(str(number)) for number in range(101)))).status_code == 400
    assert (await fresh.http.post(FEEDBACK, content=b"[" * (3 << 20), headers=CHAT)).status_code == 413
    assert (await fresh.http.post(CONSENT, content=b"{" + b" " * (20 << 10), headers=CHAT)).status_code == 413
    assert (await send(fresh)).json()["answers"] == 0


async def test_a_reply_with_a_nul_is_kept(fresh: Stage) -> None:
    """Which a database may not take as it is."""
    said = {**told("11"), "reply": "a\0b"}
    assert (await send(fresh, item("1", people=2, **said))).status_code == 200


async def test_a_database_that_is_away_is_told_in_words(fresh: Stage) -> None:
    """Nothing of its own words reaches a caller."""
    async with fresh.books.database.noting() as connection:
        await connection.execute(text("DROP TABLE feedback_answers"))
    answer = await send(fresh, item())
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "feedback_unavailable")
    assert "feedback_answers" not in answer.text
