"""`troupe import --from-feedback` and `--consent-from-gateway`: what a gateway knows comes into the workspace and goes on from there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from adapters.cli.access import Access
from adapters.curation.dataset import read_dataset
from adapters.curation.own_words import MODEL
from adapters.settings import RegistrySettings
from adapters.workspace.people import open_members
from adapters.workspace.workspace import Workspace
from clients.cli.main import main
from tests.adapters.factory.tools import write_chat

PAGE = 3
START = datetime(2026, 1, 1, tzinfo=UTC)
ANN, BOB = str(10**17 + 1), str(10**17 + 2)


@dataclass
class Gateway(httpx.BaseTransport):
    """The two routes, with `examples` in pages."""

    examples: list[dict[str, Any]] = field(default_factory=list)
    people: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        query: Mapping[str, str] = request.url.params
        self.asked.append(request.url.path)
        assert query["community"] == "zizou"
        if request.url.path.endswith("/consent"):
            return httpx.Response(200, json={"community": "zizou", "people": self.people})
        at = int(query["cursor"] or 0)
        page = self.examples[at : at + PAGE]
        return httpx.Response(200, json={"examples": page, "cursor": str(at + len(page))})

    def say(self, *people: str, forget: bool = False) -> None:
        self.people += [{"person": person, "since": "2026-01-01T00:00:00Z", "forget": forget} for person in people]


def example(number: int, author: str = ANN, reward: int = 3) -> dict[str, Any]:
    turn = {"author": author, "name": "Ann", "text": f"question {number}?", "is_self": False}
    sent = round((START + timedelta(minutes=number)).timestamp() * 1000)
    said = {"message_id": str(10**18 + number), "adapter": "zizou@1", "sent_ms": sent, "reward": reward, "people": [author]}
    return {**said, "context": [turn], "reply": f"the answer to {number} is {number * 7919}"}


@dataclass
class Desk:
    folder: Path
    gateway: Gateway = field(default_factory=Gateway)

    @property
    def workspace(self) -> Workspace:
        return Workspace.open(self.folder / "home", "zizou")

    def run(self, *arguments: object) -> Result:
        settings = RegistrySettings(self.folder / "home", url="http://127.0.0.1:1", admin_key="tr_key")
        access = Access(settings=lambda: settings, listens=lambda url: True, transport=self.gateway)
        return CliRunner().invoke(main, list(map(str, arguments)), obj=access)

    def take(self, *arguments: object) -> Result:
        ran = self.run("import", *arguments, "--community", "zizou", "--provenance", "synthetic")
        assert ran.exit_code == 0, ran.output
        return ran


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_answers_come_back_whole_each_time(desk: Desk) -> None:
    """As reactions are states, so that what is gone at the gateway is gone here, too."""
    desk.gateway.examples = [example(number, reward=number % 2) for number in range(8)]
    said = json.loads(desk.take("--from-feedback", "--json").stdout)
    assert (said["answers"], said["liked"], said["left_out"]) == (8, 4, 0)
    assert len(desk.workspace.answers.read()) == 8
    desk.gateway.examples = [example(1)]
    desk.take("--from-feedback")
    assert [answer.reply for answer in desk.workspace.answers.read()] == ["the answer to 1 is 7919"]


def test_they_are_learnt_beside_what_people_said(desk: Desk) -> None:
    """As a small part, and the card says where they come from."""
    desk.take(write_chat(desk.folder / "export.json"))
    last = desk.workspace.imports()[0].known["last"]
    desk.gateway.examples = [example(number) for number in range(30)]
    for each in desk.gateway.examples:
        each["sent_ms"] += round((datetime.fromisoformat(last) - START + timedelta(days=1)).total_seconds() * 1000)
    desk.take("--from-feedback")
    ran = desk.run("curate", "--community", "zizou", "--min-examples", "5", "--json")
    assert ran.exit_code == 0, ran.output
    content = json.loads(ran.stdout)
    train = read_dataset(Path(content["dataset"])).train
    assert sum(each.author == MODEL for each in train) == 30
    share = sum(each.weight for each in train if each.author == MODEL) / sum(each.weight for each in train)
    assert share <= 0.1 + 1e-6
    assert [each["import"] for each in content["card"]["provenance"]][-1] == "answers"


def test_who_said_no_to_the_bot_is_left_out(desk: Desk) -> None:
    """And whoever wants to be forgotten is told to the person at the desk."""
    desk.gateway.examples = [example(1, ANN), example(2, BOB)]
    desk.gateway.say(BOB)
    desk.gateway.say("123", forget=True)
    ran = desk.take("--from-feedback")
    assert "`troupe forget 123 --community zizou`" in ran.stderr
    assert [answer.people for answer in desk.workspace.answers.read()] == [frozenset({ANN})]
    members = open_members(desk.workspace)
    assert (members.may_stay(ANN), members.may_stay(BOB), members.may_stay("123")) == (True, False, False)


def test_who_is_forgotten_is_not_named_again(desk: Desk) -> None:
    """Until they were in again and changed their mind."""
    desk.gateway.examples = [example(1, ANN), example(2, BOB)]
    desk.take("--from-feedback")
    desk.gateway.say(BOB, forget=True)
    assert f"troupe forget {BOB}" in desk.take("--from-feedback").stderr
    forgotten = desk.run("forget", BOB, "--community", "zizou", "--home", desk.folder / "home")
    assert forgotten.exit_code == 0, forgotten.output
    assert "troupe forget" not in desk.take("--from-feedback").stderr
    desk.gateway.people[-1]["since"] = "2100-01-01T00:00:00Z"
    assert f"troupe forget {BOB}" in desk.take("--from-feedback").stderr


def test_what_a_bot_calls_somebody_is_no_command(desk: Desk) -> None:
    """The line is made to be copied into a shell."""
    desk.gateway.say("$(reboot)", "123;reboot", forget=True)
    told = desk.take("--from-feedback").stderr
    assert "`troupe forget '$(reboot)' --community zizou`" in told
    assert "`troupe forget '123;reboot' --community zizou`" in told


def test_an_import_can_ask_who_said_no(desk: Desk) -> None:
    """Before it reads a message."""
    export = write_chat(desk.folder / "export.json")
    desk.take(export)
    with desk.workspace.imports()[0].stored() as stored:
        author = next(iter(stored)).author_id
        whole = len(stored)
    desk.gateway.say(author)
    other = Desk(desk.folder / "other", desk.gateway)
    other.take(export, "--consent-from-gateway")
    with other.workspace.imports()[0].stored() as stored:
        assert stored.written_by(author) == 0
        assert 0 < len(stored) < whole


def test_forgetting_somebody_takes_their_answers_out(desk: Desk) -> None:
    """With a proof of it."""
    desk.gateway.examples = [example(1, ANN), example(2, BOB)]
    desk.take(write_chat(desk.folder / "export.json"))
    desk.take("--from-feedback")
    ran = desk.run("forget", ANN, "--community", "zizou", "--local", "--json")
    assert ran.exit_code == 0, ran.output
    assert [answer.people for answer in desk.workspace.answers.read()] == [frozenset({BOB})]
    (proof,) = (desk.workspace.folder / "forgotten").glob("*.json")
    assert json.loads(proof.read_text())["after"]["answers"] == 0
    assert json.loads(proof.read_text())["before"]["answers"] == 1


@pytest.mark.parametrize("arguments", [[], ["--from-feedback", "some.json"], ["--consent-from-gateway"]])
def test_one_of_both_has_to_be_said(desk: Desk, arguments: list[str]) -> None:
    ran = desk.run("import", *arguments, "--community", "zizou", "--provenance", "synthetic")
    assert (ran.exit_code, "Say either a PATH or --from-feedback." in ran.output) == (2, True)


def test_nothing_comes_back_without_saying_where_from(desk: Desk) -> None:
    """What came through a bot is Discord's as an export is."""
    desk.gateway.examples = [example(1)]
    ran = desk.run("import", "--from-feedback", "--community", "zizou")
    assert (ran.exit_code, "--provenance" in ran.output) == (1, True)
    refused = desk.run("import", "--from-feedback", "--community", "zizou", "--provenance", "public-archive")
    assert (refused.exit_code, "This cannot be public-archive" in refused.output) == (1, True)
    assert desk.workspace.answers.read() == ()
