"""Personal data becomes placeholders; banter stays."""

from itertools import pairwise

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.curation.privacy.errors import MissingModel
from adapters.curation.privacy.pii import PLACEHOLDERS, PiiFinder
from adapters.curation.privacy.plain_text import one_width
from adapters.curation.privacy.spans import Span, merged, replaced
from tests.adapters.curation.privacy.chat import BANTER


@pytest.fixture(scope="module")
def finder() -> PiiFinder:
    return PiiFinder()


def cleaned(finder: PiiFinder, text: str) -> str:
    return replaced(text, finder.find(text))[0]


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("mail john.doe+x@gmail.com pls", "mail [email] pls"),
        ("a@b.co.uk,c_d@example.org;", "[email],[email];"),
        ("ｊｏｈｎ＠ｇｍａｉｌ．ｃｏｍ", "[email]"),
        ("john at gmail dot com or john [at] gmail.com", "[email] or [email]"),
        ("jürgen@müller.de hi", "[email] hi"),
        ("call +49 151 23456789 now", "call [phone] now"),
        ("call +1-415-555-2671", "call [phone]"),
        ("0049 151 23456789", "[phone]"),
        ("(415) 555-2671 or 415-555-2671", "[phone] or [phone]"),
        ("+44 20 7946 0958", "[phone]"),
        ("06 12 34 56 78", "[phone]"),
        ("my number is 867-5309", "my number is [phone]"),
        ("whatsapp: 5551234567", "whatsapp: [phone]"),
        ("٠٦ ١٢ ٣٤ ٥٦ ٧٨", "[phone]"),
        ("4111 1111 1111 1111 exp 12/27", "[card] exp 12/27"),
        ("DE89 3704 0044 0532 0130 00", "[account]"),
        ("GB82WEST12345698765432", "[account]"),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "[wallet]"),
        ("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "[wallet]"),
        ("0x52908400098527886E0F7030069857D2E4169EE7", "[wallet]"),
        ("i am 84.112.33.4 lol", "i am [address] lol"),
        ("2a02:8108:abc::1", "[address]"),
        ("00:1A:2B:3C:4D:5E", "[address]"),
        ("219-09-9999", "[number]"),
        ("12345678Z", "[number]"),
        ("RSSMRA85T10A562S", "[number]"),
        ("131052-308T", "[number]"),
        ("123456789012345678", "[number]"),
        ("come to 221B Baker Street tonight", "come to [address] tonight"),
        ("Hauptstraße 12 in Berlin", "[address] in Berlin"),
        ("12 rue de la Paix", "[address]"),
        ("Calle de Alcalá, 48", "[address]"),
        ("52.52000, 13.40495", "[place]"),
    ],
)
def test_data_of_people_becomes_a_placeholder(finder: PiiFinder, text: str, instead: str) -> None:
    """And what stands around it stays as it was."""
    assert cleaned(finder, text) == instead


@pytest.mark.parametrize("text", BANTER)
def test_banter_stays(finder: PiiFinder, text: str) -> None:
    """Scores, dates, versions, prices, counting, emoji and shouting are nobody's data."""
    assert cleaned(finder, text) == text


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=20), st.text(alphabet=" .,;:!?\n\"'()", min_size=1, max_size=3), st.text(max_size=20))
def test_an_address_is_found_wherever_it_stands(before: str, gap: str, after: str) -> None:
    """Whatever is before and behind it, if it is apart."""
    assert "zz.example" not in cleaned(_FINDER, f"{before}{gap} zz.example@gmail.com {gap}{after}")


_FINDER = PiiFinder()


def test_addresses_in_a_crowd_are_all_found(finder: PiiFinder) -> None:
    """More than one window of the text: none is cut in half between two."""
    text = " ".join(f"name{number}@example.com" for number in range(300))
    assert set(cleaned(finder, text).split()) == {"[email]"}


def test_a_model_that_is_not_installed_is_a_sentence_and_no_download() -> None:
    """Its name is repeated, shortened, with what to do."""
    with pytest.raises(MissingModel, match=r"en_core_web_nothing.*install it"):
        PiiFinder("en_core_web_nothing" + "x" * 500)


def test_a_model_of_ones_own_names_people_and_places(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any spaCy pipeline can be named, also a folder; here one that knows a person and a town by heart."""
    path = tmp_path_factory.mktemp("model") / "model"
    write_model(str(path))
    assert cleaned(PiiFinder(str(path)), "Jane Roe lives in Springfield") == "somebody lives in [place]"


def write_model(path: str) -> None:
    language = spacy.blank("en")
    ruler = language.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PERSON", "pattern": "Jane Roe"}, {"label": "GPE", "pattern": "Springfield"}])  # type: ignore[attr-defined]
    language.to_disk(path)


def test_placeholders_are_words_that_a_model_may_say() -> None:
    """None can be taken for data."""
    for placeholder in PLACEHOLDERS.values():
        assert placeholder.strip("[]").isalpha()


spans = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)).map(lambda each: Span(each[0], each[0] + each[1], "k", "#")), max_size=8)


@given(spans, st.text(min_size=41, max_size=50))
def test_all_that_any_span_covers_is_gone(found: list[Span], text: str) -> None:
    """Overlapping spans go as one, and nothing else is touched."""
    covered = {place for span in found for place in range(span.start, span.end)}
    done = merged(found)
    assert {place for span in done for place in range(span.start, span.end)} == covered
    assert all(before.end <= after.start for before, after in pairwise(done))
    shown, counts = replaced(text, found)
    assert sum(counts.values()) == len(done)
    assert len(shown) == len(text) - len(covered) + len(done)


@given(st.text())
def test_plain_characters_stand_in_their_places(text: str) -> None:
    """So that what is found in the one can be cut out of the other."""
    assert len(one_width(text)) == len(text)
