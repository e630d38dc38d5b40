"""What a shell is told when somebody presses Tab, and how soon."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clients.cli.remembered import FRESH_S, RememberedModels
from clients.offer import Offer
from clients.settings import ClientSettings
from clients.wire import needs_no_lookup
from tests.clients.cli.pseudo_terminal import opened
from tests.clients.cli.shell import Shell
from tests.clients.stub_gateway import KEY, StubGateway

CANARY = {"adapter": "zizou@7", "canary": {"version": 8, "share": 10}}
IMPORTED = """
import atexit, json, sys
atexit.register(lambda: json.dump(sorted(sys.modules), sys.stderr))
from clients.cli.main import main
main(prog_name="troupe")
"""


async def _completed(shell: Shell, *words: str, **more: str) -> list[str]:
    """What may stand in the place of the last of `words`."""
    asked = {"_TROUPE_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(("troupe", *words)), "COMP_CWORD": str(len(words))}
    done = await shell.pipe(more=asked | more)
    assert done.exit_code == 0, done.stderr
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


async def test_commands_and_options_are_completed(stub: StubGateway, shell: Shell) -> None:
    """Of every package."""
    assert await _completed(shell, "comp") == ["compare", "completion"]
    assert "keys" in await _completed(shell, "")
    assert await _completed(shell, "ask", "--te") == ["--temperature"]
    assert await _completed(shell, "completion", "") == ["bash", "zsh", "fish"]


async def test_models_are_completed_with_their_versions(stub: StubGateway, shell: Shell) -> None:
    """As the gateway tells them, for each command that takes one."""
    stub.told["zizou"] = CANARY
    async with asyncio.timeout(20):
        while not (found := await _completed(shell, "chat", "z")):  # a busy machine may not answer within what a completion waits
            pass
    assert found == ["zizou", "zizou@7", "zizou@canary", "zizou@8"]
    assert await _completed(shell, "compare", "zizou", "gr") == ["greybeards"]
    assert await _completed(shell, "doctor", "--ask", "zizou@c") == ["zizou@canary"]


async def test_a_gateway_that_is_slow_or_away_holds_nobody_up(stub: StubGateway, shell: Shell) -> None:
    """Then the names that were seen last are good enough; none, if there were none. No error is written into the line."""
    await shell.run("models")
    (kept,) = (shell.home / "models").iterdir()
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"kept_at": 0}))
    stub.hold = asyncio.Event()
    assert await _completed(shell, "ask", "z") == ["zizou"]
    stub.hold.set()
    assert await _completed(shell, "ask", "z", TROUPE_URL="http://127.0.0.1:1") == []
    assert await _completed(shell, "ask", "z", TROUPE_API_KEY="wrong") == []


@pytest.mark.parametrize(
    ("url", "needs_none"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://[::1]:8000", True),
        ("http://localhost:8000", True),
        ("http://192.0.2.7", True),
        ("https://troupe.example", False),
    ],
)
def test_a_name_is_not_looked_up_while_somebody_waits(url: str, needs_none: bool) -> None:
    """A lookup that hangs cannot be ended."""
    assert needs_no_lookup(url) == needs_none


async def test_a_gateway_with_a_name_is_completed_from_memory(stub: StubGateway, shell: Shell) -> None:
    """Nobody is asked."""
    RememberedModels(ClientSettings(url="http://troupe.invalid", api_key=KEY, home=shell.home), lambda: 0.0).keep([Offer("zizou")])
    assert await _completed(shell, "ask", "z", TROUPE_URL="http://troupe.invalid") == ["zizou"]


async def test_names_of_one_key_are_not_offered_to_another(stub: StubGateway, shell: Shell) -> None:
    """Nor those of another gateway; and no key is written down."""
    await shell.run("models")
    (kept,) = (shell.home / "models").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "tr_" not in kept.read_text() + kept.name
    assert RememberedModels(ClientSettings(url=stub.url, api_key="tr_other", home=shell.home)).any() == []


def test_names_are_fresh_for_a_while(tmp_path: Path) -> None:
    """By the clock; a file that is nonsense is none."""
    now = [1000.0]
    remembered = RememberedModels(ClientSettings(home=tmp_path), lambda: now[0])
    assert remembered.fresh() is None
    remembered.keep([Offer("zizou", "zizou@7")])
    now[0] += FRESH_S
    assert remembered.fresh() == ["zizou", "zizou@7"]
    now[0] += 1
    assert (remembered.fresh(), remembered.any()) == (None, ["zizou", "zizou@7"])
    next((tmp_path / "models").iterdir()).write_text("[]")
    assert remembered.any() == []


def test_a_home_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path) -> None:
    """It only saved time."""
    (tmp_path / "file").touch()
    RememberedModels(ClientSettings(home=tmp_path / "file")).keep([Offer("zizou")])


def test_completing_a_command_imports_none(tmp_path: Path) -> None:
    """Whatever is installed, Tab after `troupe` waits for no torch and no HTTP client."""
    env = {"_TROUPE_COMPLETE": "bash_complete", "COMP_WORDS": "troupe ", "COMP_CWORD": "1", "TROUPE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", IMPORTED], env=os.environ | env, capture_output=True, text=True, check=True)
    assert "plain,train" in done.stdout
    loaded = {name.partition(".")[0] for name in json.loads(done.stderr)}
    assert not loaded & {"torch", "vllm", "transformers", "discord", "pydantic", "httpx", "aiohttp", "prompt_toolkit"}


async def test_bash_completes_as_it_is_told(stub: StubGateway, shell: Shell) -> None:
    """A real one: the lines of `troupe completion bash`, a Tab, and a name with an @ in it."""
    stub.told["zizou"] = CANARY
    await shell.run("models")  # known by then: a busy machine may not answer within what a completion waits
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    async with opened(["bash", "--norc", "--noprofile", "-i"], stub, shell.home, PATH=path, PS1="ready> ") as term:
        await term.until(b"ready> ")
        term.type(b'eval "$(troupe completion bash)"; echo do""ne\r')
        await term.until(b"done\r\n")
        term.type(b"troupe ask zizou@c\t")
        await term.until(b"zizou@canary ")
        term.type(b"\x15troupe compl\t")
        await term.until(b"completion ")


@pytest.mark.parametrize("other", ["zsh", "fish"])
async def test_other_shells_are_told_in_their_own_words(shell: Shell, other: str) -> None:
    """And where the shell is on this machine, it understands them."""
    told = await shell.run("completion", other)
    assert "_TROUPE_COMPLETE" in told.stdout
    if program := shutil.which(other):
        checked = await asyncio.create_subprocess_exec(program, "-n", stdin=asyncio.subprocess.PIPE)
        await checked.communicate(told.stdout.encode())
        assert checked.returncode == 0


async def test_a_shell_that_is_not_known_is_wrong_usage(shell: Shell) -> None:
    """With those that are."""
    result = await shell.run("completion", "tcsh")
    assert (result.exit_code, "'fish'" in result.stderr) == (2, True)
