"""What a community would rather not have its voice say. Off, slurs only, or strict; offline.

Slurs are words, and obfuscated on purpose: glin-profanity looks for our list (`slurs`) in spaced, masked, leet and foreign letters, and
does not see one in the middle of a harmless word. Its own dictionary is not used whole: it has "escort", "suck" and "hardcore".
Toxicity is a matter of the whole message: alt-profanity-check's linear classifier, learnt from 200,000 comments, gives it a probability.
It takes swearing for toxicity, and some names of groups of people for swearing: those are taken out before it is asked.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum
from functools import cache
from importlib import resources
from typing import Protocol

import numpy as np
from glin_profanity import Filter
from profanity_check import profanity_check

from adapters.slurs import harmless, slurs

THRESHOLD = 0.9
"""Of the score, for strict."""
_JUDGED = 20_000
"""Characters of a text that is only scored."""
_SURELY = 0.9
"""How sure the classifier is of a word of the dictionary that strict refuses by itself, however it is written."""
_GROUPS = re.compile(
    r"\b(?:gays?|lesbians?|bi(?:sexuals?)?|trans(?:gender)?|queers?|homosexuals?|heterosexuals?|straight|lgbt\w{0,5}|blacks?|whites?|asians?|"
    r"africans?|americans?|europeans?|mexicans?|indians?|chinese|japanese|arabs?|turks?|turkish|russians?|jews?|jewish|muslims?|islam|"
    r"christians?|catholics?|atheists?|hindus?|buddhists?|wom[ae]n|girls?|females?|m[ae]n|males?|boys?|deaf|blind|disabled|autis\w{1,4})\b",
    re.IGNORECASE,
)

_EMPHASIS = re.compile(r"(?<![^\W_])[*_~|]+|[*_~|]+(?![^\W_])")
"""Around a word; taken for letters that somebody hid, `**Key` would be a slur."""


class Level(Enum):
    OFF = "off"
    SLURS = "slurs"
    STRICT = "strict"


class Scorer(Protocol):
    """Whoever tells how toxic texts are: 0 (harmless) to 1 (surely toxic), one number a text. Curation never imports a model itself."""

    def score(self, texts: Sequence[str]) -> list[float]: ...


class OfflineScorer:
    """alt-profanity-check's classifier. Its numbers, but not its way to them, which takes 3 ms a text (a test compares both)."""

    def __init__(self) -> None:
        vectorizer = profanity_check.vectorizer
        folds = profanity_check.model.calibrated_classifiers_
        self._words: Callable[[str], list[str]] = vectorizer.build_analyzer()
        self._places: dict[str, int] = vectorizer.vocabulary_
        self._rarity = vectorizer.idf_
        self._weights = np.vstack([fold.estimator.coef_[0] for fold in folds])
        self._offsets = np.array([fold.estimator.intercept_[0] for fold in folds])
        self._slopes = np.array([fold.calibrators[0].a_ for fold in folds])
        self._shifts = np.array([fold.calibrators[0].b_ for fold in folds])

    def score(self, texts: Sequence[str]) -> list[float]:
        return [self._probability(_GROUPS.sub(" ", text)) for text in texts]

    def _probability(self, text: str) -> float:
        """TF-IDF of unit length, a linear decision in each of five folds, and the mean of their calibrated probabilities."""
        counts = Counter(self._places[word] for word in self._words(text) if word in self._places)
        decisions = self._offsets
        if counts:
            places = list(counts)
            features = np.fromiter(counts.values(), float) * self._rarity[places]
            decisions = decisions + self._weights[:, places] @ (features / np.linalg.norm(features))
        return float((1 / (1 + np.exp(self._slopes * decisions + self._shifts))).mean())


class ToxicityFilter:
    """`scorer` judges whole messages at level strict, where the offline one does if there is none."""

    def __init__(self, level: Level = Level.SLURS, scorer: Scorer | None = None, threshold: float = THRESHOLD) -> None:
        self.level = level
        self._threshold = threshold
        self._has_slur = _search(slurs())
        self._has_word = self._has_slur
        self._scorer: Scorer | None = None
        if level is Level.STRICT:
            own = OfflineScorer()
            self._scorer = scorer or own
            self._has_word = _search((*slurs(), *_surely_profane(own)))

    def refusal(self, text: str) -> str | None:
        """Why the text may not be learnt: `slur`, `profanity`, `toxic`; None if it may."""
        if self.level is Level.OFF:
            return None
        if self._has_word(text):
            return "slur" if self._has_slur(text) else "profanity"
        if self._scorer is not None and self._scorer.score([text])[0] >= self._threshold:
            return "toxic"
        return None


@cache
def _judges() -> tuple[Callable[[str], bool], OfflineScorer]:
    """Loaded when first asked for."""
    return _search(slurs()), OfflineScorer()


def toxicity_score(text: str) -> float:
    """0 (harmless) to 1, offline: 1 for a slur, else the classifier's probability. For rates of base against adapter."""
    has_slur, scorer = _judges()
    text = text[:_JUDGED]
    return 1.0 if has_slur(text) else scorer.score([text])[0]


def _search(words: Sequence[str]) -> Callable[[str], bool]:
    """Whether a text has one of the words in it, outside harmless phrases."""
    config = {
        "languages": ["none"],  # an empty list would mean English
        "custom_words": list(words),
        "detect_leetspeak": True,
        # A letter hidden behind a sign counts only where three others can be seen: `f***` may be anything.
        "obfuscation": {"level": "standard", "masking": {"min_visible": 3}},
    }
    found: Callable[[str], bool] = Filter(config).is_profane
    phrases = "|".join(r"[\s-]{1,3}".join(map(re.escape, phrase.split())) for phrase in harmless())
    spared = re.compile(rf"\b(?:{phrases})\b", re.IGNORECASE)
    return lambda text: found(bare := _EMPHASIS.sub(" ", text)) and found(spared.sub(" ", bare))


def _surely_profane(scorer: OfflineScorer) -> list[str]:
    """Of glin-profanity's English dictionary, what the classifier finds profane too."""
    content = (resources.files("glin_profanity") / "data" / "dictionaries" / "english.json").read_text("utf-8")
    words: list[str] = json.loads(content)["words"]
    return [word for word, score in zip(words, scorer.score(words), strict=True) if score >= _SURELY]
