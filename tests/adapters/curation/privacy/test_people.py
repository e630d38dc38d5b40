"""Pseudonyms, and the people of a community."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from adapters.curation.privacy.consent import Consent, Mode
from adapters.curation.privacy.identity import Network, qualified
from adapters.curation.privacy.key import Key
from adapters.curation.privacy.people import CommunityPeople
from adapters.curation.privacy.pseudonyms import Pseudonyms
from adapters.curation.seams import People
from adapters.pseudonyms import SYLLABLES
from adapters.slurs import slurs

KEY = Key(b"k" * 32)


def people(*taken: str, consent: Consent | None = None, key: Key = KEY) -> CommunityPeople:
    return CommunityPeople(key, consent or Consent(), taken)


def test_somebody_has_the_same_name_in_every_import() -> None:
    """Nothing is kept: the name comes from the key and the id, and with another key it is another one."""
    assert people().name("198622483471925248") == people().name("198622483471925248")
    assert people().name("198622483471925248") != people(key=Key(b"o" * 32)).name("198622483471925248")


def test_a_name_can_be_said() -> None:
    """One word of letters with a capital, not long, and no digit of the id in it."""
    for number in range(500):
        name = people().name(str(number))
        assert name.isascii()
        assert name.isalpha()
        assert name.istitle()
        assert 6 <= len(name) <= 12


def test_the_same_id_of_two_networks_has_two_names() -> None:
    """They are two people."""
    assert len({people().name(qualified(network, "123")) for network in Network}) == len(Network)


def test_nobody_shares_a_name() -> None:
    """Not among 20,000 members, of whom some would by chance."""
    everybody = people()
    names = Counter(everybody.name(str(number)) for number in range(20_000))
    assert max(names.values()) == 1


def test_who_would_share_a_name_gets_another_and_can_still_be_found() -> None:
    """Of two people of one name the one asked for later has the next of his possible ones, whichever of the two that is."""
    first = next(number for number in range(10**6) if _name(number)[0] == "B")
    name = _name(first)
    found = people(name)
    assert found.name(str(first)) == people().possible_names(str(first))[1]
    assert name in found.possible_names(str(first))


def _name(number: int) -> str:
    return next(Pseudonyms(KEY).names(str(number)))


@given(st.text(max_size=30))
def test_a_member_never_bears_anothers_display_name(author_id: str) -> None:
    """In whatever case the real name is written, and as a part of a longer one."""
    name = people().name(author_id)
    for taken in (name, name.upper(), f"Sir {name.lower()} the Third"):
        assert people(taken).name(author_id) != name


def test_no_slur_comes_out_of_the_syllables() -> None:
    """Every way in which a slur could lie in a name is tried: as syllables that begin anywhere and end anywhere."""
    bad = [word for word in slurs() if word.isascii() and word.isalpha()]
    pieces = [sorted({a + b + c for a in onsets for b in vowels for c in codas}) for onsets, vowels, codas in SYLLABLES]
    assert [word for word in bad if _comes_out(word, pieces)] == [], "a slur can come out of the syllables"


def _comes_out(word: str, pieces: list[list[str]]) -> bool:
    """Whether syllables can hold the word: `left` is what of it is still to come after each of them."""
    left: set[str] = set()
    for syllables in pieces:
        begun = {word} | left
        left = set()
        for piece in syllables:
            for rest in begun:
                for part in (piece[start:] for start in range(len(piece))) if rest == word else (piece,):
                    if part.startswith(rest):
                        return True
                    if rest.startswith(part):
                        left.add(rest[len(part) :])
    return False


def test_consent_decides_who_is_allowed() -> None:
    """As curation asks for it, through the seam."""
    seen: People = people(consent=Consent(Mode.OPT_IN).agree(KEY, ["1"]))
    assert seen.allowed("1")
    assert not seen.allowed("2")
    assert people(consent=Consent(Mode.OPT_IN)).mode == "opt-in"
