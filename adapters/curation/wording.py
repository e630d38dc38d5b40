"""Drafts become examples: pseudonyms for people, cleaned texts for what they wrote. What may not be learnt falls out here.

Cleaning is slow, so it sees only texts that are kept, and those that stand in several examples once.
"""

import re
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.conversation import Turn
from adapters.curation.context import ANSWERS_NOBODY, people_in
from adapters.curation.dataset import Example
from adapters.curation.drafts import Draft
from adapters.curation.duplicates import normalised
from adapters.curation.roster import Roster
from adapters.curation.seams import Cleaner, People
from adapters.curation.selection import EMPTY
from adapters.curation.talks import moment
from adapters.sources.message import Message

REFUSED = "refused"
UNANSWERABLE = "what it answers may not be learnt"
_WORD = re.compile(r"\w{2,}")
_MENTIONED = re.compile(r"<@!?([^<>\s][^<>]*)>")
_REMEMBERED = 20_000


@dataclass(frozen=True)
class Names:
    """How things are called in examples: people by author id, channels by their id in the source. `roster`: what people called
    themselves."""

    people: People
    roster: Roster
    channels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Clean:
    """A text that may be learnt, if `refused` does not say why not, and the ids of the people whose pseudonyms stand in it."""

    text: str
    refused: str | None
    named: tuple[str, ...]


class Wording:
    """`removed`: what was taken out of texts that are kept; `refused`: how many texts may not be learnt; `dropped`: drafts, by reason."""

    def __init__(self, cleaner: Cleaner, names: Names, others: int) -> None:
        self._cleaner = cleaner
        self._names = names
        self._others = others
        self._known: OrderedDict[tuple[str, tuple[tuple[str, str], ...]], _Clean] = OrderedDict()
        self.removed: Counter[str] = Counter()
        self.refused = 0
        self.dropped: Counter[str] = Counter()

    def example(self, draft: Draft) -> Example | None:
        """The draft in words that may be learnt; None if there is none, and then the reason is counted."""
        made = self._example(draft)
        if isinstance(made, Example):
            return made
        self.dropped[made] += 1
        return None

    def _example(self, draft: Draft) -> Example | str:
        scene = draft.scene
        target = scene.parts[-1]
        seen = people_in((*scene.screen, *scene.parts))
        cleaned = self._clean(draft.text, seen)
        if cleaned.refused is not None:
            return f"{REFUSED}: {cleaned.refused}"
        if not cleaned.text:
            return EMPTY
        turns = self._turns(scene.screen, target.author_id, seen)
        if not turns or turns[-1][0] is not scene.screen[-1]:
            return UNANSWERABLE
        if turns[-1][1].is_self:
            return ANSWERS_NOBODY
        rivals = self._rivals(draft, cleaned.text, seen)
        there = {target.author_id: None, **dict.fromkeys(cleaned.named)}
        for message, named in (*((message, named) for message, _, named in turns), *((message, each.named) for message, each in rivals)):
            there |= {message.author_id: None, **dict.fromkeys(named)}
        return Example(
            turns=tuple(turn for _, turn, _ in turns),
            target=cleaned.text,
            weight=draft.choice.weight,
            message_id=target.id,
            author=self._names.people.name(target.author_id),
            at=moment(draft.choice.at),
            channel=self._names.channels[target.parent or target.channel],
            conversation=self._conversation(draft),
            reward=draft.choice.reward,
            others=tuple(each.text for _, each in rivals),
            people=tuple(sorted(map(self._names.people.name, there))),
        )

    def _turns(self, screen: Sequence[Message], author_id: str, seen: Mapping[str, str]) -> list[tuple[Message, Turn, tuple[str, ...]]]:
        turns: list[tuple[Message, Turn, tuple[str, ...]]] = []
        for message in screen:
            cleaned = self._clean(message.text, seen)
            is_self = message.author_id == author_id
            if cleaned.refused is None and cleaned.text and (turns or not is_self):  # a chat begins with somebody else
                turns.append((message, Turn(self._names.people.name(message.author_id), cleaned.text, is_self), cleaned.named))
        return turns

    def _rivals(self, draft: Draft, target: str, seen: Mapping[str, str]) -> list[tuple[Message, _Clean]]:
        """Texts that differ from the target and from each other, with the messages they come from."""
        told = {normalised(target)}
        rivals: list[tuple[Message, _Clean]] = []
        for message in draft.rivals.drawn() if draft.rivals else ():
            if len(rivals) == self._others:
                break
            cleaned = self._clean(message.text, {**seen, **people_in((message,))})
            plain = normalised(cleaned.text)
            if cleaned.refused is None and cleaned.text and plain not in told:
                told.add(plain)
                rivals.append((message, cleaned))
        return rivals

    def _conversation(self, draft: Draft) -> str:
        place, began = draft.conversation
        return f"{self._names.channels[place]} {moment(began).isoformat()}"

    def _clean(self, text: str, seen: Mapping[str, str]) -> _Clean:
        """Of those who were seen only the names that have a word in the text go with it, so that a text is cleaned once, whoever else is
        there; and of everybody else the names that stand in it."""
        words = {word.casefold() for word in _WORD.findall(text)}
        near = {author: name for author, name in seen.items() if author in text or _shares(name, words)}
        key = (text, tuple(sorted((self._names.roster.named(text) | near).items())))
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._cleaned(*key)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return known

    def _cleaned(self, text: str, names: tuple[tuple[str, str], ...]) -> _Clean:
        cleaned = self._cleaner.clean(text, dict(names))
        self.removed.update(cleaned.removed)
        self.refused += cleaned.refused is not None
        people = self._names.people
        ids = dict.fromkeys((*(author for author, _ in names), *_MENTIONED.findall(text)))
        named = tuple(each for each in ids if people.allowed(each) and people.name(each) in cleaned.text)
        return _Clean(cleaned.text.strip(), cleaned.refused, named)


def _shares(name: str, words: set[str]) -> bool:
    own = [word.casefold() for word in _WORD.findall(name)]
    return any(word in words for word in own) or not own
