"""Expands templates into text. Knows nothing of what the text is about.

`[a|b|c]` becomes one of its alternatives (which may be empty), `{slot}` one of the alternatives that the lexicon gives that name; both
may hold more of either. The same seed gives the same text.
"""

import re
from collections.abc import Mapping
from random import Random

Lexicon = Mapping[str, str]
"""Slot name → its alternatives, separated by `|`."""

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")
_SPACES = re.compile(r"\s+")
_SPACE_BEFORE_STOP = re.compile(r"\s+([,.;?!])(?=\s|$)")


def expand(template: str, rng: Random, lexicon: Lexicon, bound: Mapping[str, str] | None = None) -> str:
    """The template with every choice made. `bound` slots are the same wherever they stand.

    Raises KeyError for a slot that neither `bound` nor the lexicon has.
    """
    fixed = bound or {}

    def slot(match: re.Match[str]) -> str:
        name = match.group(1)
        return fixed[name] if name in fixed else f"[{lexicon[name]}]"

    text = template
    while "[" in text or "{" in text:
        text = _SLOT.sub(slot, _CHOICE.sub(lambda match: rng.choice(match.group(1).split("|")), text))
    return _SPACE_BEFORE_STOP.sub(r"\1", _SPACES.sub(" ", text)).strip()
