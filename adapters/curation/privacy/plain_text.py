"""A text as a reader sees it, and in plain characters: what hides a name or a word from a filter is taken away. Light and pure."""

import re
import unicodedata

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ue000-\uf8ff\ufeff\uffa0\ufff0-\uffff\U000110bd\U000110cd\U00013430-\U0001345f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U0010ffff]"
)
_SHOWN = "[^\x00-\x7f\\s\u200c\u200d]"
_JOINER = re.compile(f"(?<!{_SHOWN})[\u200c\u200d]|[\u200c\u200d](?!{_SHOWN})")
"""Between two letters of a script that needs it, or two emoji that are one, a joiner is writing; elsewhere it only hides something."""
_BREAKS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_MARK = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]"
_PILED = re.compile(f"({_MARK}{{3}}){_MARK}+")


def visible(text: str) -> str:
    """The text as a reader sees it: without what is invisible, turns the direction or piles up."""
    if text.isascii() and text.isprintable():
        return text
    shown = _JOINER.sub("", _INVISIBLE.sub("", _BREAKS.sub("\n", text)))
    return _PILED.sub(r"\1", shown)


def one_width(text: str) -> str:
    """The same text in plain characters (ｊ → j, ＠ → @), each in its place, so that what is found there can be cut out here."""
    if text.isascii():
        return text
    return "".join(map(_plain, text))


def _plain(character: str) -> str:
    if character.isascii():
        return character
    folded = unicodedata.normalize("NFKC", character)
    return folded if len(folded) == 1 else character
