"""What bots tell of answers and of people's wishes, as their requests say it: bounded, and read into `server.feedback`'s types. Pure."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, Field

from server.feedback.answer import Answer, Text, Turn
from server.feedback.consent import Wishes
from server.gateway.admin.schemas import Document
from server.gateway.errors import InvalidRequest

BODY_BYTES = 2 << 20
MAX_ITEMS, MAX_PEOPLE, MAX_EMOJI, MAX_TURNS = 100, 100, 64, 32
MAX_TEXT, MAX_NAME, MAX_COUNT = 8000, 100, 1_000_000
EARLY = timedelta(minutes=5)
"""By how much a bot's clock may be ahead."""

REACTED_AT = (
    "When the reactions last changed, be it that the last one was taken back. Of two states the later one holds; without it, an answer to "
    "which nobody ever reacted."
)
OF_COMMUNITY = "Needed by keys for several communities."

Id = Annotated[str, Field(pattern="^[!-~]{1,64}$")]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT, strict=True)]
Emoji = Annotated[str, Field(min_length=1, max_length=100)]
Community = Annotated[str | None, Field(max_length=63, description=OF_COMMUNITY)]


class SaidTurn(Document):
    author: Id | None = Field(default=None, description="The person's id, where it is known.")
    name: str = Field(default="", max_length=MAX_NAME)
    text: str = Field(max_length=MAX_TEXT)
    is_self: bool = Field(default=False, strict=True, description="What the model itself had said.")


class Item(Document):
    """The present state of one answer."""

    message_id: Id
    adapter: str = Field(max_length=96, description="As `x-troupe-adapter` of the answer said it.")
    context_hash: str = Field(pattern="^[0-9a-f]{64}$")
    reactions: Annotated[dict[Emoji, Count], Field(max_length=MAX_EMOJI)]
    people: Count = Field(description="Distinct people who reacted, without bots and those who opted out.")
    sent_at: AwareDatetime
    reacted_at: AwareDatetime | None = Field(default=None, description=REACTED_AT)
    context: Annotated[list[SaidTurn], Field(max_length=MAX_TURNS)] | None = None
    reply: Annotated[str, Field(max_length=MAX_TEXT)] | None = None
    authors: Annotated[list[Id], Field(max_length=MAX_PEOPLE)] | None = Field(default=None, description="Everybody in the texts.")

    def answer(self) -> Answer:
        sent = _milliseconds(self.sent_at)
        changed = sent if self.reacted_at is None else max(sent, _milliseconds(self.reacted_at))
        return Answer(self.message_id, self.adapter, self.context_hash, sent, changed, dict(self.reactions), self.people, self._text())

    def _text(self) -> Text | None:
        if self.context is None or self.reply is None:
            return None
        turns = tuple(Turn(each.name, each.text, each.is_self, each.author) for each in self.context)
        people = {each.author for each in turns if each.author is not None} | set(self.authors or ())
        return Text(turns, self.reply.replace("\0", "\N{REPLACEMENT CHARACTER}"), frozenset(people))  # PostgreSQL keeps no NUL


class Feedback(Document):
    community: Community = None
    items: Annotated[list[Item], Field(max_length=MAX_ITEMS)]

    def check_times(self, now: datetime) -> None:
        """Raises InvalidRequest for what is still to come."""
        for at, item in enumerate(self.items):
            for name, time in (("sent_at", item.sent_at), ("reacted_at", item.reacted_at)):
                if time is not None and time > now + EARLY:
                    raise InvalidRequest(f"items.{at}.{name} is still to come: set the bot's clock.", param=f"items.{at}.{name}")


class ConsentWishes(Document):
    community: Community = None
    optout: Annotated[list[Id], Field(max_length=MAX_PEOPLE)] = Field(default_factory=list)
    optin: Annotated[list[Id], Field(max_length=MAX_PEOPLE)] = Field(default_factory=list)
    forget: Annotated[list[Id], Field(max_length=MAX_PEOPLE)] = Field(default_factory=list)

    def wishes(self) -> Wishes:
        return Wishes(frozenset(self.optout), frozenset(self.forget), frozenset(self.optin))


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)
