"""Another process on the same accounts: revokes each key whose id it reads, and answers with the time at which that was durable."""

import asyncio
import sys
import time
from pathlib import Path

from server.accounts import open_accounts, open_keys
from tests.server.accounts.stage import PEPPER


async def main(home: Path, database_url: str) -> None:
    database = await open_accounts(home, database_url=database_url)
    store = await open_keys(database, home, pepper=PEPPER)
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        await store.revoke(line.strip(), by="another process")
        print(time.time(), flush=True)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
