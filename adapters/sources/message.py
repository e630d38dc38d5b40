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
class Mention:
    """A person named in a message: `<@author_id>` in its text; `name` is what the people there saw."""

    author_id: str
    name: str


@dataclass(frozen=True)
class Message:
    """One message of a channel or thread. `id` grows with time; `at` is in UTC; in `text` a person is `<@author_id>`, if the source knows.

    Sources without times give every message a millisecond of 1970, in the order of the file. `reply_to` may be an id that no message
    has. `parent` is the channel a thread belongs to,
    empty where the export does not say. `private`: a direct message, a group's, or one of a private thread.
    """

    id: int
    channel: str
    author_id: str
    author: str
    text: str
    at: datetime
    is_bot: bool = False
    reply_to: int | None = None
    reactions: tuple[Reaction, ...] = ()
    mentions: tuple[Mention, ...] = ()
    parent: str | None = None
    private: bool = False
