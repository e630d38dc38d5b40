"""A ledger for each kind of database."""

from pathlib import Path

from server.accounts.database import open_accounts
from server.accounts.open_ledger import new_gateway, open_ledger
from tests.server.accounts.ledger.desk import DONE, PRICES, allowed, assert_adds_up, request


async def test_a_gateway_opens_its_ledger_by_the_url_of_its_accounts(database_url: str, tmp_path: Path) -> None:
    """However the driver is spelled, and how it shall be encrypted."""
    spelled = database_url.replace("postgresql://", "postgresql+asyncpg://")
    spelled += "?sslmode=prefer" if spelled.startswith("postgresql") else ""
    database = await open_accounts(tmp_path, database_url=spelled)
    ledger = await open_ledger(tmp_path, PRICES, gateway=new_gateway(), name="here:8000", database_url=spelled)
    await ledger.settle(await ledger.reserve(request(), allowed()), DONE)
    await ledger.close()
    await assert_adds_up(database)
    await database.close()


async def test_without_a_url_it_lies_beside_the_keys(tmp_path: Path) -> None:
    """And nothing of a gateway stays that ended."""
    database = await open_accounts(tmp_path)
    ledger = await open_ledger(tmp_path, PRICES, gateway=new_gateway())
    await ledger.settle(await ledger.reserve(request(), allowed()), DONE)
    assert len(list((tmp_path / "accounts" / "gateways").iterdir())) == 1
    await ledger.close()
    assert list((tmp_path / "accounts" / "gateways").iterdir()) == []
    await database.close()
