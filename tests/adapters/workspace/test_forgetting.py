"""Somebody is forgotten: nothing of them is left in any file, adapters that learnt from them are found, and a kill changes nothing."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.curation.dataset import Dataset, Example, read_dataset
from adapters.curation.privacy.consent import digest
from adapters.sources.source import open_source
from adapters.workspace.forgetting import Forgetting
from adapters.workspace.imports import Wish
from adapters.workspace.people import open_members
from adapters.workspace.retraining import add_waiting, remove_waiting, waiting
from adapters.workspace.rewriting import involves, without
from adapters.workspace.workspace import Workspace
from tests.adapters.workspace.exports import START, SYNTHETIC, dataset, example, import_into, line, write_export

GONE = str(10**17 + 2)


def page(card: Mapping[str, Any]) -> str:
    return "<html>"


class Killed(BaseException):
    """As a process that is gone."""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Two imports and two datasets with the person who wants to be forgotten, and one dataset without."""
    workspace = Workspace.open(tmp_path / "home", "zizou")
    for at in (0, 100):
        written = [
            line(at + 1, 1, f"hello <@{GONE}> and <@!{GONE}>", mentions=[2], reactors=[2, 3]),
            line(at + 2, 2, f"words of mine {at}"),
            line(at + 3, 3, "something else", reactors=[2]),
        ]
        import_into(workspace, write_export(tmp_path / f"{at}.json", written))
    name = pseudonym(workspace)
    with workspace.locked():
        for at, people in enumerate(([name], ["Somebody", name], ["Somebody"])):
            train = [example(10 * at + 1, "Ann"), example(10 * at + 2, "Bob", people)]
            held_out = [example(10 * at + 3, people[-1])]
            workspace.new_dataset(dataset(train, held_out, made_at=f"2026-01-0{at + 1}T00:00:00+00:00"), "<html>", inputs=str(at))
    return workspace


def pseudonym(workspace: Workspace) -> str:
    return open_members(workspace).learnable(workspace.imports()).name(GONE)


def forget(workspace: Workspace) -> dict[str, Any]:
    forgetting = Forgetting(workspace, GONE)
    with workspace.locked():
        proof = forgetting.begin()
        forgetting.remove(proof, forgetting.find(), page)
        proof.finish(forgetting.scan())
    return proof.content


def held_bytes(workspace: Workspace) -> bytes:
    return b"".join(path.read_bytes() for path in workspace.folder.rglob("*") if path.is_file())


def test_nothing_is_left_in_any_file(workspace: Workspace) -> None:
    """Neither an id nor a word: not in SQLite's free pages, not in what datasets were before; others' messages stay."""
    assert GONE.encode() in held_bytes(workspace)
    name = pseudonym(workspace)
    forget(workspace)
    left = held_bytes(workspace)
    assert GONE.encode() not in left
    assert b"words of mine" not in left
    ledger = workspace.people / "learnt"
    naming = [path for path in workspace.folder.rglob("*") if path.is_file() and name.encode() in path.read_bytes()]
    assert all(path.parent == ledger for path in naming)  # which says of adapters what they learnt from
    with workspace.messages() as messages:
        texts = [message.text for message in messages]
        reactions = [[reaction.count for reaction in message.reactions] for message in messages]
    assert texts == ["hello @someone and @someone", "something else"] * 2
    assert reactions == [[1], [], [1], []]


def test_the_proof_counts_before_and_after(workspace: Workspace) -> None:
    """With the digests of every file that changed, and the person as a keyed digest only."""
    proof = forget(workspace)
    assert proof["before"] == {"messages": 2, "mentions": 2, "reactions": 4, "examples": 4, "answers": 0}
    assert proof["after"] == {"messages": 0, "mentions": 0, "reactions": 0, "examples": 0, "answers": 0}
    assert proof["person"] == digest(open_members(workspace).key, GONE)
    assert all(each["before"] != each["after"] for each in proof["files"])
    assert len([each for each in proof["files"] if each["path"].endswith("messages.db") and each["after"]]) == 2
    (path,) = (workspace.folder / "forgotten").glob("*.json")
    assert json.loads(path.read_text()) == proof
    assert proof["person"][:12] in path.name


def test_datasets_are_rewritten_under_a_new_hash(workspace: Workspace) -> None:
    """The card says from which and why; one that never had the person stays as it was; one of which nothing is left is gone."""
    before = workspace.datasets()
    proof = forget(workspace)
    after = workspace.datasets()
    assert before[2] in after
    assert not before[0].exists()
    assert [bool(each["became"]) for each in proof["datasets"]] == [True, True]
    for folder in set(after) - {before[2]}:
        rewritten = read_dataset(folder)
        (origin,) = rewritten.card["derived_from"]
        assert origin["hash"] in {each["hash"] for each in proof["datasets"]}
        assert "forgotten" in origin["why"]
        assert rewritten.card["warnings"]
        assert rewritten.card["counts"]["train"] == len(rewritten.train) == 1


def test_it_is_found_at_once_what_learnt_from_them(workspace: Workspace) -> None:
    """Also later, when the dataset is gone: versions that were trained on it are still there."""
    run = workspace.new_run("one")
    first = read_dataset(workspace.datasets()[0])
    run.plan(first.content_hash)
    other = workspace.new_run("two")
    other.plan(read_dataset(workspace.datasets()[2]).content_hash)
    found = Forgetting(workspace, GONE).find()
    assert found.runs == (run,)
    assert sum(found.messages.values()) == 2
    assert first.content_hash in found.hashes
    assert len(found.datasets) == len(found.hashes) == 2
    forget(workspace)
    assert (run.is_forgotten, other.is_forgotten) == (True, False)
    again = Forgetting(workspace, GONE).find()
    assert (again.hashes, again.datasets) == (found.hashes, ())


def test_a_later_import_leaves_them_out(workspace: Workspace, tmp_path: Path) -> None:
    """They are on the opt-out list from then on, whoever imports what."""
    forget(workspace)
    path = write_export(tmp_path / "later.json", [line(500, 2, "me again"), line(501, 1, f"<@{GONE}>!", mentions=[2])])
    with workspace.locked():
        workspace.add_import(open_source(path), Wish(SYNTHETIC, keep=open_members(workspace).may_stay))
    assert GONE.encode() not in held_bytes(workspace)
    assert b"me again" not in held_bytes(workspace)


@pytest.mark.parametrize("kill_after", range(4))
def test_a_killed_forgetting_is_finished_by_the_next(workspace: Workspace, kill_after: int) -> None:
    """Wherever it was: the same proof is taken up, and says what there was before the first attempt."""
    left = kill_after

    def deadly(card: Mapping[str, Any]) -> str:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1
        return "<html>"

    forgetting = Forgetting(workspace, GONE)

    def attempt() -> None:
        with workspace.locked():
            forgetting.remove(forgetting.begin(), forgetting.find(), deadly)
            raise Killed

    with pytest.raises(Killed):
        attempt()
    proof = forget(workspace)
    assert proof["before"] == {"messages": 2, "mentions": 2, "reactions": 4, "examples": 4, "answers": 0}
    assert not any(proof["after"].values())
    assert GONE.encode() not in held_bytes(workspace)
    assert len(list((workspace.folder / "forgotten").iterdir())) == 1


def test_forgetting_twice_is_one_proof(workspace: Workspace) -> None:
    """Where nothing came since, the first one stays as it is."""
    first = forget(workspace)
    assert forget(workspace) == first


def test_somebody_who_was_never_there_can_be_kept_out(tmp_path: Path) -> None:
    """Before anything is imported: the list is there for what comes."""
    workspace = Workspace.open(tmp_path, "zizou")
    proof = forget(workspace)
    assert not any(proof["before"].values())
    assert not open_members(workspace).may_stay(GONE)


def test_versions_wait_once(tmp_path: Path) -> None:
    """And no more when they are replaced."""
    for version in (3, 3, 5):
        add_waiting(tmp_path, version, "proof.json")
    assert [each.version for each in waiting(tmp_path)] == [3, 5]
    remove_waiting(tmp_path, 3)
    remove_waiting(tmp_path, 4)
    assert [each.version for each in waiting(tmp_path)] == [5]


NAMES = st.sampled_from(["Ann", "Bob", "Cid", "Dee"])


@given(st.lists(st.tuples(NAMES, st.sets(NAMES)), max_size=12), st.sets(NAMES, min_size=1))
def test_what_is_left_never_has_them(drawn: list[tuple[str, set[str]]], gone: set[str]) -> None:
    """Whoever they are and wherever they stood; everybody else's examples are all there, in their order."""
    examples = tuple(example(number, author, people) for number, (author, people) in enumerate(drawn))
    before = Dataset(examples, examples[:3], {"authors": [{"name": name} for name in sorted({each.author for each in examples})]})
    after = without(before, gone, START)
    kept = tuple(each for each in examples if not involves(each, gone))
    if after is None:
        assert kept == ()
        return
    assert after.train == kept
    assert not any(involves(each, gone) for each in (*after.train, *after.held_out))
    assert {each["name"] for each in after.card["authors"]}.isdisjoint(gone)
    assert after.card["content_hash"] == after.content_hash


@pytest.mark.parametrize("place", ["target", "turn", "other"])
def test_a_name_in_a_text_counts(place: str) -> None:
    """Also where the list of people does not have it."""
    plain = example(1, "Ann")
    texts = {"target": f"{plain.target} Bob", "turn": plain.target, "other": plain.target}
    turns = (*plain.turns[:-1], type(plain.turns[0])("Ann", "is Bob there?")) if place == "turn" else plain.turns
    others = ("Bob said so",) if place == "other" else plain.others
    named = Example(turns, texts[place], 1.0, 1, "Ann", others=others, people=("Ann",))
    assert involves(named, {"Bob"})
    assert not involves(plain, {"Bob"})
