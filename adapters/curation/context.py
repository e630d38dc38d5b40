"""What was said before a target, as the bot will see it when it is asked: `adapters.conversation.before` chooses for both.

The message that a target answers is the last one before it: the one it replies to, or else the channel's last. What others said in
between a message and a late reply to it is not shown, because the bot answers at once. Holds a sliding window of each channel; what
lies further back is found by its id.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from adapters.conversation import CONTEXT_CHARACTERS, CONTEXT_TURNS, before
from adapters.curation.recipe import CurationRecipe
from adapters.curation.selection import unfit
from adapters.curation.talks import micros
from adapters.sources.message import Message

MISSING = "what it answers is missing or may not be read"
ANSWERS_NOBODY = "answers nobody"
ANSWERS_A_WALL = "what it answers is too long"
_LOOK_BACK = 4 * CONTEXT_TURNS
"""As far as the bot looks."""
_WINDOW = 2 * _LOOK_BACK
_CHANNELS = 2_000
"""Windows of the channels that were talked in last are kept."""
_PARTS = 5
_CLIMB = 40
"""Replies to follow to the message that a chain began with."""

Find = Callable[[int], Message | None]
"""A message by id, if it may be seen."""


@dataclass(frozen=True, slots=True)
class Scene:
    """`screen`: what stands before, oldest first, the last one somebody else's. `parts`: the thought to learn. `root`: where the chain
    of replies began that leads to it."""

    screen: tuple[Message, ...]
    parts: tuple[Message, ...]
    root: Message


class Windows:
    """The last messages of each channel. Only those that may be seen are shown to it, in the order of ids."""

    def __init__(self, recipe: CurationRecipe, find: Find) -> None:
        self._recipe = recipe
        self._find = find
        self._channels: OrderedDict[str, deque[Message]] = OrderedDict()
        self._thought = int(recipe.thought_minutes * 60_000_000)
        self._gap = int(recipe.gap_minutes * 60_000_000)

    def add(self, message: Message) -> None:
        """The channel's next message."""
        window = self._channels.get(message.channel)
        if window is None:
            window = self._channels[message.channel] = deque(maxlen=_WINDOW)
            if len(self._channels) > _CHANNELS:
                self._channels.popitem(last=False)
        else:
            self._channels.move_to_end(message.channel)
        window.append(message)

    def last(self, channel: str, count: int) -> list[Message]:
        """The last messages of a channel, the nearest first."""
        return list(islice(reversed(self._channels.get(channel, ())), count))

    def scene(self, message: Message) -> Scene | str:
        """What to learn with this message, which was added last; or why it cannot be learnt."""
        window = self._channels[message.channel]
        parts = self._parts(window)
        asked = self._asked(parts, window)
        if isinstance(asked, str):
            return asked
        if asked.author_id == message.author_id or asked.id >= parts[0].id:
            return ANSWERS_NOBODY
        if len(asked.text) > CONTEXT_CHARACTERS:
            return ANSWERS_A_WALL
        chain = self._chain(asked)
        recent = [each for each in self.last(asked.channel, _WINDOW) if each.id < asked.id][:_LOOK_BACK]
        here = [each for each in chain[:CONTEXT_TURNS] if each.channel == asked.channel]
        screen = [*before(here, recent, self._recipe.context_turns - 1), asked]
        while screen[0].author_id == message.author_id:  # a chat begins with somebody else; the last one always is
            screen.pop(0)
        return Scene(tuple(screen), parts, chain[-1] if chain else asked)

    def _parts(self, window: Sequence[Message]) -> tuple[Message, ...]:
        """The last message, and what its author said in one breath before it."""
        parts = [window[-1]]
        room = self._recipe.longest - len(window[-1].text)
        for earlier in islice(reversed(window), 1, _PARTS):
            later = parts[0]
            near = earlier.author_id == later.author_id and 0 <= micros(later.at) - micros(earlier.at) <= self._thought
            room -= len(earlier.text) + 1
            if later.reply_to is not None or not near or room < 0 or unfit(earlier, self._recipe):
                break
            parts.insert(0, earlier)
        return tuple(parts)

    def _asked(self, parts: Sequence[Message], window: Sequence[Message]) -> Message | str:
        first = parts[0]
        if first.reply_to is not None:
            return self._find(first.reply_to) or MISSING
        if len(window) == len(parts):
            return ANSWERS_NOBODY
        asked = window[-1 - len(parts)]
        return asked if micros(first.at) - micros(asked.at) <= self._gap else ANSWERS_NOBODY

    def _chain(self, asked: Message) -> list[Message]:
        """What `asked` replies to, what that replies to, and so on."""
        chain: list[Message] = []
        link = asked
        while link.reply_to is not None and link.reply_to < link.id and len(chain) < _CLIMB:
            found = self._find(link.reply_to)
            if found is None:
                break
            chain.append(found)
            link = found
        return chain


def visible(find: Find, hidden: Callable[[Message], str | None]) -> Find:
    """`find` for messages that may be seen; the last ones found are remembered, because many answer the same."""
    known: OrderedDict[int, Message | None] = OrderedDict()

    def found(number: int) -> Message | None:
        if number not in known:
            message = find(number)
            known[number] = message if message is not None and hidden(message) is None else None
            if len(known) > _CHANNELS:
                known.popitem(last=False)
        return known[number]

    return found


def people_in(messages: Iterable[Message]) -> dict[str, str]:
    """The display name of everybody who speaks or is mentioned in these messages, by author id. The name seen last counts.

    Who has none, as the model itself, is not among them.
    """
    names: dict[str, str] = {}
    for message in messages:
        names |= {message.author_id: message.author} if message.author else {}
        names |= {mention.author_id: mention.name for mention in message.mentions}
    return names
