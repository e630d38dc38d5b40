"""`troupe factory` with trainings of a moment: what it does, what it does not do twice, and how it ends when something is wrong."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from adapters.demo.recipe import DemoRecipe, content_hash
from adapters.factory.command import Workshop
from adapters.settings import RegistrySettings
from adapters.training.errors import DiskFull, OutOfMemory, TrainingError, WrongBase
from adapters.workspace.workspace import Workspace
from clients.cli.main import main
from tests.adapters.factory.tools import BAD, Bench, write_chat
from tests.adapters.registry.tiny import write_base
from tests.adapters.workspace.exports import line, write_export


@dataclass
class Plant:
    """A factory in a folder of its own, with an export."""

    folder: Path
    settings: RegistrySettings
    bench: Bench
    export: Path

    @property
    def workspace(self) -> Workspace:
        return Workspace.open(self.settings.home, "zizou")

    def troupe(self, *arguments: object) -> Result:
        access = Workshop(settings=lambda: self.settings, listens=lambda url: False, tools=self.bench.tools)
        return CliRunner().invoke(main, list(map(str, arguments)), obj=access)

    def run(self, *arguments: object, export: Path | None = None) -> Result:
        said = ("--community", "zizou", "--provenance", "synthetic", "--min-examples", 10)
        return self.troupe("factory", export or self.export, *said, *arguments)

    def json(self, *arguments: object) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    settings = RegistrySettings(tmp_path / "home", base=str(write_base(tmp_path / "base")))
    return Plant(tmp_path, settings, Bench(), write_chat(tmp_path / "export.json"))


def test_an_export_becomes_a_live_adapter(plant: Plant) -> None:
    """One command; at the end stand both pages, the verdict, and how to talk to it."""
    result = plant.run("--promote")
    assert result.exit_code == 0, result.output
    for said in ("zizou@1, live", "card.html", "passed all 1 gates", "troupe chat zizou"):
        assert said in result.stdout
    for stage in ("Import", "Curate", "Train", "Evaluate", "Publish"):
        assert f"{stage} …" in result.stderr
    (shown,) = json.loads(plant.troupe("ls", "--json").stdout)
    assert (shown["version"], shown["aliases"]) == (1, ["live"])
    (run,) = plant.workspace.runs()
    published = json.loads(plant.troupe("show", "zizou", 1, "--json").stdout)
    assert published["training"] == run.training()
    assert published["report_card"] == run.card()


def test_what_is_there_is_not_made_again(plant: Plant) -> None:
    """Called again with the same, it only publishes, which keeps the version; with another recipe it trains."""
    first = plant.json()
    assert plant.json() == first
    assert (len(plant.bench.trained), len(plant.bench.evaluated)) == (1, 1)
    assert plant.json("--training", "epochs=3")["version"] == 2
    assert len(plant.workspace.datasets()) == 1
    assert plant.json("--cutoff", "1.5")["dataset"] != first["dataset"]
    assert len(plant.workspace.imports()) == 1


def test_it_goes_on_where_it_was_killed(plant: Plant) -> None:
    """In the middle of a training: the import and the dataset are there, and the run is the same one."""
    plant.bench.failure = KeyboardInterrupt()
    assert plant.run().exit_code == 130
    (run,) = plant.workspace.runs()
    (dataset,) = plant.workspace.datasets()
    plant.bench.failure = None
    product = plant.json()
    assert (product["run"], product["dataset"]) == (str(run.folder), str(dataset))


def test_it_is_published_but_not_live_where_a_gate_fails(plant: Plant) -> None:
    """Exit code 1, and the gate is named; with a reason it goes live, and the reason is kept."""
    plant.bench.card = BAD
    result = plant.run("--promote")
    assert result.exit_code == 1
    assert "failed ranking" in result.stdout
    assert "--override" in result.stderr
    refused = plant.troupe("promote", "zizou", 1)
    assert (refused.exit_code, "failed its gates (ranking: -0.1" in refused.stderr) == (1, True)
    assert plant.run("--promote", "--override", "it is funny").exit_code == 0
    shown = plant.troupe("show", "zizou", 1).stdout
    assert "it is funny" in shown
    assert "failed ranking" in shown


@pytest.mark.parametrize("error", [WrongBase, OutOfMemory, DiskFull])
def test_a_training_that_cannot_be_is_one_sentence(plant: Plant, error: type[TrainingError]) -> None:
    """Nothing is published, and what was made before stays for the next time."""
    plant.bench.failure = error("What happened, and what to do.")
    result = plant.run("--promote")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("troupe: What happened, and what to do.\n")
    assert json.loads(plant.troupe("ls", "--json").stdout) == []
    assert len(plant.workspace.datasets()) == 1


def nobody_liked(path: Path) -> Path:
    return write_export(path, [line(number, number % 5, f"some words of message {number}") for number in range(200)])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path, "nowhere"),
        (lambda path: write_export(path, []), "empty channel"),
        (lambda path: write_export(path, [line(number, 1, "") for number in range(9)]), "MESSAGE CONTENT intent"),
        (nobody_liked, "react"),
        (lambda path: write_chat(path, messages=12), "min"),
        (lambda path: write_export(path, [line(1, 1, "between us")], kind="DirectTextChat"), "--private"),
    ],
    ids=["wrong path", "empty channel", "no content", "no reactions", "too few bangers", "private"],
)
def test_an_export_that_cannot_be_used(plant: Plant, make: Callable[[Path], Path], said: str) -> None:
    """One sentence that says what and what to do; nothing is trained, nothing half-written stays."""
    result = plant.run(export=make(plant.folder / "nowhere.json"))
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    sentence = result.stderr.splitlines()[-1]
    assert sentence.startswith("troupe: ")
    assert said in sentence
    assert plant.bench.trained == []
    assert list(plant.settings.home.rglob(".unfinished-*")) == []
    assert plant.workspace.datasets() == ()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("export.html", "<!DOCTYPE html><html><body>chat</body></html>", "HTML"),
        ("export.csv", "AuthorID,Author,Date,Content,Attachments,Reactions\n1,a,2020,hi,,\n", "CSV"),
        ("export.json", "nothing at all", "no messages"),
    ],
)
def test_what_is_no_export_is_named(plant: Plant, name: str, text: str, said: str) -> None:
    """With what to give instead."""
    (plant.folder / "bad").mkdir()
    (plant.folder / "bad" / name).write_text(text)
    result = plant.run(export=plant.folder / "bad" / name)
    assert result.exit_code == 1
    assert said in result.stderr
    assert not (plant.workspace.folder / "imports").exists() or plant.workspace.imports() == ()


def test_one_loud_author_is_capped_and_said(plant: Plant) -> None:
    """95 % of the messages are one person's: the share is held down, and the page's card warns."""
    write_chat(plant.export, messages=600, loud=0.95)
    product = plant.json()
    card = json.loads((Path(product["dataset"]) / "card.json").read_text())
    assert max(author["share"] for author in card["authors"]) < 0.9
    assert card["warnings"]


def test_nothing_is_imported_without_saying_where_it_comes_from(plant: Plant) -> None:
    """The kinds are listed."""
    result = plant.troupe("factory", plant.export, "--community", "zizou")
    assert result.exit_code == 1
    assert "own-server-consent" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("factory", "--community", "zizou"),
        ("factory", "e.json", "--community", "zizou", "--retrain"),
        ("factory", "--community", "zizou", "--retrain"),
        ("factory", "e.json", "--community", "zizou", "--override", "why"),
        ("factory", "e.json", "--community", "zizou", "--training", "rank"),
        ("factory", "e.json", "--community", "zizou", "--evaluation", "samples=many"),
        ("factory", "e.json", "--community", "zizou", "--evaluation", "jokes=3"),
        ("factory", "e.json", "--community", "../x"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_done(plant: Plant, arguments: tuple[str, ...]) -> None:
    """Exit code 2, and nothing is made."""
    result = plant.troupe(*arguments)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert not plant.workspace.imports()


def test_without_a_base_it_says_how_to_name_one(plant: Plant) -> None:
    """Rather than teach a base that nobody chose."""
    plant.settings = replace(plant.settings, base="")
    result = plant.run()
    assert result.exit_code == 2
    assert "TROUPE_BASE" in result.stderr


def test_the_demo_s_base_is_taken_where_it_is_built(plant: Plant) -> None:
    """As `troupe up` does without a base, and the person is told so; its own preset goes with it."""
    built = plant.settings.home / "demo" / content_hash(DemoRecipe())
    built.mkdir(parents=True)
    Path(plant.settings.base).rename(built / "base")
    plant.settings = replace(plant.settings, base="")
    result = plant.run("--json")
    assert result.exit_code == 0, result.output
    assert "demo's" in result.stderr
    (run,) = plant.workspace.runs()
    assert run.training()["base"]["name"] == str(built / "base")


def test_who_is_forgotten_while_a_training_runs_is_not_published(plant: Plant) -> None:
    """The run ends, and nobody gets it; the next one learns from what is left."""

    def forget() -> None:
        assert plant.troupe("forget", 10**17 + 2, "--community", "zizou").exit_code == 0

    plant.bench.during = forget
    result = plant.run("--promote")
    assert (result.exit_code, "forgotten" in result.stderr) == (1, True), result.output
    assert json.loads(plant.troupe("ls", "--json").stdout) == []
    plant.bench.during = lambda: None
    assert plant.run("--promote").exit_code == 0


def test_a_live_version_is_replaced_after_somebody_is_forgotten(plant: Plant) -> None:
    """It waits while it is live; then the new one goes live and the old one is retired."""
    plant.json("--promote")
    forgotten = plant.troupe("forget", 10**17 + 2, "--community", "zizou", "--json")
    assert forgotten.exit_code == 0, forgotten.output
    assert json.loads(forgotten.stdout)[0]["versions"] == {"1": "waiting"}
    result = plant.troupe("factory", "--retrain", "--community", "zizou", "--min-examples", 10, "--json")
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    assert (made["version"], made["live"], made["retired"]) == (2, True, [1])
    states = {entry["version"]: (entry["state"], entry["aliases"]) for entry in json.loads(plant.troupe("ls", "--json").stdout)}
    assert states == {1: ("retired", []), 2: ("published", ["live"])}
    again = plant.troupe("factory", "--retrain", "--community", "zizou")
    assert (again.exit_code, "No version of zizou waits" in again.stderr) == (2, True)
