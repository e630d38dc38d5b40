"""Which messages may be learnt, each decided by itself. Pure; the reasons are what the data card counts."""

import re

from adapters.curation.recipe import CurationRecipe
from adapters.sources.message import Message

BOT = "message of a bot"
PRIVATE = "private message"
LEFT_OUT = "author did not agree"
COMMAND = "command to a bot"
ONLY_LINKS = "only links"
ONLY_MENTIONS = "only mentions"
EMPTY = "empty"
TOO_SHORT = "too short"
TOO_LONG = "too long"

_LINK = re.compile(r"<?\b(?:https?://|www\.|discord\.gg/)[^\s>]+>?", re.IGNORECASE)
_MENTION = re.compile(r"<(?:@[!&]?|#)[^<>\s][^<>]*>|@(?:everyone|here)\b")
_COMMAND = re.compile(
    r"""\s*(?:
        [!/?%&;=+]{1,2}[a-z][\w-]*          # !play, /x, ?help, ??tag
      | [.$][a-z][\w-]*                     # .fm, $roll; three dots or a price are none
      | -[a-z]+(?=\s|$)                     # -skip; "-10" and "-sigh-" are none
      | [a-z]{1,3}![a-z][\w-]*           # t!daily
    )""",
    re.VERBOSE,
)


def unseen(message: Message, recipe: CurationRecipe) -> str | None:
    """Why nobody may even read this message before a target; None if they may. Consent is another's matter."""
    if message.is_bot:
        return BOT
    if message.private and not recipe.private:
        return PRIVATE
    return EMPTY if not message.text.strip() else None


def unfit(message: Message, recipe: CurationRecipe) -> str | None:
    """Why this message, which may be seen, may not be a target; None if it may."""
    text = message.text
    if len(text) > recipe.longest:
        return TOO_LONG
    if is_command(text):
        return COMMAND
    if "<" not in text and "@" not in text and "/" not in text and "." not in text:
        return TOO_SHORT if len(text.strip()) < recipe.shortest else None
    without_links = _LINK.sub("", text)
    words = _MENTION.sub("", without_links).strip()
    if not any(each.isalnum() or not each.isascii() for each in words):
        return _nothing_said(text, without_links, words)
    return TOO_SHORT if len(words) < recipe.shortest else None


def is_command(text: str) -> bool:
    """Whether a person tells a bot what to do: `!play`, `/x`, `?help`, `.fm`, `t!daily`."""
    return _COMMAND.match(text) is not None


def _nothing_said(text: str, without_links: str, words: str) -> str | None:
    if without_links != text:
        return ONLY_LINKS
    if words:
        return None  # "..." and "?!" are answers
    return ONLY_MENTIONS
