"""A key as people paste it, and everything that only looks like one."""

import re
import string

from hypothesis import given
from hypothesis import strategies as st

from server.accounts.key_text import KEY_ID, MAX_LENGTH, hash_key, make_key, parse_key

PEPPER = b"p" * 32
IDS = st.text(string.digits + string.ascii_lowercase, min_size=8, max_size=16)
SECRETS = st.text(string.digits + string.ascii_letters + "-_", min_size=27, max_size=86)


def test_a_new_key_reads_back() -> None:
    """Its id is what lists show; its secret has 190 bits and no character at which a double click would stop."""
    made = [make_key() for _ in range(200)]
    assert all(parse_key(key.text) == key.id for key in made)
    assert all(re.fullmatch(r"tr_[0-9a-z]{12}_[0-9A-Za-z]{32}", key.text) for key in made)
    assert len({key.id for key in made}) == len({key.text for key in made}) == 200


def test_a_new_key_in_a_log_is_its_id() -> None:
    """Also inside of other things that are shown."""
    key = make_key()
    assert key.text not in repr([key])


@given(IDS, SECRETS)
def test_the_id_ends_at_the_second_underscore(key_id: str, secret: str) -> None:
    """Also where the secret has underscores, as those of keys from before have."""
    assert parse_key(f"tr_{key_id}_{secret}") == key_id


@given(st.one_of(st.text(), st.from_regex(r"tr_[^_]{0,20}_.{0,100}"), st.builds(lambda a, b: f"tr_{a}_{b}", st.text(), SECRETS)))
def test_what_is_no_key_has_no_id(text: str) -> None:
    """Whatever is found as an id is one, and stands in the text where an id stands."""
    key_id = parse_key(text)
    if key_id is not None:
        assert KEY_ID.fullmatch(key_id)
        assert text.startswith(f"tr_{key_id}_")
        assert text.isascii()
        assert text.isprintable()


@given(IDS, SECRETS, st.sampled_from(["\n", "\0", " ", "\u202e", "\r\n", "'", "é", "\U0001f511"]), st.integers(0, 120))
def test_one_foreign_character_anywhere_spoils_a_key(key_id: str, secret: str, foreign: str, at: int) -> None:
    """At its end too, where `$` would let a newline pass."""
    text = f"tr_{key_id}_{secret}"
    assert parse_key(text[:at] + foreign + text[at:]) is None


def test_nothing_long_is_looked_at() -> None:
    """A megabyte is refused by its length."""
    assert parse_key("tr_" + "a" * 12 + "_" + "b" * (1 << 20)) is None
    assert parse_key("x" * (MAX_LENGTH + 1)) is None


def test_a_hash_depends_on_pepper_id_and_secret() -> None:
    """So it is worth nothing elsewhere, nor in another row; and every text has one, also one that is no text."""
    text = "tr_aaaaaaaa_" + "b" * 32
    hashes = {
        hash_key(pepper, key) for pepper in (PEPPER, b"q" * 32) for key in (text, text.replace("aaaaaaaa", "aaaaaaab"), text[:-1], "\ud800")
    }
    assert len(hashes) == 8
    assert {len(digest) for digest in hashes} == {32}
