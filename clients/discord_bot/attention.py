"""Whether the bot answers a message, and when it expects one. Pure."""

import re
from collections import OrderedDict
from enum import Enum
from hashlib import sha256

from clients.discord_bot.channels import ChannelSettings, Mode
from clients.discord_bot.heard import Heard

REMEMBERED = 10_000
"""Ids of deleted messages that are kept: an event of one that is gone comes at most a little late."""

STALE_S = 600.0
"""A message that old is not answered any more, not even one to the bot: the talk has gone on. It also bounds what is taken up again."""
LATE_S = 60.0
"""Nobody addressed the bot, and the moment for a remark of its own is gone."""
EARLY_S = 60.0
"""Clocks differ; a message from further in the future is none."""

EXPECTING_S = 900.0
"""So long after a message for the bot, typing in the same channel may be the next one. Longer, and a lively channel in which nobody
talks to the bot would keep an engine up."""
WARM_EVERY_S = 60.0


class Why(Enum):
    """What makes the bot answer."""

    ADDRESSED = "addressed"
    WAKE_WORD = "wake word"
    CHANCE = "chance"


def could_matter(heard: Heard) -> bool:
    """Only people's messages, only in a server. Two bots never start talking to each other."""
    return heard.in_server and not heard.is_self and not heard.is_program


def reason(heard: Heard, channel: ChannelSettings, *, now: float, spoke_at: float | None) -> Why | None:
    """Why to answer this message; None: leave it alone. `spoke_at`: when the bot last said something there. Times are Unix seconds.

    The same message gets the same verdict however often it is delivered, as long as `spoke_at` is the same.
    """
    age = now - heard.at
    if not could_matter(heard) or channel.is_silent(now) or not -EARLY_S <= age <= STALE_S:
        return None
    if heard.addresses_me:
        return Why.ADDRESSED
    quiet = channel.quiet is not None and channel.quiet.holds(now)
    if channel.mode is not Mode.LIVELY or quiet or age > LATE_S or not heard.text:
        return None
    if _wakes(heard.text, channel.wake_words):
        return Why.WAKE_WORD
    rested = spoke_at is None or now - spoke_at >= channel.cooldown_s
    return Why.CHANCE if rested and fraction(heard.id) < channel.chance else None


def fraction(message_id: int) -> float:
    """A number from 0 to 1 that belongs to a message for ever: every shard and every restart draws the same lot."""
    return int.from_bytes(sha256(f"chance {message_id}".encode()).digest()[:8], "big") / 2**64


def _wakes(text: str, words: tuple[str, ...]) -> bool:
    plain = text.casefold()
    return any(re.search(rf"(?<!\w){re.escape(word.strip().casefold())}(?!\w)", plain) for word in words)


class Deleted:
    """Which messages are gone. Holds the last `limit` ids."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._ids: OrderedDict[int, None] = OrderedDict()

    def add(self, message_id: int) -> None:
        self._ids[message_id] = None
        if len(self._ids) > self._limit:
            self._ids.popitem(last=False)

    def __contains__(self, message_id: int) -> bool:
        return message_id in self._ids


class Expecting:
    """Whether somebody who types is likely to be writing to the bot. Times in seconds of any one clock."""

    def __init__(self) -> None:
        self._addressed: dict[int, float] = {}
        self._warmed: dict[int, float] = {}

    def addressed(self, channel_id: int, now: float) -> None:
        """A message for the bot came in this channel."""
        self._addressed = {channel: when for channel, when in self._addressed.items() if now - when < EXPECTING_S}
        self._addressed[channel_id] = now

    def should_warm(self, guild_id: int, channel_id: int, now: float) -> bool:
        """Somebody types in this channel. True at most once in `WARM_EVERY_S` for a guild: its channels share the adapter."""
        if now - self._addressed.get(channel_id, float("-inf")) >= EXPECTING_S:
            return False
        if now - self._warmed.get(guild_id, float("-inf")) < WARM_EVERY_S:
            return False
        self._warmed = {guild: when for guild, when in self._warmed.items() if now - when < WARM_EVERY_S}
        self._warmed[guild_id] = now
        return True
