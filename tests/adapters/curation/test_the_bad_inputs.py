"""Bad input 30, by its number: one export that holds everything that must not be learnt."""

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.curation.curate import curate
from adapters.curation.privacy.cleaner import TextCleaner
from adapters.curation.privacy.consent import Consent
from adapters.curation.privacy.errors import BadProvenance
from adapters.curation.privacy.key import Key
from adapters.curation.privacy.people import CommunityPeople
from adapters.curation.privacy.provenance import declare
from adapters.curation.privacy.toxicity import Level, ToxicityFilter
from adapters.curation.recipe import CurationRecipe
from adapters.sources.sniff import Kind
from adapters.sources.source import open_source
from tests.adapters.sources.exports import message, reply, user, write

KEY = Key(b"k" * 32)
OPTED_OUT, DELETED = 31, 456226577798135808
DIRECT = {"id": "6", "type": "DirectTextChat", "name": "two people"}
LOVED = [{"emoji": {"id": "", "name": "x", "code": "x", "isAnimated": False}, "count": 5}]
PLANTED = "my password is: hunter22"
SECRET = "ghp_" + "a1B2c3D4e5F6" * 3


def at(number: int) -> str:
    return f"2026-01-{1 + number // 1440 % 28:02}T{number // 60 % 24:02}:{number % 60:02}:00+00:00"


def exchange(number: int, text: str, *, author: int, name: str = "", **changes: Any) -> list[dict[str, Any]]:
    """A question, and what everybody loved as its answer."""
    asked = message(number, timestamp=at(number), content=f"question {number}?", author=user(1 + number % 7))
    answer = {"timestamp": at(number + 1), "content": text, "author": user(author, name), "reactions": LOVED, **changes}
    return [asked, reply(number + 1, number, **answer)]


def export(folder: Path) -> Path:
    """Two hundred good exchanges, with everything else between them and beside them."""
    talk = [each for number in range(100, 500, 2) for each in exchange(number, f"answer {number} of its kind", author=11 + number % 13)]
    for place, text in enumerate((f"{PLANTED} and {SECRET}", "@everyone come here now", "the file is " + "x" * 10_000_000)):
        talk += exchange(600 + 2 * place, text, author=12)
    talk += [each for number in range(700, 20_700, 2) for each in exchange(number, "one line ten thousand times", author=13 + number % 5)]
    talk += exchange(30_000, "words of somebody who left", author=DELETED, name="Deleted User")
    talk += exchange(30_002, "words of somebody who said no", author=OPTED_OUT)
    talk += exchange(30_004, "words of nobody", author=14)
    talk[-1]["author"]["id"] = "../../forged"
    write(folder / "public.json", *talk)
    private = [each for number in range(40_000, 40_100, 2) for each in exchange(number, f"between us {number}", author=15)]
    write(folder / "direct.json", *private, channel=DIRECT)
    (folder / "page.json").write_text("<!DOCTYPE html><html>the same as a page</html>")
    (folder / "table.json").write_text("AuthorID,Author,Date,Content,Attachments,Reactions\n1,ann,2026,hi,,\n")
    return folder


def test_30_an_export_that_holds_everything(tmp_path: Path) -> None:
    """What may not be learnt is left out or taken out, and counted with its reason; without provenance nothing is imported at all."""
    people = CommunityPeople(KEY, Consent().refuse(KEY, [str(OPTED_OUT)]))
    with open_source(export(tmp_path)).read() as reading:
        read = reading.report.dropped
        recipe = CurationRecipe(author_share=1.0)
        dataset = curate(reading, recipe, people, TextCleaner(people, ToxicityFilter(Level.SLURS)), community="v", provenance=[])
    assert read["longer than any chat message"] == 1
    assert read["author id that Discord never gives"] == 1
    assert (read["file that is HTML"], read["file that is CSV"]) == (1, 1)
    dropped = dataset.card["dropped"]
    assert dropped["private message"] == 100
    assert dropped["author did not agree"] == 1
    assert dropped["nearly the same as another"] >= 9_990
    examples = (*dataset.train, *dataset.held_out)
    learnt = json.dumps([[each.target, [turn.text for turn in each.turns], each.people] for each in examples], ensure_ascii=False)
    for gone in ("between us", "said no", "of nobody", "hunter22", SECRET, "@everyone", "xxxxxxxx", "same as a page", "Deleted User"):
        assert gone not in learnt, gone
    assert len([each for each in examples if "ten thousand times" in each.target]) <= 3
    assert len(examples) > 150
    for undeclared in (None, "", "found on the net"):
        with pytest.raises(BadProvenance):
            declare(undeclared, Kind.DISCORD)
