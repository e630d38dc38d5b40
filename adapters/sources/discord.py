"""Reads DiscordChatExporter's JSON, versions 2.18 to 2.47: streaming, tolerant of absent keys and broken tails.

Every key newer than 2.18 is optional; file order and file names are not trusted. Knows nothing of other files, rewards or training.
One file is one channel or thread, or a part of one: https://github.com/Tyrrrz/DiscordChatExporter, `JsonMessageWriter.cs`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, Any

from adapters.sources.json_stream import Broken, entries
from adapters.sources.message import Mention, Message, Reaction
from adapters.sources.record import MAX_TEXT, Record, ThreadStart, clean
from adapters.sources.report import EMPTY_CONTENT, Tally

# "19" is what versions before 2.26, which knew no replies, make of one. All other numbers are kinds that the exporter has no name for.
_KEPT_KINDS = frozenset({"Default", "Reply", "19"})
_THREAD_STARTER = "21"
_PRIVATE = frozenset({"DirectTextChat", "DirectGroupTextChat", "GuildPrivateThread"})
_DISCORD_EPOCH = datetime(2015, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_LARGEST_ID = 2**63 - 1
_RAW_PERSON, _RAW_EMOJI = re.compile(r"<@!(\d{1,20})>"), re.compile(r"<a?(:\w{1,64}:)\d{1,20}>")

MARKDOWN = "mentions written as names"
NAMELESS = "reactions without names"


@dataclass(frozen=True)
class Channel:
    """What a file says before its messages; `exported` in seconds since 1970, 0 before 2.40.1."""

    id: str
    parent: str | None = None
    private: bool = False
    exported: float = 0.0


def read_discord(name: str, stream: IO[bytes], tally: Tally) -> Iterator[Record | ThreadStart]:
    """All messages of people and bots that parse before the file ends or breaks. Raises Unreadable."""
    preamble: dict[str, object] = {}
    channel: Channel | None = None
    place = _Place(name)
    try:
        for entry in entries(stream, "messages"):
            if entry.key != "messages":
                preamble[entry.key] = entry.value
                continue
            channel = channel or _channel(name, preamble)
            place.raw, place.offset = entry.value, entry.offset
            made = _record(entry.value, channel, tally, place)
            if made is not None:
                yield made
    except Broken as exc:
        tally.drop("rest of a broken file", f"{name} from byte {exc.offset} on, after {place.message}")
    else:
        if channel is None:
            tally.drop("empty channel", name)


def snowflake(value: object) -> int | None:
    """A Discord id as a number, or None if it is none: ids are decimal digits in a string (old tools: a number)."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 19:
        return None
    number = int(value)
    return number if 0 < number <= _LARGEST_ID else None


def time_of(timestamp: object, number: int) -> datetime:
    """A timestamp in UTC. Where it makes no sense, or does not say its zone, the id says the time: it counts from 2015."""
    if isinstance(timestamp, str) and len(timestamp) <= 40:
        try:
            at = datetime.fromisoformat(timestamp)
            if at.tzinfo is not None and _DISCORD_EPOCH <= at <= _LATEST:
                return at.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    return _DISCORD_EPOCH + timedelta(milliseconds=number >> 22)


class _Place:
    """The message that is being read, for people. Put into words only where something is left out."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.raw: object = None
        self.offset = 0

    @property
    def message(self) -> str:
        return f"message {self.raw.get('id')!s:.20}" if isinstance(self.raw, dict) else "the start"

    def __str__(self) -> str:
        return f"{self.message} at byte {self.offset} of {self._name}"


def _channel(name: str, preamble: Mapping[str, object]) -> Channel:
    """The channel of a file. Only what stands before the messages counts; what is missing stays empty."""
    found = preamble.get("channel")
    described: Mapping[str, Any] = found if isinstance(found, dict) else {}
    kind = str(described.get("type"))
    number = snowflake(described.get("id"))
    parent = str(snowflake(described.get("categoryId")) or "") if kind.endswith("Thread") else None
    return Channel(str(number or name), parent, kind in _PRIVATE, _seconds(preamble.get("exportedAt")))


def _seconds(timestamp: object) -> float:
    try:
        at = datetime.fromisoformat(str(timestamp))
        return at.timestamp() if at.tzinfo else at.replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _record(raw: object, channel: Channel, tally: Tally, place: _Place) -> Record | ThreadStart | None:
    if not isinstance(raw, dict):
        tally.drop("malformed", str(place))
        return None
    kind = str(raw.get("type"))
    if kind not in _KEPT_KINDS:
        tally.drop("system message", str(place))
        starter = _target(raw) if kind == _THREAD_STARTER else None
        return ThreadStart(channel.id, starter) if starter else None
    message = _message(raw, channel, tally, place)
    return Record(message, channel.exported) if message else None


def _message(raw: Mapping[str, Any], channel: Channel, tally: Tally, place: _Place) -> Message | None:
    number, author = snowflake(raw.get("id")), raw.get("author")
    text = raw.get("content") or ""
    if number is None or not isinstance(author, dict) or not isinstance(text, str):
        tally.drop("malformed", str(place))
        return None
    author_id = snowflake(author.get("id"))
    if author_id is None:
        tally.drop("author id that Discord never gives", str(place))
        return None
    if not text.strip():
        beside = any(raw.get(each) for each in ("attachments", "embeds", "stickers", "forwardedMessage"))
        tally.drop("no text" if beside else EMPTY_CONTENT, str(place))
        return None
    if len(text) > MAX_TEXT:
        tally.drop("longer than any chat message", f"{place} ({len(text)} characters)")
        return None
    mentions = tuple(_mentions(raw.get("mentions")))
    return Message(
        id=number,
        channel=channel.id,
        author_id=str(author_id),
        author=_name(author),
        text=_canonical(clean(text), mentions, tally),
        at=time_of(raw.get("timestamp"), number),
        is_bot=author.get("isBot") is True,
        reply_to=_target(raw) if raw.get("type") == "Reply" else None,
        reactions=tuple(_reactions(raw.get("reactions"), tally)),
        mentions=mentions,
        parent=channel.parent,
        private=channel.private,
    )


def _canonical(text: str, mentions: Iterable[Mention], tally: Tally) -> str:
    """The same text whether it was exported with markdown on or off: people as `<@id>`, custom emoji as `:name:`."""
    if "<" in text:
        text = _RAW_EMOJI.sub(r"\1", _RAW_PERSON.sub(r"<@\1>", text))
    if "@" in text:
        for each in sorted(mentions, key=lambda mention: -len(mention.name)):
            written = f"@{each.name}"
            if each.name and written in text:
                tally.seen[MARKDOWN] += 1
                text = text.replace(written, f"<@{each.author_id}>")
    return text


def _name(user: Mapping[str, Any]) -> str:
    return clean(str(user.get("nickname") or user.get("name") or ""))[:100]


def _dicts(values: object) -> list[dict[str, Any]]:
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []


def _mentions(raw: object) -> Iterator[Mention]:
    for user in _dicts(raw):
        number = snowflake(user.get("id"))
        if number is not None:
            yield Mention(str(number), _name(user))


def _target(raw: Mapping[str, Any]) -> int | None:
    reference = raw.get("reference")
    if not isinstance(reference, dict) or reference.get("type", "Default") != "Default":
        return None
    return snowflake(reference.get("messageId"))


def _reactions(raw: object, tally: Tally) -> Iterator[Reaction]:
    for reaction in _dicts(raw):
        count = reaction.get("count")
        if not isinstance(count, int) or isinstance(count, bool) or not 0 < count < 10**9:
            continue
        people: dict[bool, set[str]] = {False: set(), True: set()}
        for user in _dicts(reaction.get("users")):
            number = snowflake(user.get("id"))
            if number is not None:
                people[user.get("isBot") is True].add(str(number))
        if not people[False] and not people[True]:
            tally.seen[NAMELESS] += 1
        yield Reaction(count, frozenset(people[False]), frozenset(people[True]))
