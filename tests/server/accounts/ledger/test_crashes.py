"""kill -9 of a gateway that reserves and settles as fast as it can: nothing is lost, doubled or left open."""

import asyncio
import random
import sys
from collections.abc import Callable

import pytest

from adapters.registry.database import Database
from server.accounts.ledger import Ledger
from tests.server.accounts.ledger.desk import PRICES, assert_adds_up, fetch, make_writer

PATIENCE = 60.0


async def run_and_kill(database_url: str, after: float) -> list[list[str]]:
    """What it had said by then, as words; the last line may be torn."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.server.accounts.ledger.crashing", database_url, stdout=asyncio.subprocess.PIPE, limit=2**24
    )
    assert process.stdout is not None
    said = [await asyncio.wait_for(process.stdout.readline(), PATIENCE)]
    assert said[0], "it did not come up"
    reading = asyncio.create_task(process.stdout.read())
    await asyncio.sleep(after)
    process.kill()
    said += (await reading).splitlines(keepends=True)
    await process.wait()
    return [line.decode().split() for line in said if line.endswith(b"\n")]


async def start_anew(database_url: str, database: Database) -> None:
    """The next gateway: a server may need a moment to see that the last one is gone."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while True:
        ledger = Ledger(make_writer(database_url, name="crashing"), PRICES)
        await ledger.open()
        await ledger.close()
        if not await fetch(database, "SELECT id FROM requests WHERE outcome IS NULL LIMIT 1"):
            return
        assert asyncio.get_running_loop().time() < deadline, "reservations stay open"
        await asyncio.sleep(0.05)


def check(said: list[list[str]], rows: dict[str, dict[str, object]]) -> None:
    """Every promise that was made is in the table, once: ids are its key."""
    noted = {words[1]: int(words[2]) for words in said if words[0] == "N"}
    for kind, request_id, *more in said:
        row = rows[request_id]
        if kind == "S":
            assert (row["outcome"], row["completion_tokens"]) == ("complete", int(more[0]))
        elif row["outcome"] == "lost":
            streamed = int(str(row["completion_tokens"]))
            assert streamed == row["noted_tokens"]
            assert streamed <= noted.get(request_id, 0)
            assert row["prompt_tokens"] == (10 if streamed else 0)
        else:
            assert row["outcome"] == "complete"


@pytest.mark.timeout(3600)
async def test_no_row_is_lost_doubled_or_left_open(
    database_url: str, database: Database, soak: bool, record_property: Callable[[str, object], None]
) -> None:
    """What was acknowledged is there; what was open when it died is closed at the next start, charged by what was noted."""
    many = (1000 if database_url.startswith("sqlite") else 100) if soak else 10
    chance, promised, lost = random.Random(7), 0, 0
    for _ in range(many):
        said = await run_and_kill(database_url, chance.uniform(0.0, 0.12))
        await start_anew(database_url, database)
        rows = {str(row["id"]): row for row in await fetch(database, "SELECT * FROM requests")}
        check(said, rows)
        promised += len(said)
        lost += sum(row["outcome"] == "lost" for row in rows.values())
        await assert_adds_up(database)
        await forget(database)
    assert promised > many
    record_property("kills", many)
    record_property("promises kept", promised)
    record_property("requests closed as lost", lost)
    if database_url.startswith("sqlite"):
        assert await fetch(database, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]


async def forget(database: Database) -> None:
    """So that looking at everything stays quick over a thousand kills."""
    async with database.noting() as connection:
        for table in ("requests", "balances"):
            await connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608  # two names from here


async def test_who_lives_keeps_what_is_open(database_url: str, database: Database) -> None:
    """A gateway that starts beside another one, of another name, leaves its requests alone."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.server.accounts.ledger.crashing", database_url, stdout=asyncio.subprocess.PIPE, limit=2**24
    )
    assert process.stdout is not None
    try:
        await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        other = Ledger(make_writer(database_url), PRICES)
        await other.open()
        await other.close()
        assert await fetch(database, "SELECT id FROM requests WHERE outcome = 'lost'") == []
    finally:
        process.kill()
        await process.communicate()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_gateway_of_another_name_is_dead_when_it_has_been_silent(database_url: str, database: Database) -> None:
    """And not before: its connection alone may be lost."""
    await run_and_kill(database_url, 0.1)
    await asyncio.sleep(0.2)
    early = Ledger(make_writer(database_url, dead_after=600), PRICES)
    await early.open()
    await early.close()
    assert await fetch(database, "SELECT id FROM requests WHERE outcome IS NULL LIMIT 1") != []
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while await fetch(database, "SELECT id FROM requests WHERE outcome IS NULL LIMIT 1"):
        assert asyncio.get_running_loop().time() < deadline
        late = Ledger(make_writer(database_url, dead_after=0.1), PRICES)
        await late.open()
        await late.close()
    await assert_adds_up(database)
