"""An adapter's life by commands, through a gateway and directly: the same words and the same JSON."""

import json
import re
from pathlib import Path

import pytest

from tests.adapters.cli.conftest import Troupe


def test_an_adapter_is_published_promoted_and_listed(troupe: Troupe) -> None:
    """The first version is nobody's live one until it is promoted."""
    result = troupe.run("publish", troupe.adapter(1), "--community", "zizou", "--by", "ravi")
    assert result.exit_code == 0, result.output
    assert re.fullmatch(
        r"zizou@1 is published: rank 2, 0\.\d kB, [0-9a-f]{12}\.\n`troupe promote zizou 1` makes it live\.\n", result.stdout
    )
    assert troupe.run("promote", "zizou", 1).stdout == "zizou@1 is live.\n"
    header, row = troupe.run("ls").stdout.splitlines()
    assert header.split() == ["community", "version", "aliases", "rank", "size", "published", "by", "digest"]
    assert row.split()[:4] == ["zizou", "1", "live", "2"]
    assert " just now   ravi  " in row
    assert troupe.run("adapters").stdout == troupe.run("ls").stdout


def test_publishing_can_promote_at_once(troupe: Troupe) -> None:
    """One command from a directory to live."""
    result = troupe.run("publish", troupe.adapter(1), "--community", "zizou", "--promote")
    assert result.stdout.endswith("zizou@1 is live.\n")
    assert troupe.json("show", "zizou")["aliases"] == {"live": {"version": 1, "share": 0.0}}


def test_the_same_bytes_keep_their_version(troupe: Troupe) -> None:
    """And the person is told that nothing new was stored."""
    first = troupe.publish(1)
    result = troupe.run("publish", troupe.adapter(1), "--community", "zizou")
    assert result.stdout.startswith("These bytes are published already, as zizou@1: ")
    assert troupe.publish(1) == first


def test_what_came_with_an_adapter_is_kept_and_shown(troupe: Troupe) -> None:
    """Who published it, its training manifest and its report card."""
    (troupe.folder / "card.json").write_text('{"fit": {"loss": 1.25}, "clean": true}')
    (troupe.folder / "training.json").write_text('{"steps": 300}')
    told = ("--by", "ravi", "--report-card", troupe.folder / "card.json", "--training", troupe.folder / "training.json")
    published = troupe.publish(1, *told)
    assert published["report_card"] == {"fit": {"loss": 1.25}, "clean": True}
    shown = troupe.run("show", "zizou", 1).stdout
    for line in ("by         ravi", "training\n  steps  300\n", "report card\n  fit.loss  1.25\n  clean     yes\n", published["digest"]):
        assert line in shown
    assert troupe.json("show", "zizou", 1) == {**published, "aliases": [], "share": None}


def test_a_canary_answers_a_share_until_it_is_taken_away(troupe: Troupe) -> None:
    """The share is a percentage, with or without its sign."""
    troupe.publish(1, "--promote")
    troupe.publish(2)
    assert troupe.run("canary", "zizou", 2, "--share", "10%").stdout == "zizou@2 is the canary and answers 10 % of the conversations.\n"
    assert "canary 10 %" in troupe.run("show", "zizou").stdout
    assert [(row["aliases"], row["share"]) for row in troupe.json("ls")] == [(["live"], None), (["canary"], 10.0)]
    moved = troupe.json("canary", "zizou", 2, "--share", 2.5)
    assert (moved["alias"], moved["version"], moved["share"], moved["adapter"]["version"]) == ("canary", 2, 2.5, 2)
    assert troupe.run("canary", "zizou", "--off").stdout == "zizou has no canary now.\n"
    assert list(troupe.json("show", "zizou")["aliases"]) == ["live"]


@pytest.mark.parametrize("arguments", [("2",), (), ("--share", "10"), ("2", "--share", "10", "--off"), ("2", "--off")])
def test_a_canary_needs_a_version_and_a_share_or_off(troupe: Troupe, arguments: tuple[str, ...]) -> None:
    """Anything else is wrong usage, and nothing is asked."""
    result = troupe.run("canary", "zizou", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "troupe canary" in result.stderr


@pytest.mark.parametrize("share", ["101", "-1", "nan", "much"])
def test_a_share_is_a_percentage(troupe: Troupe, share: str) -> None:
    """0 to 100 and a number."""
    assert troupe.run("canary", "zizou", "2", f"--share={share}").exit_code == 2


def test_a_rollback_goes_back_and_says_where_to(troupe: Troupe) -> None:
    """A second one has nothing to go back to and is exit code 1."""
    troupe.publish(1, "--promote")
    troupe.publish(2, "--promote")
    moved = troupe.json("rollback", "zizou")
    assert (moved["community"], moved["alias"], moved["version"]) == ("zizou", "live", 1)
    result = troupe.run("rollback", "zizou")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no earlier live version" in result.stderr


def test_a_diff_shows_only_what_differs(troupe: Troupe) -> None:
    """Numbers with how much they changed, cards figure by figure."""
    for number, loss in ((1, 1.5), (2, 1.25)):
        (troupe.folder / "card.json").write_text(json.dumps({"fit": {"loss": loss, "kl": 0.1}}))
        troupe.publish(number, "--report-card", troupe.folder / "card.json")
    lines = troupe.run("diff", "zizou", 1, 2).stdout.splitlines()
    assert lines[0].split() == ["field", "zizou@1", "zizou@2", "change"]
    assert ["report_card.fit.loss", "1.5", "1.25", "-0.25"] in [line.split() for line in lines]
    assert not any("kl" in line or "rank" in line for line in lines)
    said = troupe.json("diff", "zizou", 1, 2)
    assert (said["from"], said["to"]) == (1, 2)
    assert {"field": "report_card.fit.loss", "from": 1.5, "to": 1.25} in said["changes"]
    assert troupe.run("diff", "zizou", 1, 1).stdout == "zizou@1 and zizou@1 are the same.\n"


def test_a_retired_version_is_freed(troupe: Troupe) -> None:
    """A live one is not retired; the bytes of a retired one go with the next gc, which names them."""
    troupe.publish(1, "--promote")
    published = troupe.publish(2)
    assert troupe.run("retire", "zizou", 1).exit_code == 1
    assert troupe.run("gc").stdout == "Nothing to remove: all stored bytes are needed.\n"
    assert troupe.run("retire", "zizou", 2).stdout.startswith("zizou@2 is retired")
    assert [row.split()[2] for row in troupe.run("ls").stdout.splitlines()] == ["state", "published", "retired"]
    assert troupe.run("promote", "zizou", 2).exit_code == 1
    assert troupe.run("gc").stdout.startswith(f"Removed {published['digest'][7:19]} (zizou@2, 0.")
    assert troupe.json("gc") == {"removed": [], "uploads": 0}


def test_verify_finds_damaged_bytes(troupe: Troupe) -> None:
    """The verdict is clear, and the exit code too."""
    troupe.publish(1)
    published = troupe.publish(2)
    assert troupe.run("verify").stdout == "All is well: 2 versions checked, and every byte is the one that was published.\n"
    (stored,) = (troupe.settings.home / "registry" / "store").glob(f"**/{published['digest'][7:]}/*.safetensors")
    stored.chmod(0o644)
    stored.write_bytes(stored.read_bytes()[:-1] + b"\x7f")
    result = troupe.run("verify", "--json")
    assert result.exit_code == 1
    (damaged,) = json.loads(result.stdout)["damaged"]
    assert (damaged["community"], damaged["version"], damaged["digest"]) == ("zizou", 2, published["digest"])
    result = troupe.run("verify")
    assert result.exit_code == 1
    assert "2 versions checked, 1 of them damaged" in result.stdout


def test_an_empty_registry_says_what_to_do(troupe: Troupe) -> None:
    """Programs get an empty list."""
    assert "troupe publish" in troupe.run("ls").stdout
    assert troupe.json("ls") == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("show", "nobody"), 5),
        (("show", "zizou", 7), 5),
        (("promote", "zizou", 7), 5),
        (("promote", "Zizou", 1), 2),
        (("promote", "zizou", 1, "--alias", "../x"), 2),
        (("promote", "zizou", 1, "--alias", "canary"), 2),
        (("promote", "zizou", 0), 2),
        (("promote", "zizou", "one"), 2),
        (("diff", "zizou", 1, 7), 5),
        (("retire", "zizou", 7), 5),
        (("rollback", "nobody"), 5),
        (("canary", "nobody", "--off"), 5),
        (("publish", "nowhere", "--community", "zizou"), 1),
        (("publish", "nowhere", "--community", "base"), 2),
        (("publish", "nowhere"), 2),
    ],
)
def test_failures_are_one_sentence_and_a_code(troupe: Troupe, arguments: tuple[object, ...], code: int) -> None:
    """5 for what is not there, 2 for what cannot be a name, 1 for the rest; nothing on stdout, no traceback."""
    troupe.publish(1)
    result = troupe.run(*arguments, "--json")
    assert (result.exit_code, result.stdout) == (code, ""), result.output
    assert "Traceback" not in result.stderr
    assert result.stderr.rstrip().endswith((".", ".)", "taken by the base)."))


def test_an_adapter_that_is_refused_is_not_stored(troupe: Troupe) -> None:
    """The registry's own sentence is what the person reads."""
    directory = troupe.adapter(1, rank=32)
    result = troupe.run("publish", directory, "--community", "zizou")
    assert result.exit_code == 1
    assert "32" in result.stderr
    assert troupe.json("ls") == []


@pytest.mark.parametrize("name", ["README.md", "optimizer.pt"])
def test_a_directory_with_other_files_is_refused(troupe: Troupe, name: str) -> None:
    """Also where only the two files would be sent."""
    (troupe.adapter(1) / name).touch()
    result = troupe.run("publish", troupe.adapter(1), "--community", "zizou")
    assert result.exit_code == 1
    assert name in result.stderr


@pytest.mark.parametrize("text", ["[]", "{", "NaN", "[" * 100_000, '{"a": "' + "x" * (1 << 20) + '"}'])
def test_a_document_is_a_small_json_object(troupe: Troupe, text: str) -> None:
    """It is read before anything is sent."""
    card = troupe.folder / "card.json"
    card.write_text(text)
    result = troupe.run("publish", troupe.adapter(1), "--community", "zizou", "--report-card", card)
    assert result.exit_code == 1
    assert "card.json is not a JSON object" in result.stderr
    assert troupe.json("ls") == []


def test_a_document_that_is_not_there_is_named(troupe: Troupe, tmp_path: Path) -> None:
    """With what the system says of it."""
    result = troupe.run("publish", troupe.adapter(1), "--community", "zizou", "--training", tmp_path / "nowhere.json")
    assert (result.exit_code, "nowhere.json cannot be read: No such file" in result.stderr) == (1, True)
