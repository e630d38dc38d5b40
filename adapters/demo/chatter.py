"""Plays a community's channel: who says what when, in reply to whom, and who laughs. Knows the people, not the file format."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from adapters.demo.voices import NEUTRAL, VOICES, Opener, small_talk

_START = datetime(2025, 1, 6, 8, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Community:
    """An invented Discord server. The first names write, all of them react."""

    name: str
    title: str
    channel: str
    topic: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    bot: str
    emoji: tuple[str, ...]
    """Custom emoji, without colons."""
    faces: tuple[tuple[str, str], ...]
    """Standard emoji to react with: glyph and code."""


@dataclass(frozen=True)
class Line:
    """One message. `reply_to` counts lines from the start; `reactions` maps an emoji to who gave it."""

    number: int
    author: str
    text: str
    at: datetime
    kind: str = "Default"
    reply_to: int | None = None
    edited: datetime | None = None
    pinned: bool = False
    reactions: dict[str, tuple[str, ...]] = field(default_factory=dict)


COMMUNITIES = (
    Community(
        "zizou",
        "Zizou's Sunday League",
        "dressing-room",
        "five-a-side, derbies, excuses",
        ("Momo", "Tariq", "Jules", "Bea", "Nico", "Lotte", "Ravi", "Olu"),
        ("Pia", "Sven", "Caro", "Ismail", "Greta", "Teo", "Yuki", "Anders", "Luz", "Kofi"),
        "MatchBot",
        ("panenka", "redcard", "yellowcard", "nutmeg", "topbins"),
        (("😂", "joy"), ("⚽", "soccer"), ("🔥", "fire"), ("💀", "skull")),
    ),
    Community(
        "greybeards",
        "The Greybeards",
        "machine-room",
        "uptime, tapes, editors",
        ("Ingrid", "Walt", "Dmitri", "Hollis", "Maud", "Enzo", "Sigrid", "Barney"),
        ("Agnes", "Cyril", "Doris", "Emil", "Fritz", "Gwen", "Harald", "Ida", "Jens", "Klara"),
        "cronbot",
        ("vt100", "punchcard", "coredump"),
        (("👍", "thumbsup"), ("💾", "floppy_disk"), ("🧔", "bearded_person"), ("📼", "vhs")),
    ),
)


def play(community: Community, rng: Random, count: int, *, first: int = 0, at: datetime = _START) -> Iterator[Line]:
    """`count` lines, oldest first: conversations with pauses between them, a joining member, a pin and the bot now and then."""
    number, clock = first, at
    while number < first + count:
        clock += timedelta(seconds=rng.randint(600, 7200))
        for line in _conversation(community, rng, number, clock):
            if number == first + count:
                return
            yield line
            number, clock = number + 1, line.at


def _conversation(community: Community, rng: Random, number: int, clock: datetime) -> Iterator[Line]:
    notice = rng.random()
    if notice < 0.02:
        yield Line(number, rng.choice(community.readers), "Joined the server.", clock, kind="GuildMemberJoin")
        return
    if notice < 0.06:
        yield Line(number, community.bot, f"Reminder {rng.randint(1, 99)}: the {community.channel} closes at ten.", clock)
        return
    voice = VOICES[community.name]
    opener = voice.open(rng) if rng.random() < 0.15 else small_talk(rng)
    writers = rng.sample(community.writers, 4)
    yield _touch(Line(number, writers[0], opener.text, clock), community, rng, fun=0.05)
    for turn in range(1, rng.randint(2, 5)):
        clock += timedelta(seconds=rng.randint(5, 400))
        fun = rng.random() < 0.62
        text = (voice if fun else NEUTRAL).reply(rng, opener)
        author = writers[rng.randint(1, 3)] if turn == 1 else rng.choice(writers)
        kind, reply_to = ("Reply", number) if rng.random() < 0.5 else ("Default", None)
        line = Line(number + turn, author, text, clock, kind=kind, reply_to=reply_to)
        yield _touch(line, community, rng, fun=0.85 if fun else 0.06)


def _touch(line: Line, community: Community, rng: Random, *, fun: float) -> Line:
    """The line with its reactions, and now and then an edit or a pin. Reactions have a long tail; a few are the author's or the bot's."""
    if rng.random() < 0.04:
        line = replace(line, edited=line.at + timedelta(seconds=rng.randint(5, 600)))
    if rng.random() < 0.01:
        line = replace(line, text=f"{line.text} https://{community.name}.example/{rng.randint(100, 999)}")
    if rng.random() >= fun:
        return replace(line, reactions={community.emoji[0]: (line.author,)} if rng.random() < 0.02 else {})
    crowd = [name for name in (*community.writers, *community.readers) if name != line.author]
    reactors = rng.sample(crowd, min(len(crowd), int(rng.paretovariate(0.9 if fun > 0.5 else 3))))
    if rng.random() < 0.05:
        reactors.append(line.author)
    if rng.random() < 0.05:
        reactors.append(community.bot)
    reactions: dict[str, tuple[str, ...]] = {}
    choices = (*community.emoji, *(glyph for glyph, _ in community.faces))
    for name in reactors:
        emoji = rng.choice(choices[: rng.randint(1, len(choices))])
        reactions[emoji] = (*reactions.get(emoji, ()), name)
    return replace(line, reactions=reactions, pinned=len(reactors) > 12)


def opener_of(rng: Random) -> Opener:
    """Any opener at all: small talk, or what either community opens with."""
    voice = rng.choice([None, None, None, *VOICES.values()])
    return voice.open(rng) if voice else small_talk(rng)
