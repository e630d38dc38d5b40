"""Finds personal data in a text and puts placeholders in its place, with Presidio's recognizers.

A placeholder (`[email]`) is what a model may learn to say without harm; a message without it would be no answer any more. Patterns and
checksums need no language model, but they know no names and places: for those, name an installed spaCy model. Needs no network.
"""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from adapters.curation.privacy import recognizers
from adapters.curation.privacy.errors import MissingModel
from adapters.curation.privacy.plain_text import one_width
from adapters.curation.privacy.spans import Span
from adapters.curation.privacy.unseen import unseen

with unseen("torch", "transformers"):
    import spacy
    from presidio_analyzer import LocalRecognizer

PLACEHOLDERS = {
    "EMAIL_ADDRESS": "[email]",
    "PHONE_NUMBER": "[phone]",
    "CREDIT_CARD": "[card]",
    "IBAN_CODE": "[account]",
    "CRYPTO": "[wallet]",
    "IP_ADDRESS": "[address]",
    "MAC_ADDRESS": "[address]",
    "STREET": "[address]",
    "PLACE": "[place]",
    "PERSON": "somebody",
    "LOCATION": "[place]",
}
"""By Presidio's name of what was found; all else is a number that a state or a service gave somebody."""
_NUMBER = "[number]"
_LEAST = 0.4
"""Presidio's score below which a find is only a guess. Patterns of bare digits have less, unless their checksum is right."""
_MODEL_LABELS = {"PERSON": "PERSON", "PER": "PERSON", "GPE": "LOCATION", "LOC": "LOCATION", "FAC": "LOCATION"}

_IP_LIKE = re.compile(r"\d\.\d{1,3}\.\d|[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{0,4}:|[0-9A-Fa-f]{2}-[0-9A-Fa-f]{2}-", re.ASCII)
_SPELT = re.compile(r"[\s(\[{](?:at)[\s)\]}]", re.IGNORECASE)
_WALLET_LIKE = re.compile(r"(?:bc1|[13]|0x)[a-zA-Z0-9]{25}")
_MANY_DIGITS = re.compile(r"(?:\d\D{0,12}){7}")
_DIGIT = re.compile(r"\d")
_YEARS = re.compile(r"(?:(?:19|20)\d\d\D?){2,5}", re.ASCII)
"""Their checksum is as good as any number's."""
_AROUND_EMAIL = 320
"""Characters: no address is longer. Looked at alone, as the time of the pattern grows with the square of the text."""


@dataclass(frozen=True)
class _Group:
    """Recognizers that are worth asking only where the text has something like what they know."""

    worth: Callable[[str], object]
    asked: tuple[LocalRecognizer, ...]


class PiiFinder:
    """`spacy_model`: the name of an installed model, for names of people and places; empty: none. Raises MissingModel."""

    def __init__(self, spacy_model: str = "") -> None:
        # Presidio warns of a recognizer that ran for long, and says which text; and of packages that are not there.
        logging.getLogger("presidio-analyzer").setLevel(logging.CRITICAL)
        self._emails = recognizers.emails()
        self._groups = (
            _Group(_SPELT.search, tuple(recognizers.spelt_emails())),
            _Group(_MANY_DIGITS.search, tuple(recognizers.long_numbers())),
            _Group(_DIGIT.search, tuple(recognizers.short_numbers())),
            _Group(_IP_LIKE.search, tuple(recognizers.machines())),
            _Group(_WALLET_LIKE.search, tuple(recognizers.wallets())),
        )
        self._language = load_model(spacy_model) if spacy_model else None

    def find(self, text: str) -> list[Span]:
        """Where personal data is; spans may overlap. `text` must be short: time grows with its square at worst."""
        plain = one_width(text)
        found = [span for start, part in _around(plain, "@", _AROUND_EMAIL) for span in _ask(self._emails, part, start)]
        for group in self._groups:
            if group.worth(plain):
                found += _ask(group.asked, plain)
        if self._language is not None:
            document = self._language(plain)
            found += [
                Span(each.start_char, each.end_char, kind, PLACEHOLDERS[kind])
                for each in document.ents
                if (kind := _MODEL_LABELS.get(each.label_, ""))
            ]
        return found


def _ask(asked: Iterable[LocalRecognizer], text: str, offset: int = 0) -> list[Span]:
    found = []
    for recognizer in asked:
        for each in recognizer.analyze(text, recognizer.supported_entities, None):  # type: ignore[arg-type]  # patterns need none
            if each.score >= _LEAST and not _YEARS.fullmatch(text, each.start, each.end):
                placeholder = PLACEHOLDERS.get(each.entity_type, _NUMBER)
                found.append(Span(each.start + offset, each.end + offset, each.entity_type, placeholder))
    return found


def _around(text: str, mark: str, reach: int) -> Iterable[tuple[int, str]]:
    """The parts of a text that lie around a mark, with where they begin. Parts that touch are one, up to a bound."""
    start = end = -1
    place = text.find(mark)
    while place >= 0:
        if start < 0:
            start = max(0, place - reach)
        elif place - reach > end or end - start > 4 * reach:
            yield start, text[start:end]
            start = max(0, place - reach)
        end = place + reach
        place = text.find(mark, place + 1)
    if start >= 0:
        yield start, text[start:end]


def load_model(name: str) -> Any:
    """An installed spaCy pipeline. Never downloads. Raises MissingModel."""
    try:
        return spacy.load(name, disable=["parser", "lemmatizer", "textcat"])
    except (OSError, ImportError, ValueError) as exc:
        short = name[:60]
        raise MissingModel(
            f"The spaCy model {short!r} cannot be loaded: install it (`python -m spacy download {short}`), or clean without a model."
        ) from exc
