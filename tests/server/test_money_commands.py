"""`troupe limits` and `troupe usage`, run in this process against a gateway on a real port."""

import asyncio
import csv
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from adapters.cli.access import Access
from adapters.registry import Base
from adapters.settings import RegistrySettings
from server.accounts.entries import Outcome, Settlement
from server.gateway.settings import GatewaySettings
from server.limit_commands import limits
from server.usage_commands import usage_group
from tests.server.accounts.ledger.desk import allowed, request
from tests.server.gateway.stage import ADMIN_KEY, CHAT_KEY, Stage, open_stage, read_tiny_base


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return read_tiny_base(tmp_path_factory.mktemp("base") / "small")


@pytest.fixture
async def stage(tmp_path: Path, base: Base) -> AsyncIterator[Stage]:
    keys = {"api_key": SecretStr(CHAT_KEY), "admin_key": SecretStr(ADMIN_KEY)}
    money = {"currency": "EUR", "price_prompt": "1000000", "price_completion": "2000000", "community_limits": "concurrent=9"}
    async with open_stage(tmp_path, base, GatewaySettings.model_validate({**keys, **money})) as stage:
        yield stage


async def run(stage: Stage, command: click.Command, *arguments: str, home: str = "no-home") -> Result:
    settings = RegistrySettings(stage.scratch.parent / home, url=f"http://127.0.0.1:{stage.port}", admin_key=ADMIN_KEY)
    return await asyncio.to_thread(CliRunner().invoke, command, arguments, obj=Access(settings=lambda: settings))


async def said(stage: Stage, command: click.Command, *arguments: str, home: str = "no-home") -> str:
    ran = await run(stage, command, *arguments, home=home)
    assert ran.exit_code == 0, ran.output
    return ran.stdout


async def use(stage: Stage, *communities: str) -> None:
    """A request each, as the ledger has it."""
    for community in communities:
        reservation = await stage.books.ledger.reserve(request(community=community), allowed())
        await stage.books.ledger.settle(reservation, Settlement(Outcome.COMPLETE, prompt_tokens=3, completion_tokens=4))


async def test_limits_in_a_terminal(stage: Stage) -> None:
    """What is named changes, the rest stays as it was in force; `none` lifts one, and all is shown with what is left."""
    assert "EUR" in (shown := await said(stage, limits, "show"))
    assert "every community" in shown
    await said(stage, limits, "set", "zizou", "--tokens-per-day", "1000", "--money-per-month", "12.5", "--weight", "2")
    await use(stage, "zizou")
    content = json.loads(await said(stage, limits, "show", "zizou", "--json"))
    assert content["terms"] == {
        "requests_per_minute": None, "tokens_per_minute": None, "concurrent": 9, "tokens_per_day": 1000, "money_per_month": "12.50",
        "at_cap": "refuse", "weight": 2,
    }  # fmt: skip
    assert content["state"]["tokens_per_day"]["remaining"] == 993
    shown = await said(stage, limits, "show", "zizou")
    for words in ("993", "1.50", "requests at a time", "UTC", "weight 2"):
        assert words in shown
    await said(stage, limits, "set", "zizou", "--money-per-month", "none", "--at-cap", "degrade")
    terms = json.loads(await said(stage, limits, "show", "zizou", "--json"))["terms"]
    assert (terms["money_per_month"], terms["tokens_per_day"], terms["at_cap"]) == (None, 1000, "degrade")
    assert "zizou" in await said(stage, limits, "show")
    await said(stage, limits, "clear", "zizou")
    assert "zizou" not in await said(stage, limits, "show")
    await said(stage, limits, "set", "--key", "set-chat", "--concurrent", "3")
    assert "key set-chat" in await said(stage, limits, "show")


@pytest.mark.parametrize(
    "arguments",
    [
        ("set", "zizou"),
        ("set", "--concurrent", "4"),
        ("set", "zizou", "--key", "set-chat", "--concurrent", "4"),
        ("set", "zizou", "--concurrent", "many"),
        ("set", "zizou", "--concurrent", "1.5"),
        ("set", "zizou", "--money-per-month", "-1"),
        ("set", "zizou", "--money-per-month", "0.00000001"),
        ("set", "NO COMMUNITY", "--concurrent", "4"),
        ("set", "zizou", "--weight", "0"),
        ("clear",),
    ],
)
async def test_what_is_no_limit_is_wrong_usage(stage: Stage, arguments: tuple[str, ...]) -> None:
    ran = await run(stage, limits, *arguments)
    assert (ran.exit_code, ran.stdout) == (2, "")


async def test_usage_in_a_terminal(stage: Stage) -> None:
    """A line for each day and community, one for all of it, and the same for programs, spreadsheets and without a gateway."""
    assert "Nothing was used" in await said(stage, usage_group)
    await use(stage, "zizou", "zizou", "greybeards")
    lines = (await said(stage, usage_group)).splitlines()
    assert [line.split()[1:3] for line in lines[1:3]] == [["greybeards", "1"], ["zizou", "2"]]
    assert lines[3].split()[:2] == ["all", "3"]
    assert lines[4] == "Costs in EUR."
    assert "engine" not in lines[0]
    content = json.loads(await said(stage, usage_group, "--json", "--by", "community"))
    assert {row["community"]: row["cost"] for row in content["usage"]} == {"zizou": "22.00", "greybeards": "11.00"}
    rows = list(csv.DictReader((await said(stage, usage_group, "--csv", "--by", "key", "--by", "day")).splitlines()))
    assert [(row["key_id"], row["cost"]) for row in rows] == [("key1", "33.00")]
    assert "zizou" not in await said(stage, usage_group, "--community", "greybeards")
    for form in ("--json", "--csv"):
        told = await said(stage, usage_group, form)
        assert (await said(stage, usage_group, form, "--local", home="accounts-home")) == told.replace('"EUR"', '""')
    assert "Nothing was used" in await said(stage, usage_group, "--from", "2020-01-01", "--to", "2020-01-02")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--from", "yesterday"),
        ("--by", "week"),
        ("--json", "--csv"),
        ("--local", "--to", "2026-02-30"),
        ("--to", "2020-01-31"),
        ("--community", "zizou", "export"),
    ],
)
async def test_what_cannot_be_asked_of_usage(stage: Stage, arguments: tuple[str, ...]) -> None:
    assert (await run(stage, usage_group, *arguments)).exit_code == 2


async def test_an_export_goes_on_where_the_last_one_ended(stage: Stage, tmp_path: Path) -> None:
    """Nothing twice and nothing left out, while more comes."""
    kept = tmp_path / "cursor"
    exported: list[dict[str, Any]] = []
    for count in (3, 0, 2):
        await use(stage, *["zizou"] * count)
        await age(stage)
        lines = (await said(stage, usage_group, "export", "--cursor", str(kept))).splitlines()
        assert len(lines) == count
        exported += map(json.loads, lines)
    assert len({event["id"] for event in exported}) == 5
    assert sum(float(event["data"]["cost"]) for event in exported) == 55
    everything = (await said(stage, usage_group, "export")).splitlines()
    assert [json.loads(line)["id"] for line in everything] == [event["id"] for event in exported]
    assert (await said(stage, usage_group, "export", "--from", "2100-01-01")) == ""


async def test_a_cursor_of_somebody_else_s_is_refused(stage: Stage, tmp_path: Path) -> None:
    kept = tmp_path / "cursor"
    kept.write_text("nonsense")
    ran = await run(stage, usage_group, "export", "--cursor", str(kept))
    assert ran.exit_code == 2
    assert kept.read_text() == "nonsense"


async def age(stage: Stage) -> None:
    """As if what is in the ledger had happened two minutes before it did."""
    async with stage.books.database.noting() as connection:
        await connection.exec_driver_sql("UPDATE requests SET started_ms = started_ms - 120000, ended_ms = ended_ms - 120000")
