"""Nothing of one community ever comes to another: fifty of them at once, with faults, with callers who leave, while aliases move.

Each word of a prompt and of an answer is a canary that names whose it is. Looked at are all bodies and headers, what the engine was sent
and by which name and salt, the log, metrics, lists of models, usage, and the ledger.
"""

import asyncio
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.registry import Base
from loadtests.fake_engine import Fault
from server.gateway.admission.policy import Bounds
from server.gateway.apis.api import CHAT, MESSAGES, RESPONSES, TEXT
from server.gateway.settings import GatewaySettings
from server.log import JsonLines
from tests.server.accounts.ledger.desk import fetch, until
from tests.server.gateway.stage import Stage, open_stage
from tests.server.gateway.town import Town, canaries, settle

pytestmark = pytest.mark.timeout(3600)

TOWNS, AT_ONCE, BATCH = 50, 48, 1000
MISHAPS = (Fault.DIE, Fault.ERROR_EVENT, Fault.ERROR_FIRST, Fault.STATUS_400, Fault.STATUS_500, Fault.END_EARLY)
FAULTS = {f"please-{fault}": fault for fault in MISHAPS}
ROOMY = Bounds(slots=2 * TOWNS, batch=254)
"""Whose turn it is, is another test's: here everybody is at the engine at once."""


class Crowd:
    """Asks for everybody, and looks at every answer."""

    def __init__(self, stage: Stage, towns: list[Town], draw: random.Random) -> None:
        self._stage = stage
        self._towns = towns
        self._draw = draw
        self.asked_by: dict[str, Town] = {}
        """By the id of the request."""
        self.outcomes: Counter[str] = Counter()

    async def ask(self, http: aiohttp.ClientSession, count: int) -> None:
        left = iter(range(count))

        async def one_after_another() -> None:
            for number in left:
                town = self._draw.choice(self._towns)
                if number % 20 == 0:
                    await self._look_around(http, town)
                elif number % 50 == 1:
                    await self._move(town)
                else:
                    await self._talk(http, town)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(one_after_another())

    async def _talk(self, http: aiohttp.ClientSession, town: Town) -> None:
        path, body, other = self._question(town)
        patience = self._draw.uniform(0.0005, 0.03) if self._draw.random() < 0.15 else None
        leaves_amid = self._draw.random() < 0.1
        try:
            async with http.post(path, json=body, headers=town.key, timeout=aiohttp.ClientTimeout(total=patience)) as answer:
                self.asked_by[answer.headers["x-request-id"]] = town
                text = "".join(f"{name}: {value}\n" for name, value in answer.headers.items())
                if leaves_amid:
                    text += (await answer.content.readany()).decode()
                    answer.close()
                else:
                    text += (await answer.read()).decode()
                assert not town.foreign_in(text, other), (town.name, text)
                self.outcomes["left" if leaves_amid else str(answer.status)] += 1
                if answer.status == 200 and not leaves_amid and body["model"] not in ("base", other) and "error" not in text:
                    assert town.hears in text
        except TimeoutError:
            self.outcomes["left"] += 1
        except aiohttp.ClientError:
            self.outcomes["cut off"] += 1

    def _question(self, town: Town) -> tuple[str, dict[str, Any], str]:
        """`…, other`: the foreign model that is asked for, if it is one, which the refusal may name."""
        draw, words = self._draw, f"{town.says} {town.hears}"
        other = draw.choice(self._towns).name if draw.random() < 0.05 else ""
        if draw.random() < 0.1:
            words += f" {draw.choice(list(FAULTS))}"
        model = other or draw.choice((town.name, town.name, f"{town.name}@canary", f"{town.name}@1", f"{town.name}@2", "base"))
        body: dict[str, Any] = {"model": model, "stream": draw.random() < 0.6}
        length, turns = draw.randint(1, 8), [{"role": "user", "content": words}]
        path = draw.choices((CHAT, TEXT, RESPONSES, MESSAGES), (5, 3, 1, 1))[0]
        if path == RESPONSES:
            return path, {**body, "max_output_tokens": length, "input": words, "metadata": {town.says: town.says}}, other
        if path == MESSAGES:
            return path, {**body, "max_tokens": length, "messages": turns, "metadata": {"user_id": town.says}}, other
        body |= {"max_tokens": length, "user": town.says} | ({"messages": turns} if path == CHAT else {"prompt": words})
        if draw.random() < 0.05:
            body |= draw.choice(({"stop": town.says * 30}, {town.says: 1}, {"temperature": town.says}, {"logit_bias": {town.says: 1}}))
        return path, body, other

    async def _look_around(self, http: aiohttp.ClientSession, town: Town) -> None:
        """At what is not an answer; nothing of it is anybody else's."""
        for path in ("/v1/models", f"/v1/models/{town.name}", "/v1/usage"):
            async with http.get(path, headers=town.key) as answer:
                text = await answer.text() + str(answer.headers)
                assert answer.status == 200
                assert not town.foreign_in(text), text
                self.asked_by[answer.headers["x-request-id"]] = town
        for path in ("/metrics", "/health/ready"):
            async with http.get(path) as answer:
                assert not canaries([await answer.text(), str(answer.headers)])

    async def _move(self, town: Town) -> None:
        """Its aliases, while requests for them are on their way."""
        await self._stage.memory.promote(town.name, self._draw.choice((1, 2)))
        await self._stage.memory.canary(town.name, self._draw.choice((1, 2)), share=self._draw.choice((10.0, 90.0)))

    def look_at_the_engine(self) -> None:
        """Each prompt went to its own community's adapter or to the base, under a salt that is nobody else's."""
        salts: defaultdict[str, set[str]] = defaultdict(set)
        by_number = {town.number: town for town in self._towns}
        for received in self._stage.fake.received:
            words = json.dumps(received.body.get("messages") or received.body.get("prompt"))
            if not canaries([words]):
                continue  # a trial of the gateway's own
            (number,) = {found[-12:] for found in canaries([words])}
            town = by_number[number]
            assert received.body["model"] in {"base", *town.engine_names}
            assert not town.foreign_in(json.dumps(received.body) + str(received.headers))
            assert town.says not in json.dumps({**received.body, "messages": None, "prompt": None}) + str(received.headers)
            salts[number].add(received.body["cache_salt"])
        assert all(len(each) == 1 for each in salts.values())
        assert len(set.union(*salts.values())) == len(salts)

    def look_at_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        """A request's line names nobody but who asked, and none has a word of a prompt or of an answer."""
        for record in caplog.records:
            line = JsonLines().format(record)
            assert not [found for found in canaries([line]) if not found.startswith("town")], line
            request = (getattr(record, "fields", None) or {}).get("request")
            if request in self.asked_by:
                assert not self.asked_by[request].foreign_in(line), line


async def test_nothing_crosses(
    tmp_path: Path,
    base: Base,
    settings: GatewaySettings,
    soak: bool,
    caplog: pytest.LogCaptureFixture,
    record_property: Callable[[str, object], None],
) -> None:
    """Of a hundred thousand requests with --soak, and of two thousand without."""
    caplog.set_level("INFO", logger="troupe.gateway")
    draw = random.Random(6)
    async with open_stage(tmp_path, base, settings, bounds=ROOMY) as stage:
        towns = await settle(stage, base, TOWNS, draw)
        stage.fault(faults=FAULTS, inter_token=0.001)
        crowd = Crowd(stage, towns, draw)
        passing = asyncio.create_task(time_passes(stage))
        async with aiohttp.ClientSession(f"http://127.0.0.1:{stage.port}", connector=aiohttp.TCPConnector(limit=0)) as http:
            for _ in range(100 if soak else 2):
                await crowd.ask(http, BATCH)
                await until(lambda: stage.fleet.in_flight == 0)
                crowd.look_at_the_engine()
                crowd.look_at_the_log(caplog)
                stage.fake.received.clear()
                caplog.clear()
                crowd.asked_by.clear()
        passing.cancel()
        record_property("requests by outcome", dict(crowd.outcomes))
        await bills_are_their_own(stage, towns)
    assert crowd.outcomes["200"] > sum(crowd.outcomes.values()) / 3


async def time_passes(stage: Stage) -> None:
    """For the fleet: an engine that broke an answer off, and is too busy to say at once that it lives, is asked again."""
    while True:
        await asyncio.sleep(0.25)
        await stage.time.advance(0.25)


async def bills_are_their_own(stage: Stage, towns: list[Town]) -> None:
    """Each row of the ledger is of a community's own key and own adapter, or of the base; whoever governs one community sees that only."""
    await until(lambda: stage.books.ledger.unsettled == 0)
    rows = await fetch(stage.books.database, "SELECT DISTINCT community, key_id, adapter FROM requests")
    assert {row["community"] for row in rows} == {town.name for town in towns}
    assert len({row["key_id"] for row in rows}) == len({(row["community"], row["key_id"]) for row in rows}) == len(towns)
    assert all(row["adapter"].partition("@")[0] in ("base", row["community"]) for row in rows)
    for town in towns[:5]:
        keeper = await stage.key("admin", communities=[town.name])
        for path in ("/admin/v1/usage?by=day,community,key", "/admin/v1/usage/events", "/admin/v1/limits", "/admin/v1/keys"):
            shown = await stage.http.get(path, headers=keeper)
            assert shown.status_code in (200, 403), shown.text
            assert not town.foreign_in(shown.text + str(shown.headers))
