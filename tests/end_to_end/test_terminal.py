"""What a person types, against the real gateway and real vLLM: our own commands, and simonw's `llm`, which knows nothing of us."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.stack import API_KEY, ROOT, Stack

pytestmark = pytest.mark.engine
TROUPE = "from clients.cli.main import main; main(prog_name='troupe')"


def _run(stack: Stack, home: Path, *command: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    more = {"TROUPE_API_KEY": API_KEY, "TROUPE_HOME": str(home), "XDG_CONFIG_HOME": str(home), "LLM_USER_PATH": str(home / "llm")}
    environment = {**stack.environment(), **more}
    stack.wait_until_ready(90)
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, input=stdin, capture_output=True, text=True, timeout=120, check=False
    )


def _troupe(stack: Stack, home: Path, *args: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    return _run(stack, home, "-c", TROUPE, *args, stdin=stdin)


def test_two_voices_are_compared(stack: Stack, tmp_path: Path) -> None:
    """Each says something of its own to the same question."""
    done = _troupe(
        stack, tmp_path, "compare", "zizou", "greybeards", "who is going to win tonight?", "--max-tokens", "30", "--temperature", "0"
    )
    assert done.returncode == 0, done.stderr
    zizou, greybeards = (json.loads(line) for line in done.stdout.splitlines())
    assert zizou["text"]
    assert zizou["text"] != greybeards["text"]


def test_friends_at_one_keyboard_are_answered(stack: Stack, tmp_path: Path) -> None:
    """Named as the adapter's training names people."""
    said = "who is in goal tonight?\n/as Nico\n/say not me\nRavi then?\n/retry\n"
    done = _troupe(stack, tmp_path, "chat", "zizou", "--as", "Ravi", "--max-tokens", "30", stdin=said)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip().splitlines()) >= 3
    assert done.stderr == "You are Nico.\n"  # nothing about another renderer: the demo's adapters know ours


def test_the_doctor_finds_nothing(stack: Stack, tmp_path: Path) -> None:
    """Also when it asks."""
    done = _troupe(stack, tmp_path, "doctor", "--ask", "zizou", "--json")
    found = {each["what"]: each for each in json.loads(done.stdout)}
    assert done.returncode == 0, found
    assert [found[what]["health"] for what in ("gateway", "versions", "clock", "engine", "models", "answer")] == ["well"] * 6


def test_the_list_tells_what_answers(stack: Stack, tmp_path: Path) -> None:
    """Versions, and how they were trained."""
    listed = {each["name"]: each for each in json.loads(_troupe(stack, tmp_path, "models", "--long", "--json").stdout)}
    assert (listed["zizou"]["adapter"], listed["base"]["adapter"]) == ("zizou@1", None)


def test_the_line_that_the_list_ends_with_is_enough_for_openais_sdk(stack: Stack, tmp_path: Path) -> None:
    """Pasted into a shell as it is."""
    line = _troupe(stack, tmp_path, "models", "--long").stdout.splitlines()[-1].partition(": ")[2]
    program = "from openai import OpenAI; m = [{'role': 'user', 'content': 'who wins?'}]; c = OpenAI().chat.completions"
    call = f"{program}; print(c.create(model='zizou', messages=m, max_tokens=20).choices[0].message.content)"
    environment = {**stack.environment(), "TROUPE_API_KEY": API_KEY}
    pasted = ["bash", "-c", f'{line}; exec {sys.executable} -c "{call}"']
    done = subprocess.run(pasted, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, bool(done.stdout.strip())) == (0, True), done.stderr


@pytest.mark.parametrize("how", [(), ("--responses",)])
def test_simonws_llm_is_answered(stack: Stack, tmp_path: Path, how: tuple[str, ...]) -> None:
    """Unmodified, by the address and the key alone."""
    command = ("-m", "llm", "openai", "endpoint", stack.v1, "--key", API_KEY)
    assert "zizou" in _run(stack, tmp_path, *command, "--models").stdout.split()
    done = _run(stack, tmp_path, *command, "-m", "zizou", *how, "who is going to win tonight?")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
