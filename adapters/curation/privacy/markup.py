"""What a chat writes that is not language: mentions, channels, timestamps, custom emoji, links.

In the form in which the Discord bot shows them to the model when it serves: people as `@name`, channels as `#channel`, custom emoji as
`:name:`. Links are cut down to the site: a path or a query names pictures, documents and sessions, and a model must not learn to make
them up. Knows nothing of who is behind an id.
"""

import re
from collections import Counter
from collections.abc import Callable

from adapters.curation.privacy.recognizers import SUFFIXES

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
