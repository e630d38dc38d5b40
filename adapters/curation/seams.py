"""What curation needs of others: the messages, who may be learnt from and under which name, and texts without personal data.

Only shapes. `privacy/` implements the people and the cleaner, `adapters.sources` and the workspace implement the messages.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from adapters.sources.message import Message

Progress = Callable[[str, int, int], None]
"""(stage, done, total): called from the working thread, often, so it has to be quick. A total of 0 means that it is not known."""


class Messages(Protocol):
    """Messages by growing id. Iterable as often as wanted: each time the same messages."""

    def __iter__(self) -> Iterator[Message]: ...

    def __len__(self) -> int: ...

    def find(self, number: int) -> Message | None:
        """The message of this id, if there is one."""
        ...


class People(Protocol):
    """Who may be learnt from, and under which name."""

    def allowed(self, author_id: str) -> bool:
        """False: neither target nor context nor one of the others."""
        ...

    def name(self, author_id: str) -> str:
        """A stable pseudonym. Two people never share one."""
        ...


@dataclass(frozen=True)
class Cleaned:
    """A text without personal data. `removed`: how many of which kind; `refused`: why nobody may learn it, such as "slur"."""

    text: str
    removed: Mapping[str, int] = field(default_factory=dict)
    refused: str | None = None


class Cleaner(Protocol):
    """Takes out of a text what nobody may learn."""

    def clean(self, text: str, names: Mapping[str, str]) -> Cleaned:
        """`names`: the display name seen, by author id, of those who are mentioned or speak. They become pseudonyms in the text."""
        ...
