"""The people of a community as curation sees them: who may be learnt from, and under which name. Implements `seams.People`."""

from collections.abc import Iterable

from adapters.curation.privacy.consent import Consent
from adapters.curation.privacy.key import Key
from adapters.curation.privacy.pseudonyms import Pseudonyms


class CommunityPeople:
    """`taken`: the display names seen in the community, which no pseudonym may be. Author ids are `identity.qualified` ones."""

    def __init__(self, key: Key, consent: Consent, taken: Iterable[str] = ()) -> None:
        self._key = key
        self._consent = consent
        self._pseudonyms = Pseudonyms(key, taken)
        self._names: dict[str, str] = {}
        self._given: set[str] = set()
        self._allowed: dict[str, bool] = {}

    @property
    def mode(self) -> str:
        """`opt-out` or `opt-in`."""
        return self._consent.mode.value

    def allowed(self, author_id: str) -> bool:
        """Whether this author may be target, context or one of the others."""
        if author_id not in self._allowed:
            self._allowed[author_id] = self._consent.allowed(self._key, author_id)
        return self._allowed[author_id]

    def name(self, author_id: str) -> str:
        """The author's pseudonym: the same in every import of this workspace, and nobody else's.

        Of two people who would share one (see `pseudonyms`), whoever is asked for later gets another.
        """
        name = self._names.get(author_id)
        if name is None:
            name = next(each for each in self._pseudonyms.names(author_id) if each not in self._given)
            self._names[author_id] = name
            self._given.add(name)
        return name

    def possible_names(self, author_id: str) -> tuple[str, ...]:
        """Every pseudonym that the author may have in a dataset: `name`, or what it would have been among others. To forget somebody."""
        return self._pseudonyms.possible(author_id)
