"""Who may be learnt from."""

import json
import stat
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.curation.privacy.consent import Consent, Mode, load_consent, read_list, save_consent
from adapters.curation.privacy.errors import BadList, BrokenPeople
from adapters.curation.privacy.identity import Network, identity, network_of, one_spelling, qualified, written_id
from adapters.curation.privacy.key import Key
from adapters.sources.jsonl import read_jsonl
from adapters.sources.record import Record
from adapters.sources.report import Tally
from adapters.sources.sniff import Kind

KEY = Key(b"k" * 32)
OTHER_KEY = Key(b"o" * 32)


def test_without_a_list_everybody_counts_or_nobody() -> None:
    """The default is opt-out; with opt-in nobody is in until they say so."""
    assert Consent().allowed(KEY, "1")
    assert not Consent(Mode.OPT_IN).allowed(KEY, "1")


@pytest.mark.parametrize("mode", list(Mode))
def test_a_no_wins_in_every_mode_and_can_be_taken_back(mode: Mode) -> None:
    """Whoever refuses after agreeing is out, and in again only after agreeing anew."""
    agreed = Consent(mode).agree(KEY, ["1"])
    assert agreed.allowed(KEY, "1")
    refused = agreed.refuse(KEY, ["1"])
    assert not refused.allowed(KEY, "1")
    assert not refused.in_mode(Mode.OPT_IN).allowed(KEY, "1")
    assert refused.agree(KEY, ["1"]).allowed(KEY, "1")


def test_the_same_id_of_two_networks_is_two_people() -> None:
    """A JSONL author who calls himself by a member's Discord id gets nothing by it."""
    consent = Consent(Mode.OPT_IN).agree(KEY, ["123"])
    assert consent.allowed(KEY, qualified(Network.DISCORD, "123"))
    assert not consent.allowed(KEY, qualified(Network.JSONL, "123"))
    assert not consent.allowed(KEY, qualified(Network.IMAGEBOARD, "123"))
    assert identity(qualified(Network.JSONL, "jsonl:1")) == (Network.JSONL, "jsonl:1")


def test_an_export_and_a_data_package_hold_the_same_people() -> None:
    """Both are Discord's; every kind of source has a network."""
    assert network_of(Kind.DISCORD) is network_of(Kind.PACKAGE) is Network.DISCORD
    assert {network_of(kind) for kind in Kind} == set(Network)


def test_the_file_names_nobody(tmp_path: Path) -> None:
    """Neither ids nor names stand in it, and only the owner may read it."""
    path = tmp_path / "people" / "consent.json"
    consent = Consent().refuse(KEY, ["198622483471925248", "jsonl:alice"]).agree(KEY, ["198622483471925249"])
    save_consent(path, consent, KEY)
    text = path.read_text()
    assert "1986224834" not in text
    assert "alice" not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_consent(path, KEY) == consent
    assert [each.name for each in path.parent.iterdir()] == ["consent.json"]


def test_no_file_is_no_list(tmp_path: Path) -> None:
    """A community that never gave a list has the default."""
    assert load_consent(tmp_path / "consent.json", KEY) == Consent()


def test_lists_of_another_key_are_refused(tmp_path: Path) -> None:
    """With a new key every no would silently become a yes."""
    path = tmp_path / "consent.json"
    save_consent(path, Consent().refuse(KEY, ["1"]), KEY)
    with pytest.raises(BrokenPeople, match="another key"):
        load_consent(path, OTHER_KEY)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"[" * 100_000,
        json.dumps({"schema": 1}).encode(),
        json.dumps({"schema": 1, "key": "", "mode": "maybe", "out": [], "agreed": []}).encode(),
        json.dumps({"schema": 1, "key": "", "mode": "opt-in", "out": ["123"], "agreed": []}).encode(),
        json.dumps({"schema": 1, "key": "", "mode": "opt-in", "out": 1, "agreed": []}).encode(),
        json.dumps({"schema": 1, "key": "", "mode": "opt-in", "out": [{}], "agreed": []}).encode(),
    ],
)
def test_a_damaged_file_is_never_taken_for_everybodys_yes(tmp_path: Path, damage: bytes) -> None:
    """It is refused with a sentence."""
    path = tmp_path / "consent.json"
    path.write_bytes(damage)
    with pytest.raises(BrokenPeople, match=r"damaged|another key"):
        load_consent(path, KEY)


def test_a_list_may_hold_comments_blanks_and_mentions(tmp_path: Path) -> None:
    """What a person would write: a byte order mark, notes, pasted mentions, zeros in front, somebody twice."""
    path = tmp_path / "out.txt"
    path.write_text("\ufeff# said no\n\n198622483471925248 # Alice\n<@198622483471925249>\r\n<@!5>\n 007 \n198622483471925248\n", "utf-8")
    assert read_list(path, Network.DISCORD) == ("198622483471925248", "198622483471925249", "5", "7")


def test_a_list_of_names_is_spelt_as_the_source_spells_them(tmp_path: Path) -> None:
    """Invisible characters and double blanks hide nobody; a # inside a name is part of it."""
    path = tmp_path / "out.txt"
    path.write_text("Al\u200bice\nBig   Bob\nC#\n", "utf-8")
    assert read_list(path, Network.JSONL) == ("jsonl:Alice", "jsonl:Big Bob", "jsonl:C#")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"123\nalice\n", "Line 2"),
        (b"123,alice\n", "Line 1"),
        (b"12345678901234567890\n", "Line 1"),
        ("１２３\n".encode(), "Line 1"),
        (b"-5\n", "Line 1"),
        (b"0\n", "Line 1"),
        (b"\xff\xfe1\x002\x00", "not UTF-8"),
        (b"1\n" * (9 * 1024 * 1024), "larger than 16 MiB"),
    ],
)
def test_a_list_with_anything_that_is_no_id_is_refused_whole(tmp_path: Path, content: bytes, sentence: str) -> None:
    """A no that was not understood must not be passed over; the sentence says the line, and not what stands in it."""
    path = tmp_path / "out.txt"
    path.write_bytes(content)
    with pytest.raises(BadList, match=sentence) as caught:
        read_list(path, Network.DISCORD)
    assert "alice" not in str(caught.value)


def test_a_list_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A mistyped path must not mean that nobody refused."""
    with pytest.raises(BadList, match="cannot be read"):
        read_list(tmp_path / "nothing.txt", Network.DISCORD)
    with pytest.raises(BadList, match="cannot be read"):
        read_list(tmp_path, Network.DISCORD)


@given(st.text(min_size=1, max_size=120))
def test_names_are_spelt_as_the_jsonl_source_spells_them(name: str) -> None:
    """Whatever somebody is called, the list finds the author id that the source made of it."""
    line = json.dumps({"author": name, "text": "hi"}).encode()
    read = [each.message.author_id for each in read_jsonl("x", BytesIO(line), Tally()) if isinstance(each, Record)]
    assert read in ([], [one_spelling(name)])


@given(st.text(max_size=40))
def test_no_text_breaks_the_reading_of_an_id(text: str) -> None:
    """What is no id is None, in every network."""
    found = written_id(Network.DISCORD, text)
    assert found is None or (found.isascii() and found.isdigit())
    assert written_id(Network.IMAGEBOARD, text) != ""
