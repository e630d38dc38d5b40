"""Messages for the bot that came while it was not there: between a kill and the next start, or before a session that Discord did not keep.

They are looked for wherever something was written since the bot last heard everything, and then go the way of every message, which is
answered once however often it comes.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from heapq import nlargest

import aiohttp
import discord
from discord.abc import Snowflake

from clients.discord_bot.attention import STALE_S
from clients.discord_bot.hearing import Hearing
from clients.discord_bot.permission import may_read, may_speak
from clients.discord_bot.store.facts import HEARD_UNTIL, Facts

log = logging.getLogger(__name__)

MARGIN_S = 60.0
"""Discord's clock and this machine's differ."""
PLACES = 100
"""Channels and threads that are looked into at a time, those with the youngest message first: each is a call."""
MESSAGES = 100
"""The youngest of each place that are looked at."""

Place = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread


class Missed:
    """Which shards hear everything, and what was said while they did not. Methods raise StateBroken."""

    def __init__(self, facts: Facts, hearing: Hearing, *, clock: Callable[[], float] = time.time) -> None:
        self._facts = facts
        self._hearing = hearing
        self._clock = clock
        self._listening: set[int] = set()
        self._last_round: float | None = None

    async def begin(self) -> None:
        """Before the bot connects. At its very first start nothing was missed: what was said before was not said to it."""
        if await self._facts.get(HEARD_UNTIL) is None:
            await self._facts.put(HEARD_UNTIL, str(self._clock()))

    def cut_off(self, shard: int) -> None:
        """From now on the shard hears nothing."""
        self._listening.discard(shard)

    def resumed(self, shard: int) -> None:
        """It was told everything that it missed."""
        self._listening.add(shard)

    async def round(self, shards: Collection[int]) -> None:
        """Write down that everything up to the round before was heard, if all of these shards are listening. What came since then may
        be in no other row yet."""
        last, self._last_round = self._last_round, self._clock() if self._listening.issuperset(shards) else None
        if last is not None and self._last_round is not None:
            await self._facts.put(HEARD_UNTIL, str(last))

    async def look(self, shard: int, guilds: Iterable[discord.Guild]) -> list[discord.Message]:
        """What was said to the bot in the shard's guilds while nobody heard it, the oldest first. The shard listens from now on."""
        heard_until = float(await self._facts.get(HEARD_UNTIL) or self._clock())
        self._listening.add(shard)
        since = datetime.fromtimestamp(max(heard_until - MARGIN_S, self._clock() - STALE_S), UTC)
        after = discord.Object(discord.utils.time_snowflake(since))
        try:
            found = [message for place in _talked_in(guilds, after) for message in await self._addressed(place, after)]
        except (discord.HTTPException, aiohttp.ClientError, OSError) as exc:
            log.warning("What was said while the bot was away cannot be looked up: %s", exc)
            return []
        return sorted(found, key=lambda message: message.id)

    async def _addressed(self, place: Place, after: Snowflake) -> list[discord.Message]:
        try:
            said = [message async for message in place.history(limit=MESSAGES, after=after, oldest_first=False)]
        except (discord.Forbidden, discord.NotFound):
            return []
        return [message for message in said if self._hearing.heard(message).addresses_me]


def _talked_in(guilds: Iterable[discord.Guild], after: Snowflake) -> list[Place]:
    """Where something was written later than `after` that the bot may read and answer, the youngest first."""
    known = [place for guild in guilds for place in (*guild.channels, *guild.threads) if isinstance(place, Place)]
    places = [place for place in known if may_read(place) and may_speak(place)]  # a server tells also of its staff's rooms
    youngest = nlargest(PLACES, places, key=_last_message)
    return [place for place in youngest if _last_message(place) > after.id]


def _last_message(place: Place) -> int:
    return place.last_message_id or 0
