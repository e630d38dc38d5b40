"""What a community would rather not have its bot say, taken out of an answer. Pure: a text and a level in, a text out.

| level  | leaves out |
|--------|------------|
| off    | nothing |
| mild   | slurs, telling people to kill themselves, invitations to other servers; a link behind other words shows where it leads |
| strict | also swearing, what is sexual, and every link |

Words are found also in capitals, bold, drawn out, spelt with blanks, with figures for letters and in foreign letters that look the
same; not inside harmless words. It is a net for what a small model lets slip, and no judge of what a sentence means.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from adapters.slurs import harmless, slurs
from clients.discord_bot.guild_settings import Level
from clients.discord_bot.swearwords import swearwords

LEFT_OUT = "[…]"
_SPELT_FROM = 4
"""Letters of a word that is also looked for with something between them; shorter ones come about in any list."""
_DRAWN_OUT = 8
"""Times that a letter may stand once more; without an end, a text of one letter would take seconds."""

_TO_DEATH = ("kys", *(f"{verb} {whom}" for verb in ("kill", "hang", "neck", "shoot", "unalive") for whom in ("yourself", "urself")))
_SPARED = ("cum laude", "moby dick", "dick tracy", "dick cheney", "van dick")
"""Of swearing."""

_LETTER_LIKE = str.maketrans("аеорсхіѕјԁһӏкмтβαεορτικν", "aeopcxisjdhlkmtbaeoptikv")
_FIGURES = {"a": "a4@", "b": "b8", "e": "e3", "g": "g9", "i": "i1!", "l": "l1", "o": "o0", "s": "s5$", "t": "t7+"}
_DRESSING = frozenset("*~|`\\")
_INVITATION = re.compile(
    r"(?:https?://)?(?:www\.)?(?:discord(?:app)?\.com/invite|discord\.(?:gg|me|io)|dsc\.gg)/[\w-]{2,40}", re.IGNORECASE
)
_LINK = re.compile(r"<?\b(?:https?|ftp|steam|discord)://[^\s<>()]+>?|\bwww\.[^\s<>()]+", re.IGNORECASE)
_HIDDEN_LINK = re.compile(r"\[([^\[\]\n]{0,300})\]\(\s*<?((?:https?|discord)://[^\s<>()]+)>?[^()\n]{0,100}\)", re.IGNORECASE)
_NOTHING_ELSE = re.compile(rf"(?:{re.escape(LEFT_OUT)}|[\W_])*")


@dataclass(frozen=True)
class Filtered:
    """An answer as it may be said: empty where nothing worth saying is left. `removed` counts what was taken out."""

    text: str
    removed: int = 0


class Filter:
    """Make one at the start: its patterns are long."""

    def __init__(self) -> None:
        mild = (*slurs(), *_TO_DEATH)
        self._mild = _Words(mild, spared=harmless())
        self._strict = _Words((*mild, *swearwords()), spared=(*harmless(), *_SPARED))

    def clean(self, text: str, level: Level) -> Filtered:
        """The text without what `level` leaves out, `LEFT_OUT` in its places."""
        if level is Level.OFF:
            return Filtered(text)
        shown = _HIDDEN_LINK.sub(r"\1 (\2)", text)
        words = self._strict if level is Level.STRICT else self._mild
        spans = words.spans(shown) + [found.span() for found in _INVITATION.finditer(shown)]
        if level is Level.STRICT:
            spans += [found.span() for found in _LINK.finditer(shown)]
        cut, removed = _without(shown, spans)
        return Filtered("" if removed and _NOTHING_ELSE.fullmatch(cut) else cut, removed)


class _Words:
    def __init__(self, words: Iterable[str], spared: Iterable[str]) -> None:
        folded = sorted({"".join(_folded(word)[0].split("\n")) for word in words}, key=len, reverse=True)
        written = [_written(word) for word in folded]
        spelt = [_spelt(word) for word in folded if " " not in word and len(word) >= _SPELT_FROM]
        self._patterns = [re.compile(rf"(?<![^\W_])(?:{'|'.join(each)})(?![^\W_])") for each in (written, spelt)]
        phrases = "|".join(r"[\s-]{1,3}".join(map(re.escape, phrase.split())) for phrase in spared)
        self._spared = re.compile(rf"\b(?:{phrases})\b")

    def spans(self, text: str) -> list[tuple[int, int]]:
        plain, places = _folded(text)
        spared = [found.span() for found in self._spared.finditer(plain)]
        found = [hit.span() for pattern in self._patterns for hit in pattern.finditer(plain)]
        return [
            (places[start], places[end - 1] + 1)
            for start, end in found
            if not any(begin <= start and end <= finish for begin, finish in spared)
        ]


def _folded(text: str) -> tuple[str, list[int]]:
    """The text in plain small letters without dressing and what cannot be seen, and where each of them stood."""
    letters, places = [], []
    for place, character in enumerate(text):
        plain = unicodedata.normalize("NFKD", character)[0].casefold()[0].translate(_LETTER_LIKE)
        if plain not in _DRESSING and unicodedata.category(plain) not in ("Mn", "Cf"):
            letters.append(plain)
            places.append(place)
    return "".join(letters), places


def _written(word: str) -> str:
    """As one word, each letter once or drawn out; where the word has it twice, at least twice."""
    parts = []
    for run in re.finditer(r"(.)\1*", word, re.DOTALL):
        length = len(run[0])
        parts.append(r"[\s_-]{1,3}" if run[1].isspace() else f"{_letter(run[1])}{{{length},{length + _DRAWN_OUT}}}")
    return "".join(parts)


def _spelt(word: str) -> str:
    """Letter by letter, something between each two."""
    return r"[\s._,-]{1,2}".join(map(_letter, word))


def _letter(letter: str) -> str:
    return f"[{re.escape(_FIGURES.get(letter, letter))}]"


def _without(text: str, spans: Sequence[tuple[int, int]]) -> tuple[str, int]:
    """The text with each span replaced, overlapping ones once; and how many were."""
    parts, at, removed = [], 0, 0
    for start, end in sorted(spans):
        if start >= at:
            parts += [text[at:start], LEFT_OUT]
            removed += 1
        at = max(at, end)
    return "".join([*parts, text[at:]]), removed
