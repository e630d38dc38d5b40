"""What a report says in sentences: the things that an export can be and that are better known before training. Pure."""

from adapters.sources.discord import MARKDOWN, NAMELESS
from adapters.sources.index import Totals
from adapters.sources.report import EMPTY_CONTENT, Tally, reasons

_INTENT = (
    "the account that exported it may not read messages: give the bot the MESSAGE CONTENT intent in Discord's developer portal "
    "and export again"
)


def why_nothing(tally: Tally) -> str:
    """The end of a sentence that begins with the path: why no message is left."""
    dropped = tally.dropped
    if dropped[EMPTY_CONTENT] > dropped.total() / 2:
        return f"has {dropped[EMPTY_CONTENT]} messages without any content; {_INTENT}."
    if dropped and set(dropped) == {"empty channel"}:
        return "is an export of an empty channel: export one in which people write."
    return f"holds no message of a person ({reasons(dropped)}): check what was exported."


def notes(tally: Tally, totals: Totals) -> tuple[str, ...]:
    """Sentences about an import that has messages."""
    empty = tally.dropped[EMPTY_CONTENT]
    found = {
        f"More messages have no content ({empty}) than have some; {_INTENT}.": empty > totals.messages,
        "No message has a reaction, a score or a quote: nothing tells which ones people liked.": not totals.reacted,
        f"Reactions that do not say who reacted: {tally.seen[NAMELESS]}; an author's own cannot be taken off those.": tally.seen[NAMELESS],
        "People are mentioned by name in the exported text; an export with --markdown false finds all of them.": tally.seen[MARKDOWN],
        f"Messages from direct messages, groups or private threads: {totals.private}.": totals.private,
    }
    return tuple(sentence for sentence, holds in found.items() if holds)
