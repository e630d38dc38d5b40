"""People who chat, for tests of curation: messages in a few words, everybody's consent, and a cleaner that can be told what to refuse."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from adapters.curation.seams import Cleaned
from adapters.sources.message import Mention, Message, Reaction

START = datetime(2026, 1, 1, tzinfo=UTC)


def said(
    number: int,
    author: str = "ann",
    text: str = "",
    *,
    fans: int = 0,
    reply_to: int | None = None,
    channel: str = "c",
    minute: float | None = None,
    is_bot: bool = False,
    private: bool = False,
    mentions: tuple[Mention, ...] = (),
    reactions: tuple[Reaction, ...] = (),
    parent: str | None = None,
) -> Message:
    """A message; `fans` people react to it. It is written at minute `minute`, else at the minute of its number."""
    if fans:
        reactions = (*reactions, Reaction(fans, frozenset(f"fan{each}" for each in range(fans))))
    at = START + timedelta(minutes=number if minute is None else minute)
    text = text or f"{author} says {number}"
    return Message(number, channel, author, author.title(), text, at, is_bot, reply_to, reactions, mentions, parent, private)


class Said:
    """Messages in memory. Counts how often they were read."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self._messages = {message.id: message for message in sorted(messages, key=lambda each: each.id)}
        self.readings = 0

    def __iter__(self) -> Iterator[Message]:
        self.readings += 1
        return iter(self._messages.values())

    def __len__(self) -> int:
        return len(self._messages)

    def find(self, number: int) -> Message | None:
        return self._messages.get(number)


@dataclass
class People:
    """All agree but those who are `out`; everybody is called ~id~, so that a raw name can be told from a pseudonym."""

    out: frozenset[str] = frozenset()

    def allowed(self, author_id: str) -> bool:
        return author_id not in self.out

    def name(self, author_id: str) -> str:
        return f"~{author_id}~"


@dataclass
class Soap:
    """Puts pseudonyms in, refuses texts with the word "foul", takes "secret" out; remembers what it was asked to clean."""

    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def clean(self, text: str, names: Mapping[str, str]) -> Cleaned:
        self.asked.append((text, dict(names)))
        if "foul" in text:
            return Cleaned("", {}, "foul")
        removed = {"SECRET": text.count("secret")} if "secret" in text else {}
        text = text.replace("secret", "")
        for author_id, name in names.items():
            text = text.replace(f"<@{author_id}>", f"~{author_id}~").replace(name, f"~{author_id}~")
        return Cleaned(text, removed)


_SAID = "the keeper late again never laughed coffee build broke friday tape goal rain soup train uptime crossbar penalty kernel"
WORDS = _SAID.split()


def village(count: int = 600, *, authors: int = 8, channels: int = 2, seed: int = 1, loved: float = 0.5) -> Said:
    """A community: conversations of six messages with pauses of two hours, in which about every second message is loved."""
    rng = Random(seed)
    messages: list[Message] = []
    minute = 0.0
    for number in range(1, count + 1):
        minute += 120 if number % 6 == 1 else rng.uniform(3.5, 9)
        author = f"a{rng.randrange(authors)}"
        text = " ".join(rng.choices(WORDS, k=rng.randint(4, 12))) + f" {number}"
        fans = rng.randint(1, 7) if rng.random() < loved else 0
        channel = f"room{(number - 1) // 6 % channels}"
        before = messages[-1].id if number % 6 != 1 and rng.random() < 0.4 else None
        messages.append(said(number, author, text, fans=fans, channel=channel, minute=minute, reply_to=before))
    return Said(messages)
