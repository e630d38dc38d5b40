"""What a chat writes that is not language: invisible characters, mentions, channels, timestamps, custom emoji, links.

In the form in which the Discord bot shows them to the model when it serves: people as `@name`, channels as `#channel`, custom emoji as
`:name:`. Links are cut down to the site: a path or a query names pictures, documents and sessions, and a model must not learn to make
them up. Knows nothing of who is behind an id.
"""

import re
from collections import Counter
from collections.abc import Callable

from adapters.curation.privacy.recognizers import SUFFIXES

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

_PERSON = re.compile(r"<@!?([^<>\s]{1,120}(?: [^<>\s]{1,60}){0,4})>")
_ROLE, _CHANNEL = re.compile(r"<@&\d{1,20}>"), re.compile(r"<#\d{1,20}>|<id:\w{1,20}>")
_TIME = re.compile(r"<t:-?\d{1,17}(?::[tTdDfFR])?>")
_COMMAND, _EMOJI = re.compile(r"<(/[^<>:]{1,100}):\d{1,20}>"), re.compile(r"<a?(:\w{1,64}:)\d{1,20}>")
_EVERYBODY = re.compile(r"@+(?=(?:everyone|here)\b)", re.IGNORECASE)
_URL = re.compile(r"<?\b(?:https?|ftp)://([^\s<>\"'`|]{1,2000})[^\s<>\"'`|]*>?|\bwww\.([^\s<>\"'`|]{1,2000})[^\s<>\"'`|]*", re.IGNORECASE)
_HOST_END = re.compile(r"[/?#\\]")
_PUNCTUATION = ".,:;!?)*_~]}"
_AFTER = re.compile(r"[.,:;!?)*_~]{1,8}\Z")
"""A sentence's, or a chat's, and no part of the link."""
LINK = "[link]"


def visible(text: str) -> str:
    """The text as a reader sees it: without what is invisible, turns the direction or piles up."""
    if text.isascii() and text.isprintable():
        return text
    shown = _JOINER.sub("", _INVISIBLE.sub("", _BREAKS.sub("\n", text)))
    return _PILED.sub(r"\1", shown)


def without_markup(text: str, person: Callable[[str], str | None]) -> tuple[str, Counter[str]]:
    """Discord's marks as people see them, and what was replaced. `person`: the name to write for an id; None for what is no id."""
    counts: Counter[str] = Counter()

    def named(match: re.Match[str]) -> str:
        name = person(match[1])
        if name is None:
            return match[0]
        counts["mention"] += 1
        return f"@{name}"

    if "<" in text:
        text = _PERSON.sub(named, _ROLE.sub("@role", text))
        text = _EMOJI.sub(r"\1", _CHANNEL.sub("#channel", _TIME.sub("[time]", _COMMAND.sub(r"\1", text))))
    if "@" in text:
        text, found = _EVERYBODY.subn("", text)
        counts["everyone"] += found
    return text, +counts


def without_paths(text: str) -> tuple[str, int]:
    """Links cut down to their site (`youtube.com`), and how many there were. Machines, sites without a public name: `[link]`."""
    return _URL.subn(_site, text)


def _site(match: re.Match[str]) -> str:
    rest, after = match[1] or match[2], _AFTER.search(match[0])
    host = _HOST_END.split(rest, maxsplit=1)[0].rpartition("@")[2].partition(":")[0].rstrip(_PUNCTUATION)
    site = SUFFIXES(host[:253]).top_domain_under_public_suffix.lower() or LINK
    return site + (after[0] if after else "")
