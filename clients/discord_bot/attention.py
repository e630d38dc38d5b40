"""Whether the bot answers a message. Pure."""

from collections import OrderedDict

from clients.discord_bot.heard import Heard

REMEMBERED = 10_000
"""Ids kept to tell a repeated event from a new one; Discord repeats only recent ones, when a connection is resumed."""


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
