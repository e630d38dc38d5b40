"""Names for people that are not theirs: made from the key and their id, so that they are the same in every import and kept nowhere.

Among 1,000 members two would share one (`adapters.pseudonyms`) in 1 of 100 communities, and then the one asked for later gets another
(`people`).
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from adapters.curation.privacy.identity import identity
from adapters.curation.privacy.key import Key
from adapters.pseudonyms import invented_names


class Pseudonyms:
    """`taken`: the display names of real members; none of them is given to anybody. A member who comes later with such a name changes
    the pseudonym of the one person who had it."""

    def __init__(self, key: Key, taken: Iterable[str] = ()) -> None:
        self._key = key
        self._taken = frozenset(part.casefold() for name in taken for part in (name, *name.split()))

    def names(self, author_id: str) -> Iterator[str]:
        """Such as `Brelastor`: the person's name, and then the ones to take if somebody else has it."""
        return (name for name in self._all(author_id) if name.casefold() not in self._taken)

    def possible(self, author_id: str) -> tuple[str, ...]:
        """Every name that the person may have had in some dataset, whoever the others were. For those who have to be forgotten."""
        return tuple(islice(self._all(author_id), 4))

    def _all(self, author_id: str) -> Iterator[str]:
        network, number = identity(author_id)
        return invented_names(self._key.secret, network.value, number)
