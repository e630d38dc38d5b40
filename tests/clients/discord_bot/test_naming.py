"""What people are called by the model and by each other."""

import os
from pathlib import Path

from adapters.curation.privacy.consent import Consent
from adapters.curation.privacy.identity import Network, qualified
from adapters.curation.privacy.key import open_key
from adapters.curation.privacy.people import CommunityPeople
from clients.discord_bot.context import Hidden, prompt
from clients.discord_bot.heard import Heard
from clients.discord_bot.naming import Cast, NamesKeys, invented
from tests.adapters.curation.privacy.test_people import people

ALICE, BOB = 198622483471925248, 198622483471925249
SECRET = b"k" * 32


def test_the_bot_calls_people_what_datasets_call_them() -> None:
    """The same secret, the same person, the same name."""
    assert invented(SECRET)(ALICE) == people().name(str(ALICE))


def test_the_secret_is_read_where_the_factory_keeps_it(tmp_path: Path) -> None:
    """And nothing is made where there is none, nor read outside of the folder."""
    keys = NamesKeys(tmp_path)
    assert keys.of("zizou") is None
    assert list(tmp_path.iterdir()) == []
    key = open_key(tmp_path / "zizou" / "people" / "key")
    found = keys.of("zizou")
    assert found is not None
    assert found(ALICE) == CommunityPeople(key, Consent()).name(qualified(Network.DISCORD, str(ALICE)))
    assert keys.of("../zizou") is None
    os.truncate(tmp_path / "zizou" / "people" / "key", 5)
    assert keys.of("zizou") is None


def test_the_model_reads_invented_names_and_people_read_their_own() -> None:
    """Speakers, mentions and names in running text; back again in the answer, in any case."""
    cast = Cast({ALICE: "Alice", BOB: "Bob the Builder"}, invented=invented(SECRET))
    alice, bob = cast.called(ALICE, ""), cast.called(BOB, "")
    assert cast.told("@Alice ask Bob the Builder. alicerc, @alice") == f"@{alice} ask {bob}. alicerc, @alice"
    assert cast.shown(f"no, {alice.lower()} and @{bob}! {alice}x") == f"no, Alice and @Bob the Builder! {alice}x"


def test_a_letter_of_another_alphabet_is_no_reason_to_fail() -> None:
    """Turkish has an i without a dot, which is an i to some and not to others: what is nobody's name stays as it is."""
    assert Cast({ALICE: "Alice"}, invented=lambda _: "Milo").shown("Mılo, Milo, mİlo") == "Mılo, Alice, mİlo"


def test_ordinary_words_are_not_taken_for_people() -> None:
    """A member who is called so is meant behind an @ only."""
    cast = Cast({ALICE: "will", BOB: "Al"}, invented=invented(SECRET))
    assert cast.told("it will be Al dente") == "it will be Al dente"
    assert cast.told("@will") == f"@{cast.called(ALICE, '')}"


def test_who_opted_out_is_somebody() -> None:
    """Whatever others call them, and whether or not names are invented."""
    for naming in (None, invented(SECRET)):
        assert Cast({BOB: "Bob"}, out={BOB}, invented=naming).told("@Bob said, Bob said") == "@somebody said, somebody said"


def test_without_a_secret_people_are_called_what_they_are() -> None:
    """Nothing is changed in either direction."""
    cast = Cast({ALICE: "Alice"})
    assert (cast.called(ALICE, "x"), cast.told("Alice"), cast.shown("Alice"), cast.called(5, "Eve")) == ("Alice", "Alice", "Alice", "Eve")


def test_a_prompt_holds_the_names_of_the_training() -> None:
    """In what others said of each other, too; the bot's own words are told back into them."""
    asked = Heard(9, 1, "Alice", "and @Bob?", author_id=ALICE, mentions={BOB: "Bob"})
    mine = Heard(8, 1, "zizou", "ask Bob", is_self=True)
    asks = prompt(asked, [], [mine, Heard(7, 1, "Bob", "Alice knows", author_id=BOB)], my_name="zizou", invented=invented(SECRET))
    alice, bob = invented(SECRET)(ALICE), invented(SECRET)(BOB)
    assert asks.messages == [
        {"role": "user", "content": f"{bob}: {alice} knows"},
        {"role": "assistant", "content": f"ask {bob}"},
        {"role": "user", "content": f"{alice}: and @{bob}?"},
    ]
    assert asks.people == {ALICE, BOB}
    hidden = prompt(asked, [], [mine], my_name="zizou", hidden=Hidden(frozenset({BOB})), invented=invented(SECRET))
    assert hidden.messages == [{"role": "user", "content": f"{alice}: and @somebody?"}]


def test_a_digest_belongs_to_what_is_sent() -> None:
    """64 hex digits; another word, another digest."""
    one, other = (prompt(Heard(9, 1, "Alice", text, author_id=ALICE), [], [], my_name="z").digest for text in ("a", "b"))
    assert len(one) == len(other) == 64
    assert one != other
