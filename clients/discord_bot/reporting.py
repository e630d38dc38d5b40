"""Telling the gateway what people thought of the answers, and who said no; and hearing from it which version is to answer.

Each guild's community is told with the guild's own key. What is told are states, so whatever may not have arrived is told again.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from clients.discord_bot.attention import fraction
from clients.discord_bot.links import Links, Voice
from clients.discord_bot.metrics import Metrics
from clients.discord_bot.store.feedback import Told
from clients.discord_bot.store.store import Store
from clients.errors import BadRequest, TroupeError
from clients.feedback import MOST_ITEMS, Feedback, Plan

log = logging.getLogger(__name__)

CANARY = "canary"

PlanOf = Callable[[int], Plan | None]
"""What the gateway last said for a guild's community."""


class Reporting:
    def __init__(self, store: Store, links: Links, metrics: Metrics) -> None:
        self._store = store
        self._links = links
        self._metrics = metrics
        self._plans: dict[int, Plan] = {}
        self._deaf: set[int] = set()

    def plan(self, guild: int) -> Plan | None:
        return self._plans.get(guild)

    async def round(self) -> None:
        """Once for every guild that has a voice. A gateway that fails is asked again in the next round. Raises StateBroken."""
        for voice in await self._links.voices():
            try:
                await self._consent(voice)
                await self._reactions(voice)
                plan = (await voice.troupe.plans(community=voice.community)).get(voice.community)
            except TroupeError as error:
                self._metrics.not_told()
                self._plans.pop(voice.guild, None)
                if voice.guild not in self._deaf:
                    log.warning("The gateway could not be told what %s's people thought: %s", voice.community, error)
                    self._deaf.add(voice.guild)
                continue
            self._deaf.discard(voice.guild)
            if plan is None:
                self._plans.pop(voice.guild, None)
            else:
                self._plans[voice.guild] = plan

    async def _consent(self, voice: Voice) -> None:
        """First of all: no text of somebody who said no is sent after it."""
        while wishes := await self._store.feedback.wishes_due(voice.guild, MOST_ITEMS):
            out, forget, back = ([str(person) for person in each] for each in (wishes.out, wishes.forget, wishes.back))
            await voice.troupe.send_consent(out=out, forget=forget, back=back, community=voice.community)
            await self._store.feedback.wishes_told(voice.guild, wishes)

    async def _reactions(self, voice: Voice) -> None:
        while due := await self._store.feedback.due(voice.guild, voice.community, MOST_ITEMS):
            await self._tell(voice, due)

    async def _tell(self, voice: Voice, due: Sequence[Told]) -> None:
        """An answer that is refused costs no other."""
        try:
            await voice.troupe.send_feedback([feedback_of(told) for told in due], community=voice.community)
        except BadRequest as error:
            if smaller := _smaller(due):
                for part in smaller:
                    await self._tell(voice, part)
                return
            # It will never take this one, and what comes after it must not wait for that.
            log.error("The gateway does not take what people thought of an answer of %s: %s", voice.community, error)
        await self._store.feedback.told(due)
        self._metrics.told(len(due))


def _smaller(due: Sequence[Told]) -> list[Sequence[Told]]:
    """What to tell in place of what was refused: its halves; an answer alone without its words, which may be too long or have too many
    people in them. Nothing where nothing of it can be told."""
    if len(due) > 1:
        return [due[: len(due) // 2], due[len(due) // 2 :]]
    return [] if due[0].words is None else [[replace(due[0], words=None)]]


def feedback_of(told: Told) -> Feedback:
    """One answer as the gateway wants to hear of it. Pure."""
    words = told.words
    return Feedback(
        message_id=str(told.sent),
        adapter=told.adapter,
        context_hash=told.context_hash,
        sent_at=_moment(told.sent_at),
        reactions=told.reactions,
        people=told.people,
        reacted_at=_moment(told.changed_at),  # of the state: of reactions that were taken back none is left to ask
        context=None if words is None else words.context,
        reply=None if words is None else words.reply,
        authors=None if words is None else [str(person) for person in words.people],
    )


def version_of(voice: Voice, plan: Plan | None, message_id: int) -> str:
    """The model string to ask for this message: the canary for its share of messages, where the guild chose no version itself. Pure.

    The same message always gets the same version, whoever asks and however often. A canary that was chosen and is none any more, as it was
    promoted or ended, is whatever is live.
    """
    if voice.model == f"{voice.community}@{CANARY}" and plan is not None and plan.canary is None:
        return voice.community
    if voice.model != voice.community or plan is None or plan.live is None or plan.canary is None or plan.share <= 0:
        return voice.model
    return plan.canary if fraction(message_id) * 100 < plan.share else plan.live


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
