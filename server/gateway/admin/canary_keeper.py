"""Looks after the canaries that are decided by reactions: begins comparisons, and carries out what the policy says.

Moves aliases as a person's request would: the same trial on the engine, the same gates. Knows nothing of HTTP.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress

from adapters.registry import CANARY, LIVE, DatabaseError, RegistryError
from adapters.registry import Conflict as RegistryConflict
from server.feedback.canary import Decision, Outcome, decide
from server.feedback.store import FeedbackStore
from server.feedback.trials import MOVED, Agreed, Trial, TrialStore
from server.gateway.admin.moves import Moves
from server.gateway.directory import Directory
from server.gateway.errors import Conflict, GatewayError
from server.gateway.feedback.desk import read_standing

log = logging.getLogger("troupe.gateway")

SWEEP_MS = 86_400_000
REFUSED = "refused"
"""The outcome of a comparison whose canary was better, and may not be live."""
MAX_BY = 100


class CanaryKeeper:
    def __init__(
        self, trials: TrialStore, feedback: FeedbackStore, directory: Directory, moves: Moves, *, clock_ns: Callable[[], int]
    ) -> None:
        self._trials = trials
        self._feedback = feedback
        self._directory = directory
        self._moves = moves
        self._clock_ns = clock_ns
        self._swept_ms = 0

    async def run(self, *, every: float) -> None:
        """Look every so many seconds, until cancelled."""
        while True:
            try:
                await self.look()
            except DatabaseError as exc:
                log.error("canaries cannot be looked after: %s", exc)
            except Exception:  # a bug must not end it for ever
                log.exception("canaries cannot be looked after")
            await asyncio.sleep(every)

    async def look(self) -> None:
        """At all communities, once. Raises adapters.registry.DatabaseError."""
        snapshot = self._directory.snapshot
        if snapshot is None:
            return
        agreed = await self._trials.agreed()
        compared = {}
        for community in agreed:
            canary, live = snapshot.canary(community), snapshot.pointers(community).get(LIVE)
            if canary is not None and live is not None and canary.version != live.version:
                compared[community] = (canary.version, live.version)
        await self._end_others(compared)
        for community, (version, held) in compared.items():
            trial = await self._trials.begin(community, canary=version, live=held, now_ms=self._now_ms)
            await self._judge(trial, agreed[community])
        if self._now_ms - self._swept_ms >= SWEEP_MS:
            self._swept_ms = self._now_ms
            await self._feedback.sweep(now_ms=self._now_ms)

    @property
    def _now_ms(self) -> int:
        return self._clock_ns() // 1_000_000

    async def _end_others(self, compared: Mapping[str, tuple[int, int]]) -> None:
        """What nobody compares any more: an alias was moved, or people decide again."""
        for trial in await self._trials.open():
            if trial.community not in compared:
                await self._trials.end(trial, MOVED, "Its canary or its policy was taken away.", now_ms=self._now_ms)

    async def _judge(self, trial: Trial, agreed: Agreed) -> None:
        standing = await read_standing(self._feedback, trial, agreed, now_ms=self._now_ms)
        decision = decide(agreed.policy, standing, began_ms=trial.began_ms, now_ms=self._now_ms)
        if decision is None or not await self._trials.take(trial, now_ms=self._now_ms):
            return
        outcome, why = await self._carry_out(trial, decision)
        if outcome is not None:
            await self._trials.end(trial, outcome, why, now_ms=self._now_ms)
            log.info("%s@%d was %s: %s", trial.community, trial.canary, outcome, why)

    async def _carry_out(self, trial: Trial, decision: Decision) -> tuple[str | None, str]:
        """What came of it; None: nothing yet, and after a while it is tried again."""
        community, by = trial.community, f"canary policy, {decision.why}"[:MAX_BY]
        try:
            pointers = (await self._directory.refresh()).pointers(community)
            if [pointers[alias].version for alias in (CANARY, LIVE) if alias in pointers] != [trial.canary, trial.live]:
                return MOVED, "An alias was moved."
            if decision.outcome is Outcome.PROMOTE:
                await self._moves.point(community, LIVE, trial.canary, None, by=by)
            else:
                await self._moves.clear(community, CANARY, by=by)
        except (Conflict, RegistryConflict) as exc:
            return REFUSED, str(exc)
        except (GatewayError, RegistryError) as exc:
            log.warning("the canary of %s could not be moved, and is tried again: %s", community, exc)
            return None, ""
        if decision.outcome is Outcome.PROMOTE:
            with suppress(GatewayError, RegistryError):  # it is live: that its other alias stays harms nobody
                await self._moves.clear(community, CANARY, by=by)
        return decision.outcome, decision.why
