"""Whether this gateway takes requests, and if not, why: in words that anybody may read, as nobody needs a key to ask.

Knows what else knows it; wakes nobody and reads nothing.
"""

from server.accounts import KeyRing
from server.accounts.ledger import Ledger
from server.fleet.engine import EngineState
from server.fleet.fleet import Fleet
from server.gateway.directory import Directory


class Readiness:
    def __init__(self, fleet: Fleet, directory: Directory, ring: KeyRing, ledger: Ledger) -> None:
        self._fleet = fleet
        self._directory = directory
        self._ring = ring
        self._ledger = ledger

    @property
    def engine(self) -> EngineState:
        return self._fleet.state

    def why_not(self) -> str | None:
        """One sentence; None while requests are taken, which an engine that sleeps does not prevent."""
        if self._fleet.stopping:
            return "The gateway is about to stop."
        if self._directory.snapshot is None:
            return "The registry has not been read yet; the gateway's log says why."
        if not self._ring.is_trusted:
            return "The table of keys cannot be read; the gateway's log says why."
        if self._ledger.failure is not None:
            return "Requests cannot be written down, so none are answered; the gateway's log says why."
        if self._fleet.state is EngineState.FAILED:
            return "The engine failed; its log says why."
        return None
