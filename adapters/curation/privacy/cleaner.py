"""Takes out of a message what a model must not learn. Implements `seams.Cleaner`.

In this order, as each step could hide something from, or be misread by, the next:

    1  too long                 refused: no chat message, and every step's time is bounded by it
    2  invisible characters     gone, so that nothing can hide behind them
    3  toxicity                 refused, on what a reader would have seen
    4  known secrets, invites   [secret], [invite]; before links, as some are in links
    5  Discord's marks          people become pseudonyms, roles and channels lose their ids, @everyone its @
    6  links                    cut down to the site, after which nothing of a path can be mistaken for data
    7  random-looking words     [secret]
    8  personal data            [email], [phone] …
    9  display names            pseudonyms; last, as a name can be a part of an address

A member who may not be learnt from becomes "somebody", not a pseudonym.
"""

import re
from collections import Counter
from collections.abc import Mapping

from adapters.curation.privacy.markup import without_markup, without_paths
from adapters.curation.privacy.names import NameFinder
from adapters.curation.privacy.ordinary_words import ordinary_words
from adapters.curation.privacy.pii import PiiFinder
from adapters.curation.privacy.plain_text import visible
from adapters.curation.privacy.secrets import SecretFinder
from adapters.curation.privacy.spans import Span, replaced
from adapters.curation.privacy.toxicity import ToxicityFilter
from adapters.curation.seams import Cleaned, People

LONGEST = 4_000
"""Characters of a message that is looked at, as many as Discord takes."""
TOO_LONG = "too long"
_LOOKS = 3
"""For personal data: what runs together hides the rest of itself."""
SOMEBODY = "somebody"
_BREAKS, _BLANKS = re.compile(r"\s*\n\s*\n\s*"), re.compile(r"[^\S\n]+")


class TextCleaner:
    """`people`: whose pseudonyms to write. `spacy_model`: an installed one, for names of people and places. Raises MissingModel."""

    def __init__(self, people: People, toxicity: ToxicityFilter, *, spacy_model: str = "") -> None:
        self._people = people
        self._toxicity = toxicity
        self._pii = PiiFinder(spacy_model)
        self._secrets = SecretFinder()
        self._names = NameFinder(ordinary_words())

    @property
    def level(self) -> str:
        """Of the toxicity filter: `off`, `slurs` or `strict`."""
        return self._toxicity.level.value

    def clean(self, text: str, names: Mapping[str, str]) -> Cleaned:
        """`names`: the display name seen, by author id, of those who are mentioned or speak. Where two share one, the first is meant."""
        if len(text) > LONGEST:
            return Cleaned("", {}, TOO_LONG)
        text = visible(text)
        refused = self._toxicity.refusal(text)
        if refused:
            return Cleaned("", {}, refused)
        counts: Counter[str] = Counter()
        text = _put(text, self._secrets.known(text), counts)
        text, found = without_markup(text, lambda author_id: self._mentioned(author_id, names))
        counts += found
        text, links = without_paths(text)
        counts["link"] += links
        text = _put(text, self._secrets.random(text), counts)
        for _ in range(_LOOKS):
            found_data = self._pii.find(text)
            if not found_data:
                break
            text = _put(text, found_data, counts)
        text = _put(text, self._named(text, names), counts)
        return Cleaned(_tidy(text), dict(+counts))

    def _mentioned(self, author_id: str, names: Mapping[str, str]) -> str | None:
        """A mention of nobody is text that only looks like one."""
        if not author_id.isdecimal() and author_id not in names:
            return None
        return self._name(author_id)

    def _named(self, text: str, names: Mapping[str, str]) -> list[Span]:
        found = self._names.find(text, names)
        return [Span(start, end, "name", ("@" if text[start] == "@" else "") + self._name(who)) for start, end, who in found]

    def _name(self, author_id: str) -> str:
        return self._people.name(author_id) if self._people.allowed(author_id) else SOMEBODY


def _put(text: str, spans: list[Span], counts: Counter[str]) -> str:
    if not spans:
        return text
    text, found = replaced(text, spans)
    counts.update(found)
    return text


def _tidy(text: str) -> str:
    return _BREAKS.sub("\n\n", _BLANKS.sub(" ", text)).strip()
