"""`troupe import`, `curate`, `forget` and `publish` of a run: what they tell, to people and to programs."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from adapters.cli.access import Access
from adapters.settings import RegistrySettings
from adapters.workspace.runs import Run
from adapters.workspace.workspace import Workspace
from clients.cli.main import main
from tests.adapters.cli.conftest import Troupe
from tests.adapters.factory.tools import BAD, GOOD, write_chat
from tests.adapters.registry.tiny import write_adapter
from tests.adapters.workspace.exports import dataset, example, line, write_export

NAME = 10**17 + 2


class Desk:
    """Commands on a home of its own, with no gateway."""

    def __init__(self, folder: Path) -> None:
        self.settings = RegistrySettings(folder / "home")
        self.export = write_chat(folder / "export.json")
        self.folder = folder

    @property
    def workspace(self) -> Workspace:
        return Workspace.open(self.settings.home, "zizou")

    def run(self, *arguments: object) -> Result:
        access = Access(settings=lambda: self.settings, listens=lambda url: False)
        return CliRunner().invoke(main, list(map(str, arguments)), obj=access)

    def json(self, *arguments: object) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def take(self, *arguments: object, path: Path | None = None) -> Result:
        return self.run("import", path or self.export, "--community", "zizou", "--provenance", "synthetic", *arguments)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_an_import_says_what_was_read_and_dropped_and_why(desk: Desk) -> None:
    """With a place to look at for each reason, and the next command."""
    written = [line(number, 1, f"text {number}") for number in range(5)]
    path = write_export(desk.folder / "some.json", [*written, {**line(6, 2, "joined"), "type": "GuildMemberJoin"}, line(7, 1, "")])
    result = desk.take(path=path)
    assert result.exit_code == 0, result.output
    for said in ("5 messages of 1 author in 1 channel", "system message", "empty content", "some.json", "troupe curate"):
        assert said in result.stdout
    assert "No message has a reaction" in result.stdout


def test_an_import_tells_programs_what_it_keeps(desk: Desk) -> None:
    """The same as import.json; a second time it is not new."""
    first = json.loads(desk.take("--json", "--note", "for a test").stdout)
    again = json.loads(desk.take("--json", "--note", "for a test").stdout)
    assert (first["new"], again["new"], first["import"]) == (True, False, again["import"])
    assert first["provenance"]["note"] == "for a test"
    assert first["report"]["messages"] == first["messages"] == 150


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--provenance", "found-it"), "is no provenance"),
        (("--provenance", "public-archive"), "no public archive"),
        ((), "Nothing is imported without"),
    ],
)
def test_provenance_has_to_be_declared_and_possible(desk: Desk, arguments: tuple[str, ...], said: str) -> None:
    """Else nothing is read, and the kinds that there are are listed."""
    result = desk.run("import", desk.export, "--community", "zizou", *arguments)
    assert (result.exit_code, said in result.stderr) == (1, True), result.output
    assert not desk.workspace.imports()


def test_discord_s_rule_is_told_with_every_import_from_it(desk: Desk) -> None:
    """On stderr, before anything else."""
    result = desk.run("import", desk.export, "--community", "zizou", "--provenance", "own-server-consent")
    assert result.exit_code == 0, result.output
    assert "Developer Policy" in result.stderr


def test_lists_of_people_are_kept_with_the_import(desk: Desk) -> None:
    """Who opted out is not imported; the file of consent names nobody."""
    (desk.folder / "out.txt").write_text(f"{NAME}  # asked on Monday\n")
    told = json.loads(desk.take("--opt-out", desk.folder / "out.txt", "--json").stdout)
    assert told["left_out"]["messages"] > 0
    assert str(NAME).encode() not in b"".join(path.read_bytes() for path in desk.workspace.folder.rglob("*") if path.is_file())
    (desk.folder / "bad.txt").write_text("not an id\n")
    assert "is no discord id" in desk.take("--opt-out", desk.folder / "bad.txt").stderr


def test_with_opt_in_only_those_are_learnt_from(desk: Desk) -> None:
    """The card says which mode it was; nobody else is among the authors."""
    (desk.folder / "in.txt").write_text("".join(f"{10**17 + number}\n" for number in (0, 1, 2)))
    assert desk.take("--opt-in", desk.folder / "in.txt").exit_code == 0
    card = desk.json("curate", "--community", "zizou", "--min-examples", 2)["card"]
    assert card["consent"]["mode"] == "opt-in"
    assert len(card["authors"]) <= 3


def test_a_dataset_is_made_with_its_page(desk: Desk) -> None:
    """The settings that were given are on the card."""
    desk.take()
    result = desk.run("curate", "--community", "zizou", "--min-examples", 10, "--cutoff", 1.5, "--toxicity", "strict")
    assert result.exit_code == 0, result.output
    assert "troupe train" in result.stdout
    folder = desk.workspace.latest_dataset()
    assert str(folder / "card.html") in result.stdout
    assert (folder / "card.html").read_text().startswith("<!DOCTYPE html>")
    card = json.loads((folder / "card.json").read_text())
    assert (card["recipe"]["cutoff"], card["toxicity"]["level"], card["community"]) == (1.5, "strict", "zizou")
    assert card["provenance"][0]["kind"] == "synthetic"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "troupe import"),
        (("--cutoff", "0"), "cutoff"),
        (("--curation", "tempo=3"), "'tempo' is no setting"),
        (("--curation", "cutoff"), "write --curation NAME=VALUE"),
    ],
)
def test_what_curation_cannot_do_is_a_sentence(desk: Desk, arguments: tuple[str, ...], said: str) -> None:
    """No imports, or settings that make no sense."""
    result = desk.run("curate", "--community", "zizou", *arguments)
    assert result.exit_code in (1, 2)
    assert result.stdout == ""
    assert said in result.stderr


def trained_run(home: Path, *, number: int = 1, card: dict[str, Any] | None = None, learnt: str = "sha256:aa") -> Run:
    run = Workspace.open(home, "zizou").new_run(f"run-{number}")
    write_adapter(run.adapter, fill=bytes([number]))
    (run.folder / "training.json").write_text(json.dumps({"dataset": {"hash": learnt}, "made_at": f"2026-01-0{number}"}))
    if card is not None:
        run.keep_report(card, "<html>")
    return run


@pytest.mark.parametrize("named", ["latest", "by name", "by folder"])
def test_a_run_is_published_with_what_is_known_of_it(troupe: Troupe, named: str) -> None:
    """Its training manifest and its report card, whichever way it is named."""
    home = troupe.access.settings().home
    trained_run(home, number=1, card=GOOD)
    run = trained_run(home, number=2, card=GOOD)
    arguments = {"latest": ("--run", "latest"), "by name": ("--run", "run-2"), "by folder": (run.folder,)}[named]
    published = troupe.json("publish", *arguments, "--community", "zizou", "--promote")
    assert (published["training"], published["report_card"]) == (run.training(), GOOD)


def test_a_run_whose_gates_fail_needs_a_reason(troupe: Troupe) -> None:
    """To be promoted, not to be published; `show` tells the gates and the reason."""
    trained_run(troupe.access.settings().home, card=BAD)
    refused = troupe.run("publish", "--run", "latest", "--community", "zizou", "--promote")
    assert (refused.exit_code, "failed its gates" in refused.stderr, "is published, but it is not live" in refused.stderr) == (
        1,
        True,
        True,
    )
    assert troupe.run("promote", "zizou", 1).exit_code == 1
    assert troupe.run("canary", "zizou", 1, "--share", 5).exit_code == 1
    shown = troupe.run("show", "zizou", 1).stdout
    for said in ("failed ranking", "It ranks better.", "-0.1"):
        assert said in shown
    assert troupe.run("promote", "zizou", 1, "--override", "it is funny").exit_code == 0
    assert "it is funny" in troupe.run("show", "zizou", 1).stdout
    assert troupe.json("show", "zizou", 1)["override"]["why"] == "it is funny"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--run latest"),
        (("somewhere", "--run", "latest"), "--run latest"),
        (("--run", "latest", "--override", "why"), "--promote"),
    ],
)
def test_publish_has_to_know_which_adapter(troupe: Troupe, arguments: tuple[str, ...], said: str) -> None:
    """One of the two ways, and no reason where nothing is promoted."""
    result = troupe.run("publish", *arguments, "--community", "zizou")
    assert (result.exit_code, said in result.stderr) == (2, True)


def test_runs_that_are_not_there_or_must_not_be(troupe: Troupe) -> None:
    """An unfinished one, none at all, and one that learnt from somebody who is forgotten."""
    home = troupe.access.settings().home
    assert "troupe train" in troupe.run("publish", "--run", "latest", "--community", "zizou").stderr
    Workspace.open(home, "zizou").new_run("half")
    assert "is not finished" in troupe.run("publish", "--run", "half", "--community", "zizou").stderr
    trained_run(home).mark_forgotten("proof.json")
    result = troupe.run("publish", "--run", "latest", "--community", "zizou")
    assert (result.exit_code, "forgotten" in result.stderr) == (1, True)
    assert troupe.json("ls") == []


def test_the_same_bytes_keep_the_card_they_came_with(troupe: Troupe) -> None:
    """And the person is told so."""
    run = trained_run(troupe.access.settings().home, card=BAD)
    troupe.json("publish", "--run", "latest", "--community", "zizou")
    run.keep_report(GOOD, "<html>")
    result = troupe.run("publish", "--run", "latest", "--community", "zizou")
    assert "keeps the report card that it was first published with (failed ranking)" in result.stderr


def people_of(troupe: Troupe) -> Workspace:
    """A community of which two versions learnt from somebody, one of them live, and one did not."""
    home = troupe.access.settings().home
    workspace = Workspace.open(home, "zizou")
    desk = write_chat(troupe.folder / "export.json")
    result = troupe.run("import", desk, "--community", "zizou", "--provenance", "synthetic")
    assert result.exit_code == 0, result.output
    assert troupe.run("curate", "--community", "zizou", "--min-examples", 10).exit_code == 0
    learnt = json.loads((workspace.latest_dataset() / "card.json").read_text())["content_hash"]
    with workspace.locked():
        other = dataset([example(1, "Ann")], [])
        workspace.new_dataset(other, "<html>")
    for number, held in ((1, learnt), (2, learnt), (3, other.content_hash)):
        trained_run(home, number=number, learnt=held, card=GOOD)
        troupe.json("publish", "--run", f"run-{number}", "--community", "zizou")
    troupe.json("promote", "zizou", 2)
    return workspace


def test_forgetting_retires_what_nobody_is_given_and_queues_what_is_live(troupe: Troupe) -> None:
    """What is found is said first; what did not learn from them stays as it is."""
    workspace = people_of(troupe)
    dry = troupe.run("forget", NAME, "--community", "zizou", "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert "zizou@1, zizou@2 (live)" in dry.stdout
    assert all(entry["state"] == "published" for entry in troupe.json("ls"))
    (told,) = troupe.json("forget", NAME, "--community", "zizou")
    assert told["versions"] == {"1": "retired", "2": "waiting"}
    assert not any(told["after"].values())
    assert [entry["state"] for entry in troupe.json("ls")] == ["retired", "published", "published"]
    proof = json.loads(Path(told["proof"]).read_text())
    assert (proof["registry"], proof["finished"] is not None) == ("done", True)
    assert str(NAME) not in Path(told["proof"]).read_text()
    assert [run.is_forgotten for run in workspace.runs()] == [True, True, False]


def test_forgetting_can_stop_what_is_live(troupe: Troupe) -> None:
    """At once; nobody is answered by it any more, and the reason is kept."""
    people_of(troupe)
    (told,) = troupe.json("forget", NAME, "--live", "stop")
    assert told["versions"] == {"1": "retired", "2": "stopped"}
    stopped = troupe.json("show", "zizou", 2)
    assert (stopped["state"], "forgotten" in stopped["reason"]) == ("quarantined", True)


def test_without_the_registry_the_rest_is_done_and_the_next_run_finishes(tmp_path: Path) -> None:
    """Exit code 1 and a sentence; the proof stays open until the adapters are seen to."""
    desk = Desk(tmp_path)
    desk.take()
    desk.json("curate", "--community", "zizou", "--min-examples", 10)
    away = replace(desk.settings, url="http://127.0.0.1:9", admin_key="tr_test_key")
    settings, desk.settings = desk.settings, away
    result = desk.run("forget", NAME, "--community", "zizou")
    assert (result.exit_code, "run the same command again" in result.stderr) == (1, True), result.output
    assert not desk.workspace.imports()[0].stored().written_by(str(NAME))
    desk.settings = settings
    (told,) = desk.json("forget", NAME, "--community", "zizou")
    proof = json.loads(Path(told["proof"]).read_text())
    assert proof["finished"] is not None
    assert proof["before"]["messages"] > 0
    assert len(list((desk.workspace.folder / "forgotten").iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("Zinedine",), "--kind jsonl"),
        (("123",), "No community has a workspace"),
        (("123", "--community", "../x"), "cannot name a community"),
    ],
)
def test_whom_to_forget_has_to_be_clear(desk: Desk, arguments: tuple[str, ...], said: str) -> None:
    """Nothing is done otherwise."""
    result = desk.run("forget", *arguments)
    assert (result.exit_code, said in result.stderr) == (2, True)


def test_a_name_of_a_chat_can_be_forgotten(desk: Desk) -> None:
    """By its kind; the same text as a Discord id would be somebody else."""
    path = desk.folder / "chat.jsonl"
    path.write_text(
        "".join(json.dumps({"author": author, "text": f"{author} says {at}"}) + "\n" for at in range(4) for author in ("12", "bo"))
    )
    assert desk.take(path=path).exit_code == 0
    (told,) = desk.json("forget", "12", "--community", "zizou")
    assert told["before"]["messages"] == 0
    (told,) = desk.json("forget", "12", "--kind", "jsonl", "--community", "zizou")
    assert told["before"]["messages"] == 4
    assert b"12 says" not in desk.workspace.imports()[0].path.read_bytes()
