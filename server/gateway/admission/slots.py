"""Which adapters may be at the engine: never more than it has slots, and none is kept out for long by those that are there.

vLLM lets a request whose adapter has no slot wait until some adapter has nothing left to compute; while others are asked for without a
pause, that is for ever. So one resident is drained for an outsider that has waited long enough: no more of its requests are let in until
those in flight are done. How long is enough follows from what this costs. While a resident drains, the others may be too few to fill the
engine's batch; and the newcomer's weights may have to be read in, during which nothing is computed. Where neither is so, a swap is free and
comes at once; where it is dear, it waits until it is worth its price, and never longer than `longest`. The resident goes without which the
batch stays fullest, and none whose own next request has waited longer than the outsider's: popular adapters have long queues, too. Knows
nothing of fairness between communities beyond the quantum that `lanes` counts as the same.
"""

import math
from dataclasses import dataclass

from server.gateway.admission.lanes import Adapter, Lanes

LEARNING = 0.2
USUAL_DRAIN = 0.5
"""Seconds that a drain is taken to need before there was one."""
PRICE = 0.03
"""Part of the engine's time that swaps may cost."""


@dataclass(slots=True)
class Slots:
    """`full`: adapters that the engine computes at once, `max_loras`. `shortest`, `longest`: seconds that an outsider waits for a drain."""

    full: int
    shortest: float
    longest: float
    lanes: Lanes
    draining: Adapter | None = None
    swaps: int = 0
    """Drains that made room."""
    drain: float = USUAL_DRAIN
    """Seconds that one needs."""
    _first_token: float | None = None
    """Seconds until the first token of those whose adapter was there."""
    _spread: float = 0.0
    """How far that usually is from what is usual."""
    _later: float = 0.0
    """By how many seconds that of newcomers comes later: their weights have to be read in. Below zero by chance."""
    _began: float = 0.0

    @property
    def free(self) -> bool:
        return len(self.lanes.residents) < self.full

    def look(self, now: float, batch: int) -> float | None:
        """Begin or end a drain; when to look again if nothing happens before.

        `batch`: requests that the engine computes at once.
        """
        outsider = self.lanes.outsiders.first()
        if self.draining is not None:
            if self.draining.in_flight and not self.free and outsider is not None:
                return None
            self._end(now)
        if outsider is None or self.free:
            return None
        at, victim = self._next(outsider, batch)
        if now < at:
            return at if at < math.inf else None
        self.draining, self._began = victim, now
        return None

    @property
    def load(self) -> float:
        """Seconds that reading a newcomer's weights in takes: those that chance does not explain."""
        return max(0.0, self._later - self._spread)

    def first_token(self, seconds: float, *, newcomer: bool) -> None:
        """A request had its first token, so long after it was sent."""
        if newcomer and self._first_token is not None:
            self._later += LEARNING * (seconds - self._first_token - self._later)
        elif not newcomer:
            usual = seconds if self._first_token is None else self._first_token
            self._first_token = usual + LEARNING * (seconds - usual)
            self._spread += LEARNING * (abs(seconds - usual) - self._spread)

    def _next(self, outsider: Adapter, batch: int) -> tuple[float, Adapter]:
        """Which resident could be drained first for `outsider`, and when."""
        base, residents = self.lanes.base, self.lanes.residents.values()
        others = base.in_flight + base.waiting + outsider.waiting + sum(each.in_flight + each.waiting for each in residents)
        best: tuple[int, float, int, float] | None = None
        victim = outsider
        quantum, load, waited_since = outsider.quantum, self.load, outsider.since
        for each in residents:
            had = each.quantum
            if had < quantum or (had == quantum and each.next_arrived < waited_since):
                continue
            empty = max(0, batch - (others - each.in_flight - each.waiting))
            patience = (empty / batch * self.drain + load) / PRICE
            at = max(waited_since, each.since) + min(self.longest, max(self.shortest, patience))
            key = (empty, at, each.in_flight, -had)
            if best is None or key < best:
                best, victim = key, each
        return (math.inf if best is None else best[1]), victim

    def _end(self, now: float) -> None:
        """Of a drain: there is room, or nobody needs it any more."""
        if self.draining is not None and not self.draining.in_flight:
            self.swaps += 1
            self.drain += LEARNING * (now - self._began - self.drain)
        self.draining = None
