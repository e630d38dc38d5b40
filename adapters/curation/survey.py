"""The first reading of all messages: what is usual where, where conversations begin, and which messages may become targets.

Memory: a few numbers for each candidate, and the people active in each channel and month. No text is held.
"""

from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from adapters.curation.recipe import CurationRecipe
from adapters.curation.reward import Cell, reactors, reward
from adapters.curation.roster import Roster
from adapters.curation.seams import Messages, People, Progress
from adapters.curation.selection import LEFT_OUT, unfit, unseen
from adapters.curation.talks import Talks, micros
from adapters.sources.message import Message

UNLOVED = "nobody reacted"
SAME_THOUGHT = "said in one breath with a better one"
_STEP = 5_000
_COUNT_LIMIT = 2**31 - 1


class Candidates:
    """Messages that may be targets, in columns. `cell` counts `Survey.cells`, `author` the people, `plain` who reacted."""

    def __init__(self) -> None:
        self.ids, self.at = array("q"), array("q")
        self.author, self.cell, self.plain = array("i"), array("i"), array("i")
        self.shown = bytearray()
        """1: an assistant's answer in a conversation that somebody wrote down, which has no score and needs none."""

    def __len__(self) -> int:
        return len(self.ids)

    def put(self, row: int, number: int, at: int, values: tuple[int, int, int, bool]) -> int:
        """Write row `row`, or a new one if there is no such; returns its number. `values`: author, cell, plain, shown."""
        if row < 0:
            row = len(self.ids)
            for column in (self.ids, self.at, self.author, self.cell, self.plain):
                column.append(0)
            self.shown.append(0)
        self.ids[row], self.at[row] = number, at
        self.author[row], self.cell[row], self.plain[row], self.shown[row] = values
        return row


@dataclass
class _Thought:
    """What the last person to speak in a channel is saying. `row`: the candidate among it, or -1."""

    author: int
    at: int
    row: int


@dataclass
class Survey:
    """What one reading found. `cells` are numbered by `cell_of`, people by `number_of`."""

    talks: Talks
    candidates: Candidates = field(default_factory=Candidates)
    cells: list[Cell] = field(default_factory=list)
    cell_of: dict[tuple[str, str], int] = field(default_factory=dict)
    number_of: dict[str, int] = field(default_factory=dict)
    scored: set[str] = field(default_factory=set)
    """Channels in which a message has a reaction."""
    roster: Roster = field(default_factory=Roster)
    """Everybody, those who did not agree too: their names may stand in what others wrote."""
    dropped: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    last: int = 0
    """The time of the latest message that may be seen, in microseconds."""
    left_out_authors: set[str] = field(default_factory=set)

    @property
    def places(self) -> dict[str, int]:
        """Messages of people by channel; a thread's count for the channel it belongs to."""
        counts: Counter[str] = Counter()
        for (place, _), number in self.cell_of.items():
            counts[place] += self.cells[number].messages
        return counts

    @property
    def months(self) -> dict[str, int]:
        """Messages of people by month, such as 2025-01."""
        counts: Counter[str] = Counter()
        for (_, month), number in self.cell_of.items():
            counts[month] += self.cells[number].messages
        return counts


def place_of(message: Message) -> str:
    """The channel that a message counts for: that of a thread is the one it belongs to."""
    return message.parent or message.channel


def may_be_seen(recipe: CurationRecipe, people: People) -> Callable[[Message], str | None]:
    """Why a message may be neither target nor context; None if it may."""

    def reason(message: Message) -> str | None:
        return unseen(message, recipe) or (None if people.allowed(message.author_id) else LEFT_OUT)

    return reason


def survey(messages: Messages, recipe: CurationRecipe, people: People, progress: Progress) -> Survey:
    """Read all messages once."""
    reader = _Surveyor(recipe, may_be_seen(recipe, people))
    total, done = len(messages), 0
    for done, message in enumerate(messages, start=1):
        reader.read(message)
        if done % _STEP == 0:
            progress("weighing", done, total)
    progress("weighing", done, done)
    reader.found.messages = done
    return reader.found


class _Surveyor:
    def __init__(self, recipe: CurationRecipe, hidden: Callable[[Message], str | None]) -> None:
        gap, longest = timedelta(minutes=recipe.gap_minutes), timedelta(hours=recipe.conversation_hours)
        self.found = Survey(Talks(gap=gap, longest=longest))
        self._recipe = recipe
        self._hidden = hidden
        self._thought_micros = int(recipe.thought_minutes * 60_000_000)
        self._thoughts: dict[str, _Thought] = {}

    def read(self, message: Message) -> None:
        found = self.found
        if not message.is_bot:
            found.roster.meet(message.author_id, message.author)
        why = self._hidden(message)
        if why is not None:
            found.dropped[why] += 1
            if why == LEFT_OUT:
                found.left_out_authors.add(message.author_id)
            return
        at, plain, author = micros(message.at), reward(message), self._number(message.author_id)
        cell = self._cell(message)
        self._count(message, cell, author, plain)
        found.talks.hear(message.channel, at)
        found.last = max(found.last, at)
        why = unfit(message, self._recipe)
        if why is not None:
            found.dropped[why] += 1
            self._thoughts.pop(message.channel, None)
            return
        self._consider(message, at, (author, cell, plain))

    def _consider(self, message: Message, at: int, values: tuple[int, int, int]) -> None:
        """Make it a candidate if it may be worth it; of one thought only the best part becomes one."""
        author, cell, plain = values
        thought = self._thoughts.get(message.channel)
        goes_on = (
            thought is not None and thought.author == author and message.reply_to is None and 0 <= at - thought.at <= self._thought_micros
        )
        row = thought.row if thought is not None and goes_on else -1
        shown = is_shown(message)
        dropped, candidates = self.found.dropped, self.found.candidates
        if not (plain or shown or self._recipe.unscored == "equal"):
            dropped[UNLOVED] += 1
        elif row < 0 or plain > candidates.plain[row] or shown or not candidates.plain[row]:
            dropped[SAME_THOUGHT] += row >= 0
            row = candidates.put(row, message.id, at, (author, cell, min(plain, _COUNT_LIMIT), shown))
        else:
            dropped[SAME_THOUGHT] += 1
        self._thoughts[message.channel] = _Thought(author, at, row)

    def _count(self, message: Message, cell: int, author: int, plain: int) -> None:
        active = self.found.cells[cell]
        active.count(plain)
        active.people.add(author)
        if plain:
            self.found.scored.add(message.channel)
            active.people.update(map(self._number, reactors(message)))

    def _cell(self, message: Message) -> int:
        key = (place_of(message), f"{message.at.year:04}-{message.at.month:02}")
        number = self.found.cell_of.get(key)
        if number is None:
            number = self.found.cell_of[key] = len(self.found.cells)
            self.found.cells.append(Cell())
        return number

    def _number(self, author_id: str) -> int:
        return self.found.number_of.setdefault(author_id, len(self.found.number_of))


def is_shown(message: Message) -> bool:
    """Whether it is the assistant's turn of a conversation in OpenAI's shape: an example by its nature."""
    return message.author_id.rpartition(":")[2] == "assistant" and not message.reactions
