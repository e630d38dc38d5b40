"""A message as every source gives it: what curation needs and nothing of the file it came from."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Reaction:
    """One emoji under a message. `count` is everybody; `users` and `bots` are the ids that the source could name, maybe fewer."""

    count: int
    users: frozenset[str] = frozenset()
    bots: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Message:
    """One message of a channel or thread. `id` is a snowflake: it grows with time."""

    id: int
    channel: str
    author_id: str
    author: str
    text: str
    at: datetime
    is_bot: bool = False
    reply_to: int | None = None
    reactions: tuple[Reaction, ...] = ()
