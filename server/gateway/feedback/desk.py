"""What a community's key, and an admin key, may do with feedback and with who said no. Knows nothing of HTTP.

A chat key tells of its own communities' answers and people; only an admin key reads texts back.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from adapters.registry import BASE, CANARY, LIVE, DatabaseError
from server.accounts import Principal, Scope
from server.feedback.answer import WINDOW_MS, Answer
from server.feedback.canary import Standing, standing
from server.feedback.consent import ConsentStore, No, Wishes
from server.feedback.score import Rate, probability_better
from server.feedback.store import FeedbackStore, Kept, Tally
from server.feedback.trials import Agreed, Trial, TrialStore
from server.gateway.directory import Directory
from server.gateway.errors import AdapterNotFound, FeedbackUnavailable, Forbidden, InvalidRequest, ModelNotFound

log = logging.getLogger("troupe.gateway")


class FeedbackDesk:
    """Raises GatewayErrors."""

    def __init__(
        self, feedback: FeedbackStore, consent: ConsentStore, trials: TrialStore, directory: Directory, *, clock_ns: Callable[[], int]
    ) -> None:
        self._feedback = feedback
        self._consent = consent
        self._trials = trials
        self._directory = directory
        self._clock_ns = clock_ns

    @property
    def now_ms(self) -> int:
        return self._clock_ns() // 1_000_000

    async def put(self, caller: Principal, community: str | None, said: Sequence[Answer]) -> Kept:
        """`community`: whose answers those of the base are."""
        by: dict[str, list[Answer]] = {}
        for answer in said:
            whose = self.own(caller, community) if answer.adapter == BASE else self._whose(caller, community, answer.adapter)
            by.setdefault(whose, []).append(answer)
        kept = Kept(0, 0)
        with _translated():
            for whose, answers in sorted(by.items()):
                more = await self._feedback.put(whose, answers)
                kept = Kept(kept.answers + more.answers, kept.untold + more.untold)
        return kept

    async def plan(self, caller: Principal, community: str | None) -> dict[str, Any]:
        """By community: of all that the key names, or of one."""
        names = [self.own(caller, community)] if community or caller.communities is None else sorted(caller.communities)
        with _translated():
            decided = await self._trials.agreed()
        return {name: {**self._directory.plan(name), "decided_by_reactions": name in decided} for name in names}

    async def wish(self, caller: Principal, community: str | None, wishes: Wishes) -> tuple[str, int]:
        """Whose people they are, and how many texts with them were removed."""
        whose = self.own(caller, community)
        with _translated():
            removed = await self._consent.note(whose, wishes, now_ms=self.now_ms)
        log.info("%d people of %s changed what may be done with their words, by key %s", len(wishes), whose, caller.key_id)
        return whose, removed

    async def said_no(self, community: str) -> list[No]:
        with _translated():
            return await self._consent.said_no(community)

    async def forget(self, caller: Principal, community: str | None, person: str) -> int:
        """How many texts were removed. Without a community in all, which only keys of the whole installation may."""
        if not caller.may(Scope.ADMIN, community):
            raise Forbidden("This key is not for this community." if community else "This key is for some communities only: name one.")
        with _translated():
            removed = await self._consent.forget(community, person, now_ms=self.now_ms)
        log.info("a person was forgotten in %s by key %s", community or "all communities", caller.key_id)
        return removed

    async def examples(self, community: str, after: tuple[int, str], limit: int) -> list[dict[str, Any]]:
        with _translated():
            return await self._feedback.examples(community, after=after, limit=limit)

    async def scores(self, community: str, threshold: int) -> dict[str, Any]:
        """Of each version that has answers, and of the canary against live."""
        snapshot = await self._directory.refresh()
        with _translated():
            tallies = await self._feedback.tallies(community, threshold=threshold, now_ms=self.now_ms)
        if not tallies and community not in snapshot.versions:
            raise AdapterNotFound(f"There is no community {community!r}.")
        plan = self._directory.plan(community)
        by = {each.adapter: each for each in tallies}
        versions = [_scored(each, [alias for alias in (LIVE, CANARY) if plan[alias] == each.adapter]) for each in tallies]
        compared = None
        if plan[LIVE] in by and plan[CANARY] in by and plan[LIVE] != plan[CANARY]:
            live, canary = _rate(by[plan[LIVE]]), _rate(by[plan[CANARY]])
            compared = {**{alias: plan[alias] for alias in (LIVE, CANARY)}, "probability_better": probability_better(canary, live)}
        hours = WINDOW_MS // 3_600_000
        return {"community": community, "threshold": threshold, "hours": hours, "versions": versions, "canary_against_live": compared}

    async def comparison(self, community: str) -> tuple[Agreed | None, list[Trial], Standing | None]:
        """The policy, the comparisons with the last one first, and how that stands if it goes on."""
        with _translated():
            agreed, trials = await self._trials.of(community), await self._trials.latest(community)
            if agreed is None or not trials or trials[0].ended_ms is not None:
                return agreed, trials, None
            return agreed, trials, await read_standing(self._feedback, trials[0], agreed, now_ms=self.now_ms)

    async def agree(self, community: str, agreed: Agreed | None) -> None:
        """None: people decide. Raises AdapterNotFound, or a mistyped name would seem to be decided about."""
        if agreed is not None and community not in (await self._directory.refresh()).versions:
            raise AdapterNotFound(f"There is no community {community!r}.")
        with _translated():
            policy, by = (None, "") if agreed is None else (agreed.policy, agreed.by)
            await self._trials.agree(community, policy, by=by, now_ms=self.now_ms)
        log.info("canaries of %s are %s", community, f"decided by reactions: {policy}, by {by}" if policy else "decided by people")

    def own(self, caller: Principal, community: str | None) -> str:
        """The community that a chat key speaks for."""
        if community is None and caller.communities is not None and len(caller.communities) == 1:
            return next(iter(caller.communities))
        if community is None:
            raise InvalidRequest("This key is for several communities: name one in community.", param="community")
        named = caller.communities is not None and community in caller.communities
        if not named and not (caller.communities is None and self._directory.knows(community)):
            raise ModelNotFound(f"The community {community[:80]!r} does not exist or you do not have access to it.", param="community")
        return community

    def _whose(self, caller: Principal, community: str | None, adapter: str) -> str:
        whose = self._directory.community_of(adapter, within=caller.communities)
        if community is not None and community != whose:
            raise InvalidRequest(f"{adapter} is not of {community[:80]!r}: send what is another community's by itself.", param="community")
        return whose


async def read_standing(feedback: FeedbackStore, trial: Trial, agreed: Agreed, *, now_ms: int) -> Standing:
    """Raises adapters.registry.DatabaseError."""
    live, canary = (f"{trial.community}@{version}" for version in (trial.live, trial.canary))
    threshold = agreed.policy.threshold
    shown = await feedback.shown(trial.community, (live, canary), since_ms=trial.began_ms, threshold=threshold, now_ms=now_ms)
    # In a thread: of many answers it takes a tenth of a second, and streams go on meanwhile.
    return await asyncio.to_thread(standing, [(each.adapter == canary, each.is_banger) for each in shown])


def _rate(tally: Tally) -> Rate:
    return Rate(tally.counted, tally.bangers)


def _scored(tally: Tally, aliases: list[str]) -> dict[str, Any]:
    rate = _rate(tally)
    low, high = rate.interval or (None, None)
    return {
        "adapter": tally.adapter,
        "aliases": aliases,
        "answers": tally.answers,
        "reacted": tally.reacted,
        "waiting": tally.waiting,
        "counted": tally.counted,
        "bangers": tally.bangers,
        "rate": rate.rate,
        "low": low,
        "high": high,
    }


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except DatabaseError as exc:
        log.error("feedback: %s", exc)
        raise FeedbackUnavailable("Feedback and consent cannot be read or written at the moment.") from exc
