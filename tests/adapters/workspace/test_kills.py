"""A process that is gone in the middle, with no chance to clean up: what is there afterwards is whole, and the next command goes on."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import pytest

from adapters.curation.dataset import read_dataset
from adapters.sources.source import open_source
from adapters.workspace.durable import new_file, new_folder, read_json, remove, write_json
from adapters.workspace.forgetting import Forgetting
from adapters.workspace.imports import Wish
from adapters.workspace.workspace import Workspace
from tests.adapters.workspace.exports import SYNTHETIC, dataset, example, import_into, line, write_export

GONE = str(10**17 + 2)
KILLED = 9


def die() -> NoReturn:
    os._exit(KILLED)


def in_a_process_that_dies(work: Callable[[], object]) -> None:
    """Raises AssertionError if it did not come to `die`."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:  # whatever happened, pytest must not go on in two processes
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "home", "zizou")


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_killed_import_is_no_import(workspace: Workspace, tmp_path: Path, at: int) -> None:
    """At its beginning, in the middle, or just before its end."""
    export = write_export(tmp_path / "export.json", [line(number, number % 4, f"text {number} " * 30) for number in range(300)])
    calls = 0

    def progress(done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            die()

    def work() -> None:
        with workspace.locked():
            workspace.add_import(open_source(export), Wish(SYNTHETIC), progress)

    in_a_process_that_dies(work)
    assert workspace.imports() == ()
    made = import_into(workspace, export)
    assert made.known["messages"] == 300
    assert [path.name for path in (workspace.folder / "imports").iterdir()] == [made.id]


def test_a_killed_write_leaves_what_was_there(tmp_path: Path) -> None:
    """A file its old content, a folder nothing at all, and what was being removed is removed."""
    write_json(tmp_path / "kept.json", {"is": "old"})

    def file() -> None:
        with new_file(tmp_path / "kept.json") as path:
            path.write_text("{half")
            die()

    def folder() -> None:
        with new_folder(tmp_path / "made") as path:
            (path / "one").write_text("half")
            die()

    in_a_process_that_dies(file)
    in_a_process_that_dies(folder)
    assert read_json(tmp_path / "kept.json") == {"is": "old"}
    assert not (tmp_path / "made").exists()
    write_json(tmp_path / "kept.json", {"is": "new"})
    with new_folder(tmp_path / "made") as path:
        (path / "one").write_text("whole")
    remove(tmp_path / "made")
    assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]


@pytest.mark.parametrize("kill_after", range(3))
def test_a_killed_forgetting_leaves_no_copy(workspace: Workspace, tmp_path: Path, kill_after: int) -> None:
    """Neither of what was rewritten nor of what was to be: after the next run there is no byte of them left."""
    for at in (0, 10):
        import_into(workspace, write_export(tmp_path / f"{at}.json", [line(at + 1, 2, f"my own words {at}"), line(at + 2, 3, "other")]))
    forgetting = Forgetting(workspace, GONE)
    (name, *_) = forgetting._names()
    with workspace.locked():
        for at in range(2):
            workspace.new_dataset(dataset([example(at, "Ann"), example(at + 5, name)], [], made_at=f"2026-01-0{at + 1}"), "<html>")
    left = kill_after

    def page(card: Mapping[str, Any]) -> str:
        nonlocal left
        if left == 0:
            die()
        left -= 1
        return "<html>"

    def work() -> None:
        with workspace.locked():
            proof = forgetting.begin()
            forgetting.remove(proof, forgetting.find(), page)
            die()

    in_a_process_that_dies(work)
    with workspace.locked():
        proof = forgetting.begin()
        forgetting.remove(proof, forgetting.find(), lambda card: "<html>")
        proof.finish(forgetting.scan())
    assert proof.content["before"]["messages"] == 2
    assert not any(proof.content["after"].values())
    held = b"".join(path.read_bytes() for path in workspace.folder.rglob("*") if path.is_file())
    assert b"my own words" not in held
    assert all(read_dataset(folder).train[0].author == "Ann" for folder in workspace.datasets())
