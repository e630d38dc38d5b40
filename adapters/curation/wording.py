"""Drafts become examples: pseudonyms for people, cleaned texts for what they wrote. What may not be learnt falls out here.

Cleaning is slow, so it sees only texts that are kept, each once.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from adapters.conversation import Turn
from adapters.curation.context import ANSWERS_NOBODY, people_in
from adapters.curation.dataset import Example
from adapters.curation.drafts import Draft
from adapters.curation.duplicates import normalised
from adapters.curation.seams import Cleaned, Cleaner, People
from adapters.curation.selection import EMPTY
from adapters.curation.talks import moment
from adapters.sources.message import Message

REFUSED = "refused"
_WORD = re.compile(r"\w{2,}")
_MENTIONED = re.compile(r"<@([^<>\s][^<>]*)>")


@dataclass(frozen=True)
class Names:
    """How things are called in examples: people by author id, channels by their id in the source."""

    people: People
    channels: Mapping[str, str]


class Wording:
    """`removed`: what was taken out of texts that are kept; `refused`: how many texts may not be learnt; `dropped`: drafts, by reason."""

    def __init__(self, cleaner: Cleaner, names: Names, others: int) -> None:
        self._cleaner = cleaner
        self._names = names
        self._others = others
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], Cleaned] = {}
        self.removed: Counter[str] = Counter()
        self.refused = 0
        self.dropped: Counter[str] = Counter()

    def example(self, draft: Draft) -> Example | None:
        """The draft in words that may be learnt; None if there is none, and then the reason is counted."""
        scene = draft.scene
        target = scene.parts[-1]
        seen = people_in((*scene.screen, *scene.parts))
        cleaned = self._clean(draft.text, seen)
        if cleaned.refused is not None:
            self.dropped[f"{REFUSED}: {cleaned.refused}"] += 1
            return None
        if not cleaned.text.strip():
            self.dropped[EMPTY] += 1
            return None
        turns = self._turns(scene.screen, target.author_id, seen)
        if not turns or turns[-1][1].is_self:
            self.dropped[ANSWERS_NOBODY] += 1
            return None
        if turns[-1][0] is not scene.screen[-1]:
            self.dropped["what it answers may not be learnt"] += 1
            return None
        others, rivals = self._rivals(draft, cleaned.text, seen)
        return Example(
            turns=tuple(turn for _, turn in turns),
            target=cleaned.text.strip(),
            weight=draft.choice.weight,
            message_id=target.id,
            author=self._names.people.name(target.author_id),
            at=moment(draft.choice.at),
            channel=self._names.channels[target.parent or target.channel],
            conversation=self._conversation(draft),
            reward=draft.choice.reward,
            others=others,
            people=self._people((*(message for message, _ in turns), *scene.parts, *rivals)),
        )

    def _turns(self, screen: Sequence[Message], author_id: str, seen: Mapping[str, str]) -> list[tuple[Message, Turn]]:
        turns = []
        for message in screen:
            text = self._clean(message.text, seen)
            if text.refused is None and text.text.strip():
                turn = Turn(self._names.people.name(message.author_id), text.text.strip(), message.author_id == author_id)
                turns.append((message, turn))
        while turns and turns[0][1].is_self:
            turns.pop(0)
        return turns

    def _rivals(self, draft: Draft, target: str, seen: Mapping[str, str]) -> tuple[tuple[str, ...], list[Message]]:
        """Cleaned texts that differ from the target and from each other, and the messages they come from."""
        texts: dict[str, tuple[str, Message]] = {normalised(target): (target, draft.scene.parts[-1])}
        for message in draft.rivals.drawn() if draft.rivals else ():
            if len(texts) > self._others:
                break
            cleaned = self._clean(message.text, {**seen, **people_in((message,))})
            if cleaned.refused is None and cleaned.text.strip():
                texts.setdefault(normalised(cleaned.text), (cleaned.text.strip(), message))
        kept = list(texts.values())[1:]
        return tuple(text for text, _ in kept), [message for _, message in kept]

    def _people(self, messages: Iterable[Message]) -> tuple[str, ...]:
        ids = dict.fromkeys(
            each for message in messages for each in (message.author_id, *_mentioned(message))
        )  # in this order: who is asked for first gets the name, where two would share one
        return tuple(sorted({self._names.people.name(each) for each in ids}))

    def _conversation(self, draft: Draft) -> str:
        place, began = draft.conversation
        return f"{self._names.channels.get(place, place)} {moment(began).isoformat()}"

    def _clean(self, text: str, seen: Mapping[str, str]) -> Cleaned:
        """Only the names that have a word in the text go with it, so that a text is cleaned once, whoever else is there."""
        words = {word.casefold() for word in _WORD.findall(text)}
        near = tuple((author, name) for author, name in sorted(seen.items()) if author in text or _shares(name, words))
        key = (text, near)
        if key not in self._known:
            cleaned = self._cleaner.clean(text, dict(near))
            self._known[key] = cleaned
            self.removed.update(cleaned.removed)
            self.refused += cleaned.refused is not None
        return self._known[key]


def _shares(name: str, words: set[str]) -> bool:
    own = [word.casefold() for word in _WORD.findall(name)]
    return any(word in words for word in own) or not own


def _mentioned(message: Message) -> list[str]:
    return [*(mention.author_id for mention in message.mentions), *_MENTIONED.findall(message.text)]
