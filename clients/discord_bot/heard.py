"""One Discord message as far as the bot is concerned. Pure: knows Discord's markup, not discord.py."""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

_MARKUP = re.compile(r"<(?:(?P<kind>@!?|@&|#)|a?(?P<emoji>:\w+:))(?P<id>\d+)>")
_EPOCH_MS = 1_420_070_400_000


@dataclass(frozen=True)
class Heard:
    """A message. Ids are Discord's snowflakes: the later message has the larger one."""

    id: int
    channel_id: int
    """Of the channel or thread; a conversation never leaves it."""
    author: str
    """The name that people see."""
    text: str
    """What people see, without the bot's own mention; empty for a bare mention or a picture."""
    is_self: bool = False
    is_program: bool = False
    """Another bot, a webhook, or Discord itself (joins, pins, boosts)."""
    in_server: bool = True
    """False in direct messages."""
    addresses_me: bool = False
    """Mentions the bot by name or by the role that Discord made for it, or replies to it."""
    reply_to: int | None = None
    """The message of the same channel that it replies to."""
    author_id: int = 0
    guild_id: int = 0
    mentions: Mapping[int, str] = field(default_factory=dict)
    """The people that it mentions, by the names that people see."""

    @property
    def at(self) -> float:
        """Unix time at which it was written, as its id says."""
        return written_at(self.id)


def written_at(snowflake: int) -> float:
    """Unix time, in seconds."""
    return ((snowflake >> 22) + _EPOCH_MS) / 1000


def readable(content: str, *, mine: Set[int], names: Mapping[int, str]) -> str:
    """`content` with mentions, channels and custom emoji as people see them, and those that mean `mine` taken out.

    `names` are those of the people, roles and channels that the message may mention.
    """

    def seen(mark: re.Match[str]) -> str:
        if mark["emoji"]:
            return str(mark["emoji"])
        if int(mark["id"]) in mine:
            return ""
        sign = mark["kind"][0]
        return sign + names.get(int(mark["id"]), "unknown")

    return " ".join(_MARKUP.sub(seen, content).split())
