"""Which way a command takes, with which key, and what it says of it."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from adapters.cli.access import DEFAULT_URL, Access, Way, admin_key, listens, way_to
from adapters.cli.errors import BadKey
from adapters.cli.local import LocalRegistrar, local_registrar
from adapters.settings import RegistrySettings, read_settings
from clients.cli.main import main
from tests.adapters.registry.tiny import write_adapter, write_base

HOME = RegistrySettings(Path("nowhere"))


@dataclass
class Machine:
    """What the commands find: settings, whether anything listens at the default address, and what was opened and asked."""

    settings: RegistrySettings
    listening: bool = False
    opened: list[RegistrySettings] = field(default_factory=list)
    asked: list[httpx.Request] = field(default_factory=list)

    def run(self, *arguments: object) -> Result:
        access = Access(lambda: self.settings, lambda url: self.listening, self._local, httpx.MockTransport(self._answer))
        return CliRunner().invoke(main, list(map(str, arguments)), obj=access)

    def _local(self, settings: RegistrySettings) -> AbstractContextManager[LocalRegistrar]:
        self.opened.append(settings)
        return local_registrar(settings)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(200, json={"communities": []})


@pytest.mark.parametrize(
    ("url", "local", "listening", "way"),
    [
        ("", False, True, Way.GATEWAY),
        ("", False, False, Way.FALLBACK),
        ("http://gateway.test", False, False, Way.GATEWAY),
        ("http://gateway.test", True, True, Way.LOCAL),
        ("", True, False, Way.LOCAL),
    ],
)
def test_the_way_follows_from_what_was_asked_and_what_is_there(url: str, local: bool, listening: bool, way: Way) -> None:
    """A gateway that was named must answer; the default one may be missing."""
    assert way_to(replace(HOME, url=url), local=local, listens=lambda at: listening and at == DEFAULT_URL) is way


def test_nothing_listens_where_nothing_listens() -> None:
    """Port 1 of this machine is nobody's."""
    assert not listens("http://127.0.0.1:1")


def test_without_a_gateway_the_registry_of_this_machine_is_used_and_named(tmp_path: Path) -> None:
    """In one line on stderr."""
    machine = Machine(RegistrySettings(tmp_path / "home"))
    result = machine.run("ls", "--json")
    assert (result.exit_code, result.stdout) == (0, "[]\n")
    assert result.stderr == f"troupe: No gateway is running: working on the registry in {tmp_path / 'home'}.\n"


@pytest.mark.parametrize("option", ["--local", "--home"])
def test_what_was_asked_for_needs_no_note(tmp_path: Path, option: str) -> None:
    """`--local` with TROUPE_HOME, `--home` with another folder, where neither another store nor another database is meant."""
    machine = Machine(RegistrySettings(tmp_path / "a", url="http://gateway.test", store_url=str(tmp_path / "store")), listening=True)
    result = machine.run("ls", option, *([tmp_path / "b"] if option == "--home" else []))
    assert (result.exit_code, result.stderr, machine.asked) == (0, "", [])
    chosen = (tmp_path / "a", str(tmp_path / "store")) if option == "--local" else (tmp_path / "b", "")
    assert [(each.home, each.store_url) for each in machine.opened] == [chosen]


@pytest.mark.parametrize("key", ["TROUPE_DATABASE_URL", "TROUPE_STORE_URL"])
def test_a_registry_that_cannot_be_opened_is_one_sentence(tmp_path: Path, key: str) -> None:
    """No traceback of a driver, and no password in the sentence."""
    values = {"TROUPE_HOME": str(tmp_path), key: {"TROUPE_DATABASE_URL": "mysql://a:secret@b/c", "TROUPE_STORE_URL": "gopher://x"}[key]}
    result = Machine(read_settings(values)).run("verify", "--local")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert "secret" not in result.stderr


def test_a_local_move_says_that_no_engine_tried_it(tmp_path: Path) -> None:
    """On stderr, as that nothing says how good it is; what goes to programs stays clean."""
    machine = Machine(RegistrySettings(tmp_path / "home", base=str(write_base(tmp_path / "base"))))
    result = machine.run("publish", write_adapter(tmp_path / "a"), "--community", "zizou", "--promote", "--local")
    untried, ungraded = result.stderr.splitlines()
    assert untried == "troupe: zizou@1 was not tried on an engine, as no gateway took part."
    assert ungraded.startswith("troupe: zizou@1 came without a report card")


def test_publishing_without_a_gateway_needs_a_base(tmp_path: Path) -> None:
    """By option or by TROUPE_BASE."""
    machine = Machine(RegistrySettings(tmp_path / "home"))
    arguments = ("publish", write_adapter(tmp_path / "a"), "--community", "zizou", "--local")
    result = machine.run(*arguments)
    assert (result.exit_code, "--base" in result.stderr) == (2, True)
    assert machine.run(*arguments, "--base", write_base(tmp_path / "base")).exit_code == 0


@pytest.mark.parametrize("option", [("--max-rank", "1"), ("--quantization", "awq")])
def test_options_say_how_the_base_is_served(tmp_path: Path, option: tuple[str, str]) -> None:
    """The adapter is of rank 2 and the base is not quantized: either is refused."""
    machine = Machine(RegistrySettings(tmp_path / "home", base=str(write_base(tmp_path / "base"))))
    arguments = ("publish", write_adapter(tmp_path / "a"), "--community", "zizou", "--local")
    assert machine.run(*arguments, *option).exit_code == 1
    assert machine.run(*arguments).exit_code == 0


def test_a_rank_that_is_no_number_is_named(tmp_path: Path) -> None:
    """By the variable that holds it."""
    machine = Machine(read_settings({"TROUPE_HOME": str(tmp_path), "TROUPE_BASE": "base", "TROUPE_ENGINE_MAX_LORA_RANK": "many"}))
    assert "TROUPE_ENGINE_MAX_LORA_RANK" in machine.run("publish", "x", "--community", "zizou", "--local").stderr


def test_a_gateway_s_own_base_counts(tmp_path: Path) -> None:
    """Whoever gives another one is told that it is not used."""
    machine = Machine(RegistrySettings(tmp_path, url="http://gateway.test", admin_key="k"))
    result = machine.run("publish", write_adapter(tmp_path / "a"), "--community", "zizou", "--base", tmp_path)
    assert "--base, --quantization and --max-rank are not used" in result.stderr


def test_the_key_of_this_machine_is_found(tmp_path: Path) -> None:
    """`troupe up` keeps it in the home; one that is set comes first."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "admin").write_text("tr_kept\n")
    settings = RegistrySettings(tmp_path)
    assert admin_key(settings, DEFAULT_URL) == "tr_kept"
    assert admin_key(replace(settings, admin_key="tr_set"), DEFAULT_URL) == "tr_set"
    assert admin_key(RegistrySettings(tmp_path / "nowhere"), DEFAULT_URL) == ""
    machine = Machine(settings, listening=True)
    assert machine.run("ls").exit_code == 0
    assert [request.headers["authorization"] for request in machine.asked] == ["Bearer tr_kept"]


def test_the_key_of_this_machine_is_sent_nowhere_else(tmp_path: Path) -> None:
    """A gateway elsewhere needs the key that is set for it."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "admin").write_text("tr_kept\n")
    machine = Machine(RegistrySettings(tmp_path, url="http://gateway.test"))
    assert machine.run("ls").exit_code == 4
    assert machine.asked == []


def test_a_key_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """Not the same as no key."""
    (tmp_path / "keys" / "admin").mkdir(parents=True)
    with pytest.raises(BadKey, match="cannot be read"):
        admin_key(RegistrySettings(tmp_path), DEFAULT_URL)
