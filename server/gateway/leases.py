"""How a request comes to an engine: it waits for one, not longer than it may, and its record knows of it.

The one place where what the fleet refuses becomes what a caller is told. When an engine wakes or sleeps is the fleet's to decide.
"""

import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from server.fleet.errors import EngineAsleep, FleetError, Stopping
from server.fleet.fleet import Fleet, Lease
from server.gateway.errors import InvalidRequest, from_fleet
from server.gateway.record import Record

DEADLINE = "x-troupe-deadline-ms"
MAX_DEADLINE_MS = 3_600_000


def read_deadline(headers: Iterable[tuple[bytes, bytes]], *, usual: float, most: float) -> float:
    """Seconds that a request may wait for an engine: `usual`, or what its header says, up to `most`. Raises InvalidRequest."""
    name = DEADLINE.encode()
    given = [value for key, value in headers if key == name]
    if not given:
        return usual
    digits = given[0]
    if len(given) > 1 or not digits.isdigit() or len(digits) > len(str(MAX_DEADLINE_MS)) or not 1 <= int(digits) <= MAX_DEADLINE_MS:
        raise InvalidRequest(f"{DEADLINE} must be one whole number of milliseconds, 1 to {MAX_DEADLINE_MS}.", param=DEADLINE)
    return min(int(digits) / 1000, most)


@asynccontextmanager
async def leased(fleet: Fleet, *, deadline: float | None = None, counts: bool = True, record: Record | None = None) -> AsyncIterator[Lease]:
    """An engine, held as long as this is entered; `fleet` is woken unless `counts` is False. Raises GatewayError.

    `record.waiting` is true for as long as it is waited for.
    """
    came = time.monotonic()
    if record is not None:
        record.waiting = True
    try:
        async with fleet.lease(deadline=deadline, counts=counts) as lease:
            if record is not None:
                record.waiting = False
                if lease.woke:
                    record.note_wait(lease.waited)
            yield lease
    except FleetError as error:
        if record is not None and not isinstance(error, Stopping | EngineAsleep):
            record.note_wait(time.monotonic() - came)
        raise from_fleet(error) from error
    finally:
        if record is not None:
            record.waiting = False
