"""`troupe config`: who said what, and the file that it writes."""

import tomllib
from pathlib import Path

import pytest

from clients.cli.config import named
from clients.config_file import read_config, write_config
from clients.errors import BadSettings
from tests.clients.cli.shell import Shell
from tests.clients.stub_gateway import KEY, StubGateway


async def test_it_says_who_said_what(stub: StubGateway, shell: Shell) -> None:
    """And of the key no more than its name."""
    lines = (await shell.run("config")).stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["url", stub.url, "TROUPE_URL"],
        ["api_key", "tr_test_…", "TROUPE_API_KEY"],
        ["home", str(shell.home), "TROUPE_HOME"],
    ]
    bare = (await shell.run("config", TROUPE_URL=None, TROUPE_HOME=None, key=None)).stdout.splitlines()
    assert [line.split()[1:] for line in bare[:2]] == [["http://127.0.0.1:8000", "default"], ["none", "nobody"]]


KEYS = [("tr_ab12_secret_x", "tr_ab12_…"), ("sk-other", "…"), ("tr_short", "…"), ("tr__x", "…"), (None, "none")]


@pytest.mark.parametrize(("key", "shown"), KEYS)
def test_of_a_key_its_name_is_shown(key: str | None, shown: str) -> None:
    """Nothing of its secret, and nothing of a key of another shape."""
    assert named(key) == shown


async def test_what_was_tried_is_written_down(stub: StubGateway, shell: Shell) -> None:
    """Where only its owner reads it; what else the file says stays."""
    path = shell.home / "config" / "troupe" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text('home = "/elsewhere"\n')
    result = await shell.run("config", "set", stdin=f"{stub.url}/v1/\n{KEY}\n", TROUPE_URL=None, key=None)
    assert result.exit_code == 0, result.output
    assert "base, greybeards, zizou" in result.stdout
    assert KEY not in result.output
    assert tomllib.loads(path.read_text()) == {"home": "/elsewhere", "url": stub.url, "api_key": KEY}
    assert path.stat().st_mode & 0o777 == 0o600
    assert (await shell.run("models", TROUPE_URL=None, key=None)).exit_code == 0


async def test_a_key_that_does_not_open_is_not_written_down(stub: StubGateway, shell: Shell) -> None:
    """With the exit code of any command that meets it."""
    assert (await shell.run("config", "set", stdin=f"{stub.url}\nwrong\n")).exit_code == 4
    assert (await shell.run("config", "set", "--url", "http://127.0.0.1:1", stdin=f"{KEY}\n")).exit_code == 3
    assert not (shell.home / "config").exists()


async def test_what_is_stronger_than_the_file_is_said(stub: StubGateway, shell: Shell) -> None:
    """Or one would wonder why nothing changed."""
    result = await shell.run("config", "set", stdin=f"\n{KEY}\n")
    assert "TROUPE_API_KEY is set" in result.stderr
    assert "TROUPE_URL is set" in result.stderr


def test_a_file_says_what_was_written(tmp_path: Path) -> None:
    """Quotes and all; where it cannot be written is one sentence."""
    path = tmp_path / "troupe" / "config.toml"
    write_config(path, {"url": "http://x", "home": '/ho"me\\né 🎉'})
    assert read_config(path) == {"url": "http://x", "home": '/ho"me\\né 🎉'}
    (tmp_path / "file").touch()
    with pytest.raises(BadSettings, match="cannot be written"):
        write_config(tmp_path / "file" / "config.toml", {})
