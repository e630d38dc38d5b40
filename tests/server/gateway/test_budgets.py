"""Limits at their edge, over HTTP: however many ask at once, nobody gets more than was agreed, and each is told what to do."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any

import aiohttp
import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from openai.types.chat import ChatCompletionMessageParam

from adapters.registry import Base
from loadtests.fake_engine import CHAT
from server.accounts.limits import Kind
from server.gateway.settings import GatewaySettings
from tests.server.accounts.ledger.desk import Clock, balance, fetch
from tests.server.gateway.stage import ADMIN, Stage, open_stage

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(3600)]
LIMITS = "/admin/v1/limits"
ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "who wins tonight?"}]
CALLERS, FIT = 200, 20
TOKENS = 8
"""Of each answer: what is asked for, and what the engine makes."""
MESSAGE = {"messages": ASK, "model": "base", "max_tokens": TOKENS}
_numbers = count()


@pytest.fixture(scope="module")
def settings(settings: GatewaySettings) -> GatewaySettings:
    """And patient: two hundred callers at a time on a machine that has other things to do."""
    prices = {"price_prompt": Decimal(1), "price_completion": Decimal(2)}
    return settings.model_copy(update={**prices, "body_timeout": 120.0, "key_trust": 600.0})


@pytest.fixture(scope="module")
def clock() -> Clock:
    """It stands still unless a test moves it: so that no rate flows back meanwhile."""
    return Clock()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_gateway(
    tmp_path_factory: pytest.TempPathFactory, base: Base, settings: GatewaySettings, clock: Clock
) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path_factory.mktemp("g"), base, settings, clock_ns=clock) as stage:
        yield stage


@dataclass(frozen=True)
class Payer:
    """A community that nobody else is, with a key of its own."""

    community: str
    key_id: str
    key: str

    @property
    def header(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    def path(self, owner: str) -> str:
        return f"{LIMITS}/communities/{self.community}" if owner == "community" else f"{LIMITS}/keys/{self.key_id}"

    def account(self, owner: str) -> str:
        return f"c:{self.community}" if owner == "community" else f"k:{self.key_id}"


async def payer(stage: Stage, owner: str, **limits: int | str) -> Payer:
    community = f"edge-{next(_numbers)}"
    asked = {"name": "bot", "scopes": ["chat"], "communities": [community]}
    made = (await stage.http.post("/admin/v1/keys", json=asked, headers=ADMIN)).json()
    new = Payer(community, made["id"], made["key"])
    terms: dict[str, int | str | None] = {**dict.fromkeys([kind.value for kind in Kind]), **limits}
    agreed = await stage.http.put(new.path(owner), json=terms, headers=ADMIN)
    assert agreed.status_code == 200, agreed.text
    return new


@dataclass(frozen=True)
class Told:
    """What one caller was answered."""

    status: int
    document: Any
    headers: Mapping[str, str]


class Wave:
    """So many callers of one key, all at once."""

    def __init__(self, stage: Stage, who: Payer) -> None:
        self._fake = stage.fake
        self._url = f"http://127.0.0.1:{stage.port}"
        self._who = who
        self._begun = len(stage.fake.received)
        self.refusals: list[Told] = []

    @property
    def admitted(self) -> int:
        """Who came to the engine since this was made."""
        return len(self._fake.received) - self._begun

    async def run(self) -> list[Told]:
        async with aiohttp.ClientSession(self._url, headers=self._who.header, connector=aiohttp.TCPConnector(limit=0)) as http:
            return await asyncio.gather(*(self._ask(http) for _ in range(CALLERS)))

    async def broken(self) -> None:
        """Until each of them is refused or with the engine."""
        async with asyncio.timeout(120):
            while self.admitted + len(self.refusals) < CALLERS:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def _ask(self, http: aiohttp.ClientSession) -> Told:
        async with http.post(CHAT, json=MESSAGE) as response:
            told = Told(response.status, await response.json(), response.headers)
        if told.status != 200:
            self.refusals.append(told)
        return told


async def set_aside(stage: Stage) -> dict[Kind, int]:
    """What one such request takes of each limit."""
    who = await payer(stage, "key")
    await stage.http.post(CHAT, json=MESSAGE, headers=who.header)
    await stage.settled()
    (row,) = await fetch(stage.books.database, "SELECT * FROM requests WHERE key_id = :key", key=who.key_id)
    tokens, money = row["tokens_reserved"], row["money_reserved"]
    return {Kind.REQUESTS: 1, Kind.TOKENS: tokens, Kind.CONCURRENT: 1, Kind.DAY: tokens, Kind.MONTH: money}


def check(refusal: Told, kind: Kind, owner: str) -> None:
    """Which of the two 429s it is, by its body and by its headers; and it names the limit that is in the way, and whose it is."""
    error, headers = refusal.document["error"], refusal.headers
    assert refusal.status == 429
    assert set(error) == {"message", "type", "param", "code"}
    assert owner in error["message"]
    assert "x-request-id" in headers
    if kind in (Kind.DAY, Kind.MONTH):
        assert (error["type"], error["code"]) == ("insufficient_quota", "insufficient_quota")
        assert headers["x-should-retry"] == "false"
        assert headers["x-troupe-budget-reset"] in error["message"]
        assert "retry-after" not in headers
        return
    assert error["code"] == "rate_limit_exceeded"
    assert error["type"] == ("tokens" if kind is Kind.TOKENS else "requests")
    assert int(headers["retry-after"]) >= 1
    assert 0 < int(headers["retry-after-ms"]) <= 1000 * int(headers["retry-after"])
    if kind is not Kind.CONCURRENT:
        assert headers[f"x-ratelimit-remaining-{error['type']}"] == "0" or kind is Kind.TOKENS
        assert headers[f"x-ratelimit-reset-{error['type']}"] == "1m0s" or kind is Kind.TOKENS


@pytest.mark.parametrize("owner", ["community", "key"])
@pytest.mark.parametrize("kind", list(Kind))
async def test_nobody_gets_past_the_edge(
    stage: Stage, kind: Kind, owner: str, soak: bool, record_property: Callable[[str, object], None]
) -> None:
    """200 ask at once where 20 fit (twice; 100 times in the soak): 20 are let in, all the others are told why not; and in a second wave,
    while what was set aside and not used is given back, nobody gets more than was agreed either."""
    repeats, let_in, overshoot = (100 if soak else 2), 0, 0
    each = (await set_aside(stage))[kind]
    for _ in range(repeats):
        cap = FIT * each + each - 1
        agreed = f"{Decimal(cap) / 1_000_000:f}" if kind is Kind.MONTH else cap
        who = await payer(stage, owner, **{kind: agreed})
        stage.speaks.clear()
        first = Wave(stage, who)
        running = asyncio.create_task(first.run())
        await first.broken()
        admitted = first.admitted
        assert admitted == cap // each
        held = await balance(stage.books.database, who.account(owner))
        assert held["running"] == admitted
        stage.speaks.set()
        await running
        second = Wave(stage, who)
        await second.run()
        await stage.settled()
        for refusal in (*first.refusals, *second.refusals):
            check(refusal, kind, owner)
        held = await balance(stage.books.database, who.account(owner))
        assert (held["running"], held["day_reserved"], held["month_reserved"]) == (0, 0, 0)
        used = {Kind.REQUESTS: first.admitted, Kind.CONCURRENT: admitted, Kind.MONTH: held["month_spent"]}
        overshoot += max(0, used.get(kind, held["day_spent"]) - cap)
        let_in += first.admitted
        stage.fake.received.clear()
    record_property(f"{kind} of a {owner}: waves of {CALLERS}, let in, overshoot", (2 * repeats, let_in, overshoot))
    assert overshoot == 0


async def test_the_sdk_comes_again_when_it_is_told_to(stage: Stage, clock: Clock) -> None:
    """A rate: it waits as long as `retry-after-ms` says, which is as long as it takes, and is answered the second time."""
    who = await payer(stage, "key", requests_per_minute=600)
    for _ in range(3):
        for told in await Wave(stage, who).run():
            assert told.status == 200
    attempts: list[Any] = []

    async def note(response: Any) -> None:
        """Time passes for the ledger as it does for the SDK, not a millisecond more."""
        attempts.append(response)
        clock.pass_seconds(int(response.headers.get("retry-after-ms", 0)) / 1000)

    async with DefaultAsyncHttpxClient(event_hooks={"response": [note]}) as http:
        sdk = AsyncOpenAI(base_url=str(stage.sdk.base_url), api_key=who.key, max_retries=1, http_client=http)
        answer = await sdk.chat.completions.create(model="base", messages=ASK)
    assert answer.choices[0].finish_reason
    assert [(each.status_code, each.headers["x-ratelimit-remaining-requests"]) for each in attempts] == [(429, "0"), (200, "0")]
    assert attempts[0].headers["retry-after-ms"] == "100"


async def test_the_sdk_does_not_ask_again_past_a_budget(stage: Stage) -> None:
    """Once; it is told when the budget begins anew, and the engine hears nothing of it."""
    who = await payer(stage, "community", money_per_month="0.000010")
    attempts: list[Any] = []

    async def note(response: Any) -> None:
        attempts.append(response)

    async with DefaultAsyncHttpxClient(event_hooks={"response": [note]}) as http:
        sdk = AsyncOpenAI(base_url=str(stage.sdk.base_url), api_key=who.key, max_retries=5, http_client=http)
        with pytest.raises(openai.RateLimitError) as told:
            await sdk.chat.completions.create(model="base", messages=ASK)
    assert told.value.code == "insufficient_quota"
    assert "2026-12-01T00:00:00Z" in told.value.message
    assert (len(attempts), stage.fake.received) == (1, [])
