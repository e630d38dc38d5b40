"""Tells communities apart by their words: a multinomial naive Bayes classifier with add-one smoothing and equal priors.

Knows nothing of models: it judges any text.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.sources.source import open_source

_WORD = re.compile(r"[\w']+")


def words(text: str) -> list[str]:
    """Lower-case words; punctuation and emoji glyphs are not words, the names of custom emoji are."""
    return _WORD.findall(text.lower())


@dataclass(frozen=True)
class VoiceClassifier:
    """`score` sums, over the words of a text, the log of their frequency in each community."""

    frequencies: Mapping[str, Mapping[str, float]]
    unseen: Mapping[str, float]

    @classmethod
    def fit(cls, texts: Mapping[str, Sequence[str]]) -> "VoiceClassifier":
        """Fit on community → its messages. Raises ValueError for fewer than two communities or one without words."""
        counts = {name: Counter(word for text in said for word in words(text)) for name, said in texts.items()}
        if len(counts) < 2 or not all(counts.values()):
            raise ValueError("A classifier needs at least two communities with words in each.")
        vocabulary = len(set[str]().union(*counts.values()))
        totals = {name: count.total() + vocabulary for name, count in counts.items()}
        return cls(
            {name: {word: math.log((n + 1) / totals[name]) for word, n in count.items()} for name, count in counts.items()},
            {name: math.log(1 / total) for name, total in totals.items()},
        )

    def score(self, text: str) -> dict[str, float]:
        """Community → log likelihood of the text."""
        said = words(text)
        return {name: sum(known.get(word, self.unseen[name]) for word in said) for name, known in self.frequencies.items()}

    def classify(self, text: str) -> str:
        """The likeliest community; the first by name where they tie."""
        scores = self.score(text)
        return max(sorted(scores), key=lambda name: scores[name])


def held_out_messages(export: Path, *, share: float = 0.2) -> list[str]:
    """The texts of the people in the last `share` of an export's messages, which `curate` does not train on."""
    with open_source(export).read() as messages:
        people = [message.text for message in messages if not message.is_bot]
    return people[len(people) - round(len(people) * share) :]


def shares(classifier: VoiceClassifier, replies: Iterable[str]) -> dict[str, float]:
    """Community → the share of the replies attributed to it; every community of the classifier is named."""
    votes = Counter(classifier.classify(reply) for reply in replies)
    total = max(1, votes.total())
    return {name: votes[name] / total for name in classifier.frequencies}
