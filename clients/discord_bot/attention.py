"""Whether the bot answers a message, and when it expects one. Pure."""

from collections import OrderedDict

from clients.discord_bot.heard import Heard

REMEMBERED = 10_000
"""Ids kept to tell a repeated event from a new one; Discord repeats only recent ones, when a connection is resumed."""

EXPECTING_S = 900.0
"""So long after a message for the bot, typing in the same channel may be the next one. Longer, and a lively channel in which nobody
talks to the bot would keep an engine up."""
WARM_EVERY_S = 60.0


def should_answer(heard: Heard) -> bool:
    """Only people's messages, only in a server, only when the bot is addressed. Two bots never start talking to each other."""
    return heard.addresses_me and heard.in_server and not heard.is_self and not heard.is_program


class Seen:
    """Which messages came already. Holds the last `limit` ids."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._ids: OrderedDict[int, None] = OrderedDict()

    def first_time(self, message_id: int) -> bool:
        """True once for each id."""
        if message_id in self._ids:
            return False
        self._ids[message_id] = None
        if len(self._ids) > self._limit:
            self._ids.popitem(last=False)
        return True


class Expecting:
    """Whether somebody who types is likely to be writing to the bot. Times in seconds of any one clock."""

    def __init__(self) -> None:
        self._addressed: dict[int, float] = {}
        self._warmed = float("-inf")

    def addressed(self, channel_id: int, now: float) -> None:
        """A message for the bot came in this channel."""
        self._addressed = {channel: when for channel, when in self._addressed.items() if now - when < EXPECTING_S}
        self._addressed[channel_id] = now

    def should_warm(self, channel_id: int, now: float) -> bool:
        """Somebody types in this channel. True at most once in `WARM_EVERY_S`, for all channels together: they share the engine."""
        if now - self._addressed.get(channel_id, float("-inf")) >= EXPECTING_S or now - self._warmed < WARM_EVERY_S:
            return False
        self._warmed = now
        return True
