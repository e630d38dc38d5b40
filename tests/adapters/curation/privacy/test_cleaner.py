"""A message as a model may learn it: everything together, in its order."""

import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.curation.privacy.cleaner import LONGEST, SOMEBODY, TOO_LONG, TextCleaner
from adapters.curation.privacy.consent import Consent
from adapters.curation.privacy.key import Key
from adapters.curation.privacy.people import CommunityPeople
from adapters.curation.privacy.toxicity import Level, ToxicityFilter
from adapters.curation.seams import Cleaner
from adapters.slurs import slurs
from tests.adapters.curation.privacy.chat import BANTER

KEY = Key(b"k" * 32)
PEOPLE = CommunityPeople(KEY, Consent().refuse(KEY, ["9"]))
CLEANER = TextCleaner(PEOPLE, ToxicityFilter(Level.SLURS))
NAMES = {
    "1": "Will",
    "2": "John Smith",
    "3": "xX_Slayer_Xx",
    "4": "[EU] Valentino 🔥",
    "5": "May",
    "6": "Ghost",
    "7": "Bo",
    "8": "Łukasz",
    "9": "Zizou",
    "jsonl:Big Bob": "Big Bob",
    "thread 7 id ab": "Anonymous",
}
SLUR = next(word for word in slurs() if len(word) > 5 and word.isascii() and word.isalpha())


def clean(text: str, names: Mapping[str, str] = NAMES) -> str:
    return CLEANER.clean(text, names).text


def person(author_id: str) -> str:
    return PEOPLE.name(author_id)


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("<@2> and <@!12345>, <@9>", f"@{person('2')} and @{person('12345')}, @{SOMEBODY}"),
        ("hi <@jsonl:Big Bob>!", f"hi @{person('jsonl:Big Bob')}!"),
        ("<@thread 7 id ab>: no", f"@{person('thread 7 id ab')}: no"),
        ("@everyone, @here and @HERE", "everyone, here and HERE"),
        ("<@&55> to <#123> and <id:customize>", "@role to #channel and #channel"),
        ("at <t:1700000000:R> or <t:-5>", "at [time] or [time]"),
        ("<a:kek:123456789012345678> <:pog:1> :joy:", ":kek: :pog: :joy:"),
        ("</play song:123>", "/play song"),
        ("<3 <@> i<3u <@hello there> 1 < 2", "<3 <@> i<3u <@hello there> 1 < 2"),
    ],
)
def test_discords_marks_become_what_people_see(text: str, instead: str) -> None:
    """As the bot shows them when it serves; no id is left, and nobody is pinged."""
    assert clean(text) == instead


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("see https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=5, ok", "see youtube.com, ok"),
        ("<https://foo.bar.co.uk/x?y=z>", "bar.co.uk"),
        ("https://user:secret1@example.com/", "[secret]"),
        ("http://john.smith.example.org:8080/~john#me", "example.org"),
        ("http://192.168.0.1:8080/admin http://localhost/x http://84.112.33.4", "[link] [link] [link]"),
        ("www.example.com/path?email=a@b.com", "example.com"),
        ("(https://tenor.com/view/cat-gif-123456789012345678)", "(tenor.com)"),
        ("https://example.com/" + "a" * 3000 + " end", "example.com end"),
        ("https://", "https://"),
        ("http://a\\b@evil.com/x", "[link]"),
        ("https://xn--mller-kva.de/x", "xn--mller-kva.de"),
    ],
)
def test_links_are_cut_down_to_the_site(text: str, instead: str) -> None:
    """Paths and queries name pictures, people and sessions."""
    assert clean(text) == instead


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("ask Will about it", f"ask {person('1')} about it"),
        ("Will you come? i will. GOOD WILL. Will I?", "Will you come? i will. GOOD WILL. Will I?"),
        ("In May we ride. maybe in may", "In May we ride. maybe in may"),
        ("@may hi, @Will", f"@{person('5')} hi, @{person('1')}"),
        ("a Ghost here, ghost of a chance", f"a {person('6')} here, ghost of a chance"),
        ("john smith! JOHN  SMITH? johnsmith", f"{person('2')}! {person('2')}? johnsmith"),
        ("john. JOHN's, Johnny", f"{person('2')}. {person('2')}'s, Johnny"),
        ("slayer is not xX_slayer_xX", f"slayer is not {person('3')}"),
        ("valentino, Valentino and EU", f"{person('4')}, {person('4')} and EU"),
        ("ＪＯＨＮ and 𝓳𝓸𝓱𝓷", f"{person('2')} and {person('2')}"),
        ("Jo\u200bhn", person("2")),
        ("łukasz", person("8")),
        ("big bob, Bob's big day", f"{person('jsonl:Big Bob')}, Bob's big day"),
        ("zizou left", f"{SOMEBODY} left"),
        ("anonymous says hi", "anonymous says hi"),
        ("@Bo, Bo and boo", f"@{person('7')}, Bo and boo"),
        ("will@may", "will@may"),
        ("mail john.smith@example.com", "mail [email]"),
    ],
)
def test_display_names_become_pseudonyms_where_they_name_somebody(text: str, instead: str) -> None:
    """Whole words in any case; ordinary words only behind an @ or by their capital in the middle of a sentence."""
    assert clean(text) == instead


@pytest.mark.parametrize("text", BANTER)
def test_banter_is_learnt_as_it_is(text: str) -> None:
    """Nothing removed, nothing refused, not a character changed, whoever is around."""
    cleaned = CLEANER.clean(text, NAMES)
    assert (cleaned.text, dict(cleaned.removed), cleaned.refused) == (text, {}, None)


def test_what_was_removed_is_counted_by_kind() -> None:
    """For the data card: numbers, and nothing of what they count."""
    text = "<@2>: a@b.com, a@b.com, discord.gg/abc, https://example.com/x, password: hunter22, ask Will"
    assert CLEANER.clean(text, NAMES).removed == {"mention": 1, "EMAIL_ADDRESS": 2, "invite": 1, "link": 1, "secret": 1, "name": 1}


def test_a_slur_is_refused_with_nothing_of_the_text() -> None:
    """However invisible characters take it apart."""
    for text in (SLUR, "\u200b".join(SLUR), "\u2060".join(f"well {SLUR}"), "\u00ad".join(SLUR.upper())):
        cleaned = CLEANER.clean(text, {})
        assert (cleaned.text, cleaned.refused) == ("", "slur")


class Watcher:
    """Says what it was shown."""

    def __init__(self) -> None:
        self.shown: list[int] = []

    def score(self, texts: object) -> list[float]:
        assert isinstance(texts, list)
        self.shown += map(len, texts)
        return [0.0] * len(texts)


def test_what_is_longer_than_a_message_is_not_looked_at() -> None:
    """Ten megabytes are refused before any pattern sees them; one character less than too long is cleaned."""
    watcher = Watcher()
    cleaner = TextCleaner(PEOPLE, ToxicityFilter(Level.STRICT, watcher))
    assert cleaner.clean("a" * 10_000_000, {}).refused == TOO_LONG
    assert cleaner.clean("b " * (LONGEST // 2) + "c", {}).refused == TOO_LONG
    assert watcher.shown == []
    assert cleaner.clean("b " * (LONGEST // 2), {}).refused is None
    assert watcher.shown == [LONGEST]


HOSTILE = (
    "a",
    "1 ",
    "1.",
    "(1",
    "+1 ",
    "a@",
    "<@",
    "<@a ",
    "http://",
    "a.",
    "A1",
    "sk-",
    "eyJ",
    "-----BEGIN PRIVATE KEY-----",
    "token:",
    "\u200d",
    "é\u200d",
    "e\u0301",
    " \n",
    "Aa ",
    "John ",
    "@John",
    "f.",
    "&#97;",
    ":",
    "AB12 ",
    "http://a.b",
    "aws key ",
    "calle A 1 ",
    "x at gmail ",
)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("piece", HOSTILE)
def test_no_message_takes_long(piece: str) -> None:
    """The longest message there may be, made to be hard: patterns that look back would take hours and not a second."""
    assert CLEANER.clean((piece * LONGEST)[: LONGEST - 2] + "@x", NAMES).refused in (None, "slur")


_PARTS = (
    "<@2>",
    "<@",
    ">",
    "John",
    "a@b.com",
    "https://x.de/",
    "\u200b",
    "\u200d",
    "😂",
    "\u0301",
    " ",
    "\n",
    "1",
    "+49",
    "@",
    "é",
    "\ud800",
)
_PINGS = re.compile(r"<[@#][!&]?\d+>|@(?:everyone|here)\b", re.IGNORECASE)
texts = st.text(st.characters(codec="utf-8"), max_size=200) | st.lists(st.sampled_from(_PARTS)).map("".join)


@settings(max_examples=300, deadline=None)
@given(texts)
def test_whatever_the_text_nobody_is_pinged_and_nothing_hides(text: str) -> None:
    """No error; no mention, nothing that calls everybody, no invisible character; and no mark that a second cleaning would resolve."""
    cleaned = CLEANER.clean(text, NAMES)
    assert not _PINGS.search(cleaned.text)
    hidden = {each for each in cleaned.text if unicodedata.category(each) in ("Cc", "Cf", "Co", "Cs")}
    assert hidden <= {"\n", "\u200c", "\u200d"}
    assert cleaned.refused is not None or clean(cleaned.text).count("@") == cleaned.text.count("@")


def test_writing_that_needs_joiners_keeps_them() -> None:
    """A family is one emoji, and Persian has its half spaces; a flag, a skin and an accent stay."""
    for text in ("👨‍👩‍👧 hi", "می‌خواهم", "🏳️‍🌈 👍🏽", "e\u0301te\u0301", "日本語"):
        assert clean(text) == text


def test_piled_up_marks_are_cut() -> None:
    """Three marks on a letter are enough for every language."""
    assert clean("Z" + "\u0301" * 50 + "a") == "Z\u0301\u0301\u0301a"


def test_it_is_a_cleaner() -> None:
    """As curation sees it, and with what the data card wants to know."""
    seam: Cleaner = CLEANER
    assert seam.clean("hi", {}).text == "hi"
    assert CLEANER.level == "slurs"


_ALONE = """
import sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        raise AssertionError(event)

sys.addaudithook(refuse)
from adapters.curation.privacy.cleaner import TextCleaner
from adapters.curation.privacy.consent import Consent
from adapters.curation.privacy.key import make_key
from adapters.curation.privacy.people import CommunityPeople
from adapters.curation.privacy.toxicity import Level, ToxicityFilter

cleaner = TextCleaner(CommunityPeople(make_key(), Consent()), ToxicityFilter(Level.STRICT))
cleaned = cleaner.clean("a@b.co.uk https://foo.bar.co.uk/x +49 151 23456789 password: hunter22", {})
assert cleaned.text == "[email] bar.co.uk [phone] [secret]", cleaned.text
assert not {"torch", "transformers", "peft", "bitsandbytes"} & set(sys.modules), "heavy packages were imported"
"""


def test_it_needs_no_network_and_no_torch_and_says_nothing(tmp_path: Path) -> None:
    """In a process of its own, where any connection is an error and the home is empty: nothing is fetched, stored, printed or logged."""
    root = Path(__file__).parents[4]
    environ = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-W", "error", "-c", _ALONE], cwd=root, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_nobody_pays_for_the_filters_who_does_not_clean() -> None:
    """Consent, pseudonyms and declarations come without Presidio, spaCy and scikit-learn."""
    code = (
        "import sys, adapters.curation.privacy.people, adapters.curation.privacy.provenance\n"
        "assert not {'presidio_analyzer', 'spacy', 'sklearn', 'detect_secrets'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[4], check=True)
