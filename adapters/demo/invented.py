"""Invented people: there is nobody to ask and nothing to hide, so they keep their names. In place of consent and privacy."""

import re
from collections.abc import Iterable, Mapping

from adapters.curation.seams import Cleaned
from adapters.sources.message import Message

_MENTION = re.compile(r"<@(\w+)>")


class Invented:
    """People and cleaner of curation in one."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self._names = {message.author_id: message.author for message in messages}

    def allowed(self, author_id: str) -> bool:
        return author_id in self._names

    def name(self, author_id: str) -> str:
        return self._names[author_id]

    def clean(self, text: str, names: Mapping[str, str]) -> Cleaned:
        return Cleaned(_MENTION.sub(lambda mention: self._names.get(mention[1], "somebody"), text))
