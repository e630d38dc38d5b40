"""A community's folder: imports merged, datasets and runs found again, and nothing half-written that is used."""

import json
import stat
from pathlib import Path

import pytest

from adapters.registry.errors import BadName
from adapters.sources.errors import NoMessages
from adapters.sources.source import open_source
from adapters.workspace.durable import new_folder
from adapters.workspace.errors import Broken, Busy, DiskFull, Forgotten, NoDataset, NoImports, NoRun
from adapters.workspace.imports import Wish
from adapters.workspace.runs import run_name
from adapters.workspace.workspace import Workspace, communities
from tests.adapters.workspace.exports import SYNTHETIC, dataset, example, import_into, line, snowflake, write_export


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "home", "zizou")


def test_nothing_is_there_before_something_is_put_in(workspace: Workspace) -> None:
    """Looking makes no folder; each thing that is missing is named with the command that makes it."""
    for look, error, command in (
        (workspace.messages, NoImports, "troupe import"),
        (workspace.latest_dataset, NoDataset, "troupe curate"),
        (workspace.latest_run, NoRun, "troupe train"),
    ):
        with pytest.raises(error, match=command):
            look()
    assert not workspace.folder.exists()


@pytest.mark.parametrize("name", ["base", "../etc", "Zizou", "", "a/b"])
def test_a_community_s_name_never_becomes_another_path(tmp_path: Path, name: str) -> None:
    """The registry's rule for names is the workspace's."""
    with pytest.raises(BadName):
        Workspace.open(tmp_path, name)


def test_later_imports_win_where_messages_are_the_same(workspace: Workspace, tmp_path: Path) -> None:
    """All imports are one stream by growing id, as often as wanted; an edited message has its later text."""
    import_into(workspace, write_export(tmp_path / "old.json", [line(1, 1, "one"), line(3, 2, "three"), line(5, 1, "five")]))
    import_into(workspace, write_export(tmp_path / "new.json", [line(2, 2, "two"), line(3, 2, "three, edited"), line(6, 2, "six")]))
    with workspace.messages() as messages:
        for _ in range(2):
            assert [message.text for message in messages] == ["one", "two", "three, edited", "five", "six"]
        assert len(messages) == 5
        found = [messages.find(snowflake(number)) for number in (3, 5, 4)]
    assert [message and message.text for message in found] == ["three, edited", "five", None]


def test_the_same_export_is_not_read_twice(workspace: Workspace, tmp_path: Path) -> None:
    """But one that has changed is."""
    path = write_export(tmp_path / "export.json", [line(1, 1, "one")])
    assert import_into(workspace, path).id == import_into(workspace, path).id
    write_export(path, [line(1, 1, "one"), line(2, 1, "two")])
    assert import_into(workspace, path).id.startswith("0002-")


def test_an_import_says_where_it_comes_from(workspace: Workspace, tmp_path: Path) -> None:
    """Provenance, what was read and dropped, when, and by which Troupe; only the owner may read it."""
    made = import_into(workspace, write_export(tmp_path / "export.json", [line(1, 1, "one"), line(2, 1, "two")]))
    known = json.loads((made.folder / "import.json").read_text())
    assert known["provenance"] == SYNTHETIC
    assert (known["messages"], known["report"]["kind"], known["first"]) == (2, "DiscordChatExporter JSON", "2025-03-01T00:01:00+00:00")
    assert made.card_entry().keys() == {"import", "kind", "declaration", "messages", "first", "last"}
    assert stat.S_IMODE(workspace.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600


def test_private_messages_stay_out_unless_asked_for(workspace: Workspace, tmp_path: Path) -> None:
    """A sentence says how they come in, if everybody agreed."""
    path = write_export(tmp_path / "direct.json", [line(1, 1, "between us")], kind="DirectTextChat")
    with pytest.raises(NoMessages, match="--private"):
        import_into(workspace, path)
    assert workspace.imports() == ()
    assert import_into(workspace, path, private=True).known["messages"] == 1


def test_people_who_opted_out_are_not_imported(workspace: Workspace, tmp_path: Path) -> None:
    """Neither what they wrote nor that they were mentioned or liked something: their id is nowhere in the files."""
    gone = str(10**17 + 2)
    path = write_export(tmp_path / "export.json", [line(1, 1, f"hi <@{gone}>", mentions=[2], reactors=[2, 3]), line(2, 2, "my words")])
    made = import_into(workspace, path, keep=lambda person: person != gone)
    with workspace.messages() as messages:
        (left,) = messages
    assert (left.text, left.mentions, [each.count for each in left.reactions]) == ("hi @someone", (), [1])
    assert made.known["left_out"] == {"messages": 1, "mentions": 1, "reactions": 1}
    held = b"".join(path.read_bytes() for path in workspace.folder.rglob("*") if path.is_file())
    assert gone.encode() not in held
    assert b"my words" not in held


def test_one_command_at_a_time_changes_a_community(workspace: Workspace) -> None:
    """The second is told so, at once; another community is free."""
    with workspace.locked():
        with pytest.raises(Busy, match="Another command is changing zizou"), workspace.locked():
            pass
        with Workspace.open(workspace.folder.parent.parent, "greybeards").locked():
            pass
    with workspace.locked():
        pass


def test_what_a_killed_import_left_is_not_used(workspace: Workspace, tmp_path: Path) -> None:
    """It counts for nothing, and the next command that changes something removes it."""
    left = workspace.folder / "imports" / ".unfinished-0001-abcdefgh"
    left.mkdir(parents=True)
    (left / "messages.db").write_bytes(b"half of it")
    assert workspace.imports() == ()
    import_into(workspace, write_export(tmp_path / "export.json", [line(1, 1, "one")]))
    assert not left.exists()


def test_a_folder_is_complete_or_not_there(tmp_path: Path) -> None:
    """Whatever ends the filling of it."""

    def fail() -> None:
        with new_folder(tmp_path / "made") as unfinished:
            (unfinished / "file").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    """With what to do, and nothing left behind."""

    def fill() -> None:
        with new_folder(tmp_path / "made") as unfinished:
            (unfinished / "file").write_text("half")
            Path("/dev/full").write_text("the rest")

    with pytest.raises(DiskFull, match="set TROUPE_HOME to a larger disk"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_an_import_on_a_full_disk_is_a_sentence(workspace: Workspace, tmp_path: Path) -> None:
    """SQLite's own error, which knows no paths, becomes ours; a folder where the file should be stands in for the disk."""
    source = open_source(write_export(tmp_path / "export.json", [line(1, 1, "one")]))
    workspace.folder.mkdir(parents=True)
    (workspace.folder / "imports").touch()
    with pytest.raises(Broken, match="set TROUPE_HOME"), workspace.locked():
        workspace.add_import(source, Wish(SYNTHETIC))


@pytest.mark.parametrize("text", ["", "[]", '{"schema": 1}', "[" * 100_000])
def test_a_damaged_import_is_named(workspace: Workspace, tmp_path: Path, text: str) -> None:
    """With its folder, which can be removed and made again."""
    made = import_into(workspace, write_export(tmp_path / "export.json", [line(1, 1, "one")]))
    (made.folder / "import.json").write_text(text)
    with pytest.raises(Broken, match=r"import it again|make it anew"):
        workspace.imports()


def test_damaged_messages_are_a_sentence(workspace: Workspace, tmp_path: Path) -> None:
    """Also when the damage is found while they are read."""
    made = import_into(workspace, write_export(tmp_path / "export.json", [line(1, 1, "one")]))
    made.path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with pytest.raises(Broken, match="import it again"), workspace.messages() as messages:
        list(messages)


def test_datasets_are_found_by_hash_and_by_what_they_were_made_of(workspace: Workspace) -> None:
    """The latest is the one made last; who was in one stays noted after it is gone."""
    first = dataset([example(1, "ann", ["bob"])], [example(2, "cid")])
    second = dataset([example(1, "ann")], [], made_at="2026-01-03T00:00:00+00:00")
    with workspace.locked():
        folders = [workspace.new_dataset(each, "<html>", inputs=mark) for each, mark in ((second, "b"), (first, "a"))]
    assert workspace.datasets() == (folders[1], folders[0])
    assert workspace.latest_dataset() == folders[0] == workspace.dataset(second.content_hash)
    assert (workspace.dataset_of("a"), workspace.dataset_of("c")) == (folders[1], None)
    with workspace.locked():
        workspace.remove_dataset(folders[1])
    assert workspace.learnt() == {first.content_hash: {"ann", "bob", "cid"}, second.content_hash: {"ann"}}
    with pytest.raises(NoDataset, match=folders[1].name):
        workspace.dataset(first.content_hash)


def test_a_run_is_taken_up_by_its_name(workspace: Workspace) -> None:
    """The same dataset, base and recipe give the same name; it counts as trained when all of it is there."""
    name = run_name("sha256:aa", "sha256:bb", {"rank": 8})
    assert name == run_name("sha256:aa", "sha256:bb", {"rank": 8}) != run_name("sha256:aa", "sha256:bb", {"rank": 16})
    run = workspace.new_run(name)
    assert workspace.new_run(name) == run
    run.plan("sha256:aa")
    assert (run.is_trained, run.dataset_hash) == (False, "sha256:aa")
    with pytest.raises(NoRun, match="troupe train"):
        workspace.latest_run()
    run.adapter.mkdir()
    for path in (run.folder / "training.json", run.adapter / "adapter_config.json", run.adapter / "adapter_model.safetensors"):
        path.write_text('{"dataset": {"hash": "sha256:cc"}, "made_at": "2026"}')
    assert workspace.latest_run() == run == workspace.run("latest") == workspace.run(name)
    assert run.dataset_hash == "sha256:cc"
    with pytest.raises(NoRun, match="no run 'other'"):
        workspace.run("other")


def test_a_run_that_must_be_forgotten_says_so(workspace: Workspace) -> None:
    """Whoever publishes asks."""
    run = workspace.new_run("one")
    assert run.check() == run
    run.mark_forgotten("2026-abc.json")
    with pytest.raises(Forgotten, match="--retrain"):
        run.check()


def test_communities_are_those_with_a_workspace(workspace: Workspace, tmp_path: Path) -> None:
    """None where there is no home."""
    assert communities(tmp_path / "home") == []
    workspace.new_run("one")
    assert communities(tmp_path / "home") == ["zizou"]
