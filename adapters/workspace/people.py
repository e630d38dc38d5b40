"""A community's people as its workspace keeps them: the key, and who opted in or out. Knows where; `curation.privacy` knows how."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from adapters.curation.privacy.consent import Consent, Mode, digest, load_consent, read_list, save_consent
from adapters.curation.privacy.identity import Network
from adapters.curation.privacy.key import Key, open_key
from adapters.curation.privacy.people import CommunityPeople
from adapters.curation.privacy.pseudonyms import Pseudonyms
from adapters.workspace.durable import make_folder, room
from adapters.workspace.imports import Import
from adapters.workspace.workspace import Workspace


@dataclass(frozen=True)
class Members:
    """Who may be learnt from. Ids are `identity.qualified` ones."""

    folder: Path
    key: Key
    consent: Consent

    def may_stay(self, author_id: str) -> bool:
        """False for who said no. Who has not said yes where a yes is needed stays in the imports: it can still come."""
        return digest(self.key, author_id) not in self.consent.out

    def pseudonyms(self, author_id: str) -> frozenset[str]:
        """Every name that this person may have in a dataset."""
        return frozenset(Pseudonyms(self.key).possible(author_id))

    def learnable(self, imports: Iterable[Import]) -> CommunityPeople:
        """As curation sees them: no pseudonym is the name of somebody in `imports`."""
        taken: set[str] = set()
        for each in imports:
            with closing(each.stored()) as stored:
                taken |= stored.display_names()
        return CommunityPeople(self.key, self.consent, taken)

    def with_lists(self, network: Network, *, out: Path | None = None, agreed: Path | None = None) -> "Members":
        """After a file of who said no, or yes: the latter makes a yes needed from everybody. Raises BadList; nothing is saved."""
        consent = self.consent
        if out is not None:
            consent = consent.refuse(self.key, read_list(out, network))
        if agreed is not None:
            said_no = consent.out
            consent = consent.agree(self.key, read_list(agreed, network)).in_mode(Mode.OPT_IN)
            # A list of who agreed is made once and given again and again: it does not bring back who has left since.
            consent = Consent(consent.mode, said_no, consent.agreed - said_no)
        return Members(self.folder, self.key, consent)

    def refuse(self, *author_ids: str) -> "Members":
        """They said no."""
        return Members(self.folder, self.key, self.consent.refuse(self.key, author_ids))

    def save(self) -> None:
        """Hold the workspace's lock. Raises WorkspaceError."""
        with room(self.folder):
            save_consent(self.folder / CONSENT, self.consent, self.key)


KEY, CONSENT = "key", "consent.json"


def open_members(workspace: Workspace) -> Members:
    """Makes the key if there is none. Raises PrivacyError or WorkspaceError."""
    folder = make_folder(workspace.people)
    with room(folder):
        key = open_key(folder / KEY)
    return Members(folder, key, load_consent(folder / CONSENT, key))
