"""What writing requests down costs: `python -m tests.server.accounts.bench_ledger [--requests 20000] [--postgres]`.

CPU of the whole process (event loop and the thread that commits) for one reserve and one settle, and how long `reserve` takes, which is
as long as its transaction; callers in a closed loop, the engine answers at once. Round after round, because a machine has its moods.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import uvloop

from server.accounts.database import open_accounts
from server.accounts.entries import Allowed, Outcome, Settlement
from server.accounts.ledger import Ledger
from server.accounts.limits import Limits
from tests.postgres import postgres_server
from tests.server.accounts.ledger.desk import PRICES, make_writer, request

IN_FLIGHT = (1, 32, 200)
ROUNDS = 5
LIMITS = Allowed(
    Limits(requests_per_minute=10**9, tokens_per_minute=10**9, concurrent=10**6, tokens_per_day=10**15, money_per_month=10**15),
    Limits(requests_per_minute=10**9, tokens_per_minute=10**9),
)
DONE = Settlement(Outcome.COMPLETE, prompt_tokens=10, cached_tokens=4, completion_tokens=5, ttft_ms=120)


async def measure(ledger: Ledger, in_flight: int, requests: int) -> tuple[float, float, list[float]]:
    """CPU and time of a request in microseconds, and the seconds that each reservation took."""
    waits: list[float] = []

    async def caller(name: int) -> None:
        for _ in range(requests // in_flight):
            began = time.perf_counter()
            reservation = await ledger.reserve(request(community=f"community{name % 8}", key_id=f"key{name % 16}"), LIMITS)
            waits.append(time.perf_counter() - began)
            ledger.note(reservation, 5)
            ledger.settle(reservation, DONE)

    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(caller(name) for name in range(in_flight)))
    while ledger.unsettled:  # noqa: ASYNC110  # the last charges come by themselves
        await asyncio.sleep(0.001)
    return (time.process_time() - cpu) / len(waits) * 1e6, (time.perf_counter() - began) / len(waits) * 1e6, waits


async def bench(database_url: str, requests: int) -> None:
    database = await open_accounts(Path(), database_url=database_url)
    ledger = Ledger(make_writer(database_url), PRICES)
    await ledger.open()
    await measure(ledger, 32, 500)
    print(f"{'in flight':>9} {'CPU us':>8} {'(min-max)':>14} {'requests/s':>11} {'p50 ms':>8} {'p99 ms':>8}")
    for in_flight in IN_FLIGHT:
        rounds = [await measure(ledger, in_flight, requests if in_flight > 1 else requests // 10) for _ in range(ROUNDS)]
        cpus = [cpu for cpu, _, _ in rounds]
        waits = sorted(wait for _, _, each in rounds for wait in each)
        spread = f"{min(cpus):.0f}-{max(cpus):.0f}"
        rate = 1e6 / statistics.median(wall for _, wall, _ in rounds)
        p50, p99 = (waits[int(len(waits) * share)] * 1000 for share in (0.5, 0.99))
        print(f"{in_flight:>9} {statistics.median(cpus):>8.1f} {spread:>14} {rate:>11.0f} {p50:>8.2f} {p99:>8.2f}")
    await ledger.close()
    await database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=20_000, help="a round, at 32 in flight")
    parser.add_argument("--postgres", action="store_true", help="a server of its own, without fsync")
    arguments = parser.parse_args()
    if arguments.postgres:
        with postgres_server() as server:
            uvloop.run(bench(server.database(), arguments.requests))
        return
    with tempfile.TemporaryDirectory(prefix=f"bench-{uuid4().hex[:6]}-") as folder:
        uvloop.run(bench(f"sqlite:///{folder}/accounts/accounts.db", arguments.requests))


if __name__ == "__main__":
    main()
