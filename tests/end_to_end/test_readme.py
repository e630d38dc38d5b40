"""The commands of the README, and the programs of it and of the page on the API, as a reader would paste them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.stack import ADMIN_KEY, API_KEY, ROOT, Stack

pytestmark = pytest.mark.engine
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL)
SESSIONS = [re.findall(r"^\$ (.+)$", block, flags=re.MULTILINE) for block in BLOCKS]
API = (ROOT / "docs" / "api.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", README + API, flags=re.DOTALL)


def run(stack: Stack, command: list[str], cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    environment = {**stack.environment(), "TROUPE_API_KEY": API_KEY, "TROUPE_ADMIN_KEY": ADMIN_KEY}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def folder(stack: Stack, tmp_path: Path) -> Path:
    """Where a reader of the README stands: beside an adapter of theirs."""
    shutil.copytree(stack.demo / "adapters" / "greybeards", tmp_path / "my-adapter")
    return tmp_path


def test_the_readme_quotes_commands() -> None:
    """At least the ones a newcomer starts with; `make up` is how the stack of these tests was started, `make test` runs them."""
    assert len(SESSIONS) >= 5
    assert PROGRAMS
    assert "```\nmake up\nmake test\n```" in README


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session[0])
def test_every_quoted_session_runs(stack: Stack, folder: Path, session: list[str]) -> None:
    """Each block from its first command to its last: all succeed and say something."""
    stack.wait_until_ready(90)
    for command in session:
        ran = run(stack, ["bash", "-o", "pipefail", "-c", command], folder)
        assert ran.returncode == 0, (command, ran.stderr)
        assert (ran.stdout + ran.stderr).strip(), command
        assert '"error"' not in ran.stdout, (command, ran.stdout)  # which is all that curl would say


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_quoted_program_runs(stack: Stack, program: str) -> None:
    """The openai SDK, streaming."""
    stack.wait_until_ready(90)
    ran = run(stack, [sys.executable, "-c", program])
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()


def test_what_make_up_prints_can_be_pasted(stack: Stack) -> None:
    """The three calls of the greeting, taken from its output, each get an answer."""
    stack.wait_until_ready(90)
    greeting = stack.output.read_text().partition("Troupe is ready.")[2]
    curl, rest = re.split(r"\n\nopenai SDK:\n", greeting.partition("curl:\n")[2])
    program, terminal = re.split(r"\n\nterminal:\n", rest)
    answered = run(stack, ["bash", "-c", curl])
    assert '"finish_reason"' in answered.stdout, answered.stderr
    answered = run(stack, [sys.executable, "-c", re.sub(r"^  ", "", program, flags=re.MULTILINE)])
    assert answered.stdout.strip(), answered.stderr
    chat = terminal.splitlines()[0].strip()
    answered = run(stack, ["bash", "-c", f"echo hello | {chat}"])
    assert answered.returncode == 0, answered.stderr
    assert answered.stdout.strip()
