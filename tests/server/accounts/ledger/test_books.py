"""A gateway's books as one: opened, used, closed, opened again."""

from pathlib import Path

from server.accounts.books import open_books
from server.accounts.entries import Outcome, Settlement
from server.accounts.limits import Limits
from server.accounts.prices import Prices
from server.accounts.terms import Terms, community_account
from server.accounts.usage import usage
from tests.server.accounts.ledger.desk import Clock, request

PRICES = Prices(prompt=1_000_000, completion=1_000_000, engine_second=400_000)


async def test_what_was_settled_is_in_the_next_gateways_books(database_url: str, tmp_path: Path, clock: Clock) -> None:
    """And what was agreed holds for it from the start."""
    community, key = Terms(Limits(concurrent=3)), Terms()
    async with open_books(
        tmp_path, prices=PRICES, community=community, key=key, gateway="g1", database_url=database_url, clock_ns=clock
    ) as books:
        reservation = await books.ledger.reserve(request(), books.terms.allowed("zizou", "k1"))
        books.ledger.settle(reservation, Settlement(Outcome.COMPLETE, prompt_tokens=3, completion_tokens=4))
        await books.terms_store.put(community_account("zizou"), Terms(weight=5))
    async with open_books(
        tmp_path, prices=PRICES, community=community, key=key, gateway="g2", database_url=database_url, clock_ns=clock
    ) as books:
        assert books.terms.of_community("zizou").weight == 5
        assert books.terms.of_community("somebody-else").limits.concurrent == 3
        (row,) = await usage(books.database)
        assert (row.complete, row.running, row.token_cost) == (1, 0, 7)
