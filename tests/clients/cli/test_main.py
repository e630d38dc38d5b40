"""How commands are found, described and loaded."""

import json
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
from click.testing import CliRunner

from clients.cli.main import Commands, extra_of, installed_commands, main, summary

HERE = "tests.clients.cli"
IMPORTED = "import json, sys; from clients.cli.main import main\ntry: main()\nfinally: json.dump(sorted(sys.modules), sys.stderr)"


def _group(*values: str) -> Commands:
    found = [EntryPoint(value.rpartition(":")[2], value, "troupe.commands") for value in values]
    return Commands("troupe", find=lambda: found)


def test_a_missing_extra_is_one_sentence_and_exit_code_1() -> None:
    """The sentence says what is missing and what to install; no stack trace."""
    result = CliRunner().invoke(_group(f"{HERE}.plugin_without_its_extra:heavy"), ["heavy"])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "`troupe heavy` needs surely_not_installed" in result.stderr
    assert "pip install" in result.stderr


def test_help_describes_a_command_whose_extra_is_missing() -> None:
    """The first line of its docstring is shown although its module cannot be imported."""
    result = CliRunner().invoke(_group(f"{HERE}.plugin_without_its_extra:heavy", "nowhere.at_all:lost"), ["--help"])
    assert result.exit_code == 0
    assert "Do something heavy" in result.stdout
    assert "At length" not in result.stdout
    assert "lost" in result.stdout


def test_a_command_that_this_copy_does_not_hold_says_so() -> None:
    """A package of our own that is absent is not blamed on an extra."""
    result = CliRunner().invoke(_group("server.nowhere:lost"), ["lost"])
    assert (result.exit_code, "has no `troupe lost`" in result.stderr) == (1, True)


def test_an_entry_point_that_is_no_command_says_so() -> None:
    """Whoever registered it wrongly is told."""
    result = CliRunner().invoke(_group("clients.cli.main:load"), ["load"])
    assert (result.exit_code, "is not a command" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("server.cli", "server"),
        ("adapters.demo", "train"),
        ("adapters.cli.publish", "publish"),
        ("clients.cli.chat", "clients"),
        ("clients.discord_bot.command", "discord"),
        ("loadtests.command", "load"),
        ("somebody.elses", "somebody"),
    ],
)
def test_each_package_knows_its_extra(module: str, extra: str) -> None:
    """The most specific package counts."""
    assert extra_of(module) == extra


@pytest.mark.parametrize("value", ["clients.cli.main:no_such_function", "clients.api", "tests.clients:x"])
def test_no_docstring_to_read_is_no_summary(value: str) -> None:
    """An odd entry point costs its description and not the whole help."""
    assert summary(EntryPoint("odd", value, "troupe.commands")) == ""


def test_help_imports_nothing_heavy() -> None:
    """`troupe --help` lists every command without importing one of them, nor an HTTP client."""
    done = subprocess.run([sys.executable, "-c", IMPORTED, "--help"], capture_output=True, text=True, check=True)
    for name in ("chat", "ask", "models", "bot", "up"):
        assert f"\n  {name}" in done.stdout
    loaded = {name.partition(".")[0] for name in json.loads(done.stderr)}
    assert not loaded & {"torch", "vllm", "transformers", "discord", "pydantic", "httpx", "aiohttp", "prompt_toolkit"}


def test_every_command_is_described() -> None:
    """Who reads the list learns what each is for."""
    assert [found.name for found in installed_commands() if not summary(found)] == []


def test_help_ends_with_the_exit_codes_and_version_is_the_distributions() -> None:
    """Scripts find the codes where they look for them."""
    helped = CliRunner().invoke(main, ["--help"]).stdout
    assert "3    no gateway answers" in helped
    assert CliRunner().invoke(main, ["--version"]).stdout.startswith("troupe 0.")


def test_an_unknown_command_is_wrong_usage() -> None:
    """Exit code 2."""
    assert CliRunner().invoke(main, ["sing"]).exit_code == 2
