"""A connection that somebody was using when he was cancelled: whoever gets it next reads his own answer and nobody else's."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import text

from adapters.registry.database import Database
from server.accounts import open_accounts

MOST_STEPS = 400
"""Of the event loop: more than a query takes."""
AT_ONCE = 20
"""More than a pool holds: one connection that is not given back, and some would wait for ever."""


@pytest_asyncio.fixture
async def database(database_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_accounts(tmp_path, database_url=database_url)
    yield database
    await database.close()


async def ask(database: Database, number: int) -> int:
    async with database.reading() as connection:
        return int((await connection.execute(text("SELECT CAST(:number AS INTEGER)"), {"number": number})).scalar_one())


async def write(database: Database, number: int) -> int:
    async with database.writing() as connection:
        return int((await connection.execute(text("SELECT CAST(:number AS INTEGER)"), {"number": number})).scalar_one())


async def cancelled_after(steps: int, work: Awaitable[int]) -> bool:
    """Whether it was, or was done by then."""
    task = asyncio.ensure_future(work)
    for _ in range(steps):
        if task.done():
            break
        await asyncio.sleep(0)
    task.cancel()
    return isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)


@pytest.mark.parametrize("do", [ask, write])
async def test_whoever_is_cancelled_leaves_a_clean_connection(
    database: Database, do: Callable[[Database, int], Awaitable[int]], soak: bool
) -> None:
    """At any step of a query, of a reader or of a writer; no transaction stays open, no answer is left over."""
    draw = random.Random(7)
    outcomes = []
    for round_ in range(200 if soak else 20):
        outcomes += await asyncio.gather(*(cancelled_after(draw.randint(0, MOST_STEPS), do(database, -1 - each)) for each in range(5)))
        async with asyncio.timeout(20):
            numbers = range(round_ * AT_ONCE, (round_ + 1) * AT_ONCE)
            assert await asyncio.gather(*(ask(database, number) for number in numbers)) == list(numbers)
            assert await write(database, round_) == round_
    assert any(outcomes)
