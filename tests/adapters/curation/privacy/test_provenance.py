"""What has to be declared of an import."""

import pytest

from adapters.curation.privacy.errors import BadProvenance
from adapters.curation.privacy.provenance import DECLARABLE, LONGEST_NOTE, POLICY_URL, declare
from adapters.sources.sniff import Kind

REFUSED = {
    ("own-messages", Kind.DISCORD),
    ("own-messages", Kind.IMAGEBOARD),
    ("public-archive", Kind.DISCORD),
    ("public-archive", Kind.PACKAGE),
    ("synthetic", Kind.PACKAGE),
}


@pytest.mark.parametrize("what", [None, "", "whatever", "own server consent", "OWN-MESSAGES"])
def test_nothing_is_imported_without_a_declaration_that_we_know(what: str | None) -> None:
    """The sentence names the ones there are."""
    with pytest.raises(BadProvenance) as caught:
        declare(what, Kind.JSONL)
    assert all(kind in str(caught.value) for kind in DECLARABLE)


@pytest.mark.parametrize("what", DECLARABLE)
@pytest.mark.parametrize("kind", list(Kind))
def test_what_the_source_contradicts_is_refused(what: str, kind: Kind) -> None:
    """And nothing else; the sentence says what to declare or import instead."""
    if (what, kind) in REFUSED:
        with pytest.raises(BadProvenance, match=r"declare|import your own"):
            declare(what, kind)
    else:
        made = declare(what, kind, "thread 7 of the wiki")
        assert made.to_json()["declaration"] == DECLARABLE[what].declaration
        assert made.note == "thread 7 of the wiki"


def test_a_public_discord_server_is_no_public_archive() -> None:
    """The refusal says which rule of Discord's stands against it, and where to read it."""
    with pytest.raises(BadProvenance, match="rule 21") as caught:
        declare("public-archive", Kind.DISCORD)
    assert POLICY_URL in str(caught.value)


@pytest.mark.parametrize("what", ["own-server-consent", "licensed"])
def test_consent_of_the_members_is_not_discords(what: str) -> None:
    """What came through Discord's API is imported with a warning that says so; a data package is not."""
    (warning,) = declare(what, Kind.DISCORD).warnings
    assert POLICY_URL in warning
    assert declare(what, Kind.PACKAGE).warnings == ()


def test_a_note_is_one_plain_line_and_not_a_book() -> None:
    """Control characters do not reach the card."""
    assert declare("synthetic", Kind.JSONL, "a\x1b[31m\n b\u202e").note == "a[31m b"
    with pytest.raises(BadProvenance, match="1000 at most"):
        declare("synthetic", Kind.JSONL, "x" * (LONGEST_NOTE + 1))


def test_every_declaration_is_a_sentence() -> None:
    """They are shown to people."""
    for declarable in DECLARABLE.values():
        assert declarable.declaration.endswith(".")
        assert all(each.endswith(".") for each in declarable.warned.values())
        assert not any(each.endswith(".") for each in declarable.refused.values())
