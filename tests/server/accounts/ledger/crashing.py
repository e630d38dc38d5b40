"""A gateway that is killed: `python -m tests.server.accounts.ledger.crashing DATABASE_URL`. Says on stdout what it was promised.

`R <id>`: reserved. `N <id> <tokens>`: about to be noted, so that no row may say more. `S <id> <tokens>`: settled, on disk.
"""

import asyncio
import os
import sys
from itertools import count

from server.accounts.entries import Allowed, Outcome, Reservation, Settlement
from server.accounts.ledger import Ledger
from server.accounts.limits import Limits
from tests.server.accounts.ledger.desk import PRICES, make_writer, request

AT_A_TIME = 24


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def caller(ledger: Ledger, name: int) -> None:
    limits = Allowed(Limits(concurrent=1000, tokens_per_day=10**12), Limits(money_per_month=10**12))
    for turn in count():
        reservation = await ledger.reserve(request(community=f"community{name % 5}", key_id=f"key{name % 7}"), limits)
        say("R", reservation.request.id)
        await stream(ledger, reservation, 1 + (turn + name) % 9)


async def stream(ledger: Ledger, reservation: Reservation, tokens: int) -> None:
    for token in range(1, tokens + 1):
        say("N", reservation.request.id, token)
        ledger.note(reservation, token)
        await asyncio.sleep(0.002)
    await ledger.settle(reservation, Settlement(Outcome.COMPLETE, prompt_tokens=10, completion_tokens=tokens))
    say("S", reservation.request.id, tokens)


async def main(database_url: str) -> None:
    ledger = Ledger(make_writer(database_url, name="crashing"), PRICES, note_every=0.01)
    await ledger.open()
    await asyncio.gather(*(caller(ledger, name) for name in range(AT_A_TIME)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
