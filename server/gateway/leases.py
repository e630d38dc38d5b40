"""How a request comes to an engine: it waits for one, not longer than it may, and its record knows of it.

The one place where what the fleet refuses becomes what a caller is told. When an engine wakes or sleeps is the fleet's to decide.
"""

import time
from collections.abc import Iterable
from types import TracebackType

from server.fleet.errors import FleetError
from server.fleet.fleet import Fleet, Lease
from server.gateway.errors import DeadlinePassed, EngineNotReady, EngineUnavailable, InvalidRequest, Stopping
from server.gateway.record import Record, Waits
from server.gateway.translations import from_fleet

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


class Leased:
    """An engine, held as long as this is entered; `fleet` is woken unless `counts` is False. Raises GatewayError.

    `deadline`: seconds that the caller waits at most. `record.waits` says so for as long as it waits.
    """

    def __init__(self, fleet: Fleet, *, deadline: float | None = None, counts: bool = True, record: Record | None = None) -> None:
        self._lease = fleet.lease(deadline=deadline, counts=counts)
        self._record = record

    async def __aenter__(self) -> Lease:
        record, came = self._record, time.monotonic()
        if record is None:
            return await self._enter()
        record.waits = Waits.ENGINE
        try:
            lease = await self._enter()
        except (DeadlinePassed, EngineNotReady, EngineUnavailable) as error:
            if not isinstance(error, Stopping):
                record.note_wait(time.monotonic() - came)
            raise
        finally:
            record.waits = None
        if lease.woke:
            record.note_wait(lease.waited)
        return lease

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool | None:
        return await self._lease.__aexit__(kind, error, trace)

    async def _enter(self) -> Lease:
        try:
            return await self._lease.__aenter__()
        except FleetError as error:
            raise from_fleet(error) from error
